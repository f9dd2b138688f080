"""The fast path beside the simplest one there is: Pillow, decoded in full, one picture at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageOps

from labeler import pipeline
from labeler.inference import bundle
from labeler.records import Faces, Settings, Status
from labeler.tables import reader

FURTHEST = 0.01
"""How far a probability may be from the reference's. Decoders and ways to resize differ a little: most of these
pictures give less than 0.001, the one of single black and white pixels 0.006."""


def scene(width: int, height: int, seed: int) -> Image.Image:
    """A picture with light, shade and edges at every scale, as photographs have them."""
    chance = np.random.default_rng(seed)
    pixels = np.zeros((height, width, 3))
    for exponent in range(2, 7):
        coarse = chance.integers(0, 256, (2**exponent, 2**exponent, 3), dtype=np.uint8)
        pixels += np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)) / 2**exponent
    pixels -= pixels.min()
    return Image.fromarray((pixels / pixels.max() * 255).astype(np.uint8))


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


SAVED: dict[str, Callable[[Path], None]] = {
    "crop.jpg": lambda path: scene(48, 48, 1).convert("L").save(path),
    "colour crop.jpg": lambda path: scene(100, 120, 2).save(path, quality=95),
    "turned.jpg": lambda path: scene(300, 200, 3).save(path, exif=turned(6)),
    "mirrored.jpg": lambda path: scene(300, 200, 4).save(path, exif=turned(2)),
    "an eighth.jpg": lambda path: scene(1200, 900, 5).save(path, quality=92),
    "a quarter, turned.jpg": lambda path: scene(400, 260, 6).save(path, exif=turned(8)),
    "progressive.jpg": lambda path: scene(640, 480, 7).save(path, progressive=True),
    "cmyk.jpg": lambda path: scene(200, 200, 8).convert("CMYK").save(path),
    "large.png": lambda path: scene(1500, 800, 9).save(path),
    "palette.png": lambda path: scene(90, 90, 10).quantize(32).save(path),
    "bits.png": lambda path: scene(70, 70, 11).convert("1").save(path),
    "deep.png": lambda path: scene(80, 80, 12).convert("L").convert("I;16").point(lambda v: v * 256).save(path),
    "picture.webp": lambda path: scene(300, 300, 13).save(path, lossless=True),
    "picture.tif": lambda path: scene(300, 100, 14).save(path),
    "picture.gif": lambda path: scene(100, 100, 15).save(path),
    "thin.png": lambda path: scene(500, 20, 16).save(path),
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    for name, save in SAVED.items():
        save(folder / name)
    (folder / "broken.jpg").write_bytes((folder / "large.png").read_bytes()[:-4000])
    (folder / "text.jpg").write_bytes(b"no picture")
    return folder


def reference(path: Path) -> np.ndarray:
    """Return the probabilities of one picture by the book."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode == "I;16":
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        rgb = upright.convert("RGB")
    for size in ((min(rgb.width, 64), rgb.height), (min(rgb.width, 64), min(rgb.height, 64))):
        rgb = rgb.resize(size, Image.Resampling.BOX)
    pixels = np.asarray(rgb.resize((64, 64), Image.Resampling.BILINEAR))
    session = onnxruntime.InferenceSession(bundle.find("documented"), providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(None, {session.get_inputs()[0].name: pixels[None]})[0][0]
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_the_fast_path_gives_the_probabilities_of_the_simplest_one(photos: Path, tmp_path: Path, workers: int) -> None:
    out = tmp_path / "t.csv"
    pipeline.classify(
        pipeline.Job(
            inputs=(photos,),
            out=out,
            settings=Settings(model="documented", faces=Faces.WHOLE),
            workers=workers,
            batch_size=5,
        )
    )
    rows = {row.file: row for row in reader.read(out)}
    differences = {
        name: float(np.abs(np.array(row.probabilities) - reference(photos / name)).max())
        for name, row in rows.items()
        if row.status is Status.OK
    }

    assert set(differences) == set(SAVED)
    assert {name: value for name, value in differences.items() if value > FURTHEST} == {}
    assert {rows["broken.jpg"].status, rows["text.jpg"].status} == {Status.UNREADABLE, Status.UNSUPPORTED}
