"""The two files of the bundle that ships are one network: the 8-bit integers answer as float32 does."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageDraw

import labeler
from labeler import sources
from labeler.images.picture import Pixels
from labeler.inference import bundle
from labeler.inference.classifier import Answer, Classifier
from labeler.labeling import Looker
from labeler.records import Settings

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture(scope="module")
def faces() -> Pixels:
    """Return the faces of the example photos, each also mirrored, darker and with little contrast."""
    look = Looker(Settings(root=str(PHOTOS)))
    files = [file for file in sources.find(PHOTOS) if file.startswith(("faces/", "portraits/"))]
    found = np.stack([crop for file in files for _, crop in look(file).faces])
    return np.concatenate([found, found[:, :, ::-1], found // 2, found // 3 + 100])


def answers(file: str, pixels: Pixels) -> Answer:
    return Classifier(bundle.find("default").with_name(file)).answer(pixels)


def test_both_files_answer_alike(faces: Pixels) -> None:
    small, exact = (answers(file, faces) for file in (bundle.CLASSIFIER, bundle.FLOAT32))
    apart = np.abs(small.probabilities - exact.probabilities)
    sure = np.sort(exact.probabilities, axis=1)
    clear = sure[:, -1] - sure[:, -2] > 0.2

    assert len(faces) >= 20
    assert apart.mean() < 0.01
    assert (small.probabilities.argmax(axis=1) == exact.probabilities.argmax(axis=1))[clear].all()
    assert small.faces is not None
    assert exact.faces is not None
    assert np.abs(small.faces - exact.faces).mean() < 0.02


def test_both_cards_say_the_same_of_the_answers() -> None:
    small, exact = (bundle.card(bundle.find("default").with_name(one)) for one in (bundle.CLASSIFIER, bundle.FLOAT32))

    assert (small.weights, exact.weights) == ("int8", "float32")
    assert (small.class_names, small.prior, small.face_threshold) == (
        exact.class_names,
        exact.prior,
        exact.face_threshold,
    )


def test_integers_are_summed_without_saturation(faces: Pixels) -> None:
    """Compare with sums in float32: unoptimised, ONNX Runtime turns every integer into a number before it convolves.

    Without VNNI, a processor adds two products in 16 bits; the reduced range of the weights leaves room for that.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    plain = onnxruntime.InferenceSession(bundle.find("default"), options, providers=["CPUExecutionProvider"])
    (wanted,) = plain.run(["probabilities"], {plain.get_inputs()[0].name: faces})

    assert np.abs(answers(bundle.CLASSIFIER, faces).probabilities - wanted).max() < 0.03


def test_small_pictures_that_show_no_face_get_no_label(tmp_path: Path) -> None:
    """Parts of a photo of a cup, nothing at all, stripes, and words; and, beside them, faces."""
    with Image.open(PHOTOS / "no_face" / "coffee.jpg") as photo:
        for place in range(8):
            left, top = photo.width * (place % 4) // 4, photo.height * (place // 4) // 2
            photo.crop((left, top, left + photo.width // 4, top + photo.height // 2)).resize((64, 64)).save(
                tmp_path / f"part{place}.png"
            )
    Image.new("RGB", (64, 64), "navy").save(tmp_path / "part8.png")
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8) // 8 % 2 * 255, (64, 1))).save(tmp_path / "part9.png")
    words = Image.new("RGB", (64, 64), "white")
    ImageDraw.Draw(words).text((4, 24), "no image", "black")
    words.save(tmp_path / "part10.png")
    for file in (PHOTOS / "faces").iterdir():
        shutil.copy(file, tmp_path)
    found = {row.file: row.status for row in labeler.label(tmp_path)}
    parts = [status for file, status in found.items() if file.startswith("part")]

    assert len(parts) == 11
    assert parts.count("no_face") >= 10
    assert {status for file, status in found.items() if not file.startswith("part")} == {"ok"}
