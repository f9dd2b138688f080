"""Image data that is lost is noticed, where the decoder says so, and nothing that is sound is called damaged."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, ROOT, SHARED, Folder, read_image
from PIL import Image
from typer.testing import Result

import labeler
from labeler import native_output, pipeline
from labeler.evaluation import truth
from labeler.images import damage
from labeler.images.picture import ImageError
from labeler.records import Faces, Row, Settings, Status
from labeler.tables import reader
from labeler.tables.comma_separated import Csv
from labeler.tables.labels import Table
from training.data import dataset

PHOTOS = ROOT / "examples" / "photos"
LOST = "Corrupt JPEG data: premature end of data segment"

Run = Callable[..., Result]


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    given = [sys.executable, "-m", "labeler", *map(str, arguments)]
    return subprocess.run(given, capture_output=True, text=True, check=False, cwd=ROOT, timeout=300)


def alternating(folder: Folder) -> dict[str, str]:
    """Make sound and damaged pictures in turn; return their statuses."""
    for number in range(8):
        make = folder.damaged if number % 2 else folder.noise
        make(f"{number}.jpg", seed=number)
    return {f"{number}.jpg": "damaged" if number % 2 else "ok" for number in range(8)}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_each_damaged_picture_is_labelled_and_says_so(folder: Folder, model: Path, workers: str) -> None:
    expected = alternating(folder)
    out = folder.path.parent / "t.csv"
    done = command("classify", folder.path, "-o", out, "--model", model, "--workers", workers, "--batch-size", "2")
    rows = list(reader.read(out))

    assert (done.returncode, "8 files = 4 ok + 4 damaged\n" in done.stderr) == (0, True), done.stderr
    assert {row.file: str(row.status) for row in rows} == expected
    assert {row.reason for row in rows} == {"", LOST}
    assert all(row.label in CLASS_NAMES and len(row.probabilities) == 3 and row.width == 48 for row in rows)
    assert json.loads(Path(f"{out}.run.json").read_text())["counts"] == {
        "files": 8,
        "faces": 8,
        "ok": 4,
        "no_face": 0,
        "damaged": 4,
        "unreadable": 0,
        "too_large": 0,
        "unsupported": 0,
    }


def seen(path: Path, longer: int = 64) -> str:
    with native_output.decoders():
        return read_image(str(path), 64, longer, 10**8).damage


@pytest.mark.parametrize(
    "options",
    [{"progressive": True}, {"restart_marker_blocks": 4}, {"mode": "L"}, {"mode": "CMYK"}, {"subsampling": 0}],
    ids=str,
)
def test_every_kind_of_jpeg_tells(folder: Folder, options: dict[str, object]) -> None:
    assert seen(folder.damaged("a.jpg", **options)) == LOST  # type: ignore[arg-type]


def test_a_photo_that_is_decoded_at_a_smaller_scale_tells(folder: Folder) -> None:
    path = folder.damaged("a.jpg", side=1600)
    with native_output.decoders():
        picture = read_image(str(path), 64, 64, 10**8)

    assert (picture.pixels.shape, picture.damage) == ((200, 200, 3), LOST)


def test_a_picture_that_xmp_turns_tells(folder: Folder) -> None:
    path = folder.damaged("a.jpg", xmp=b'<x tiff:Orientation="6"/>')

    assert seen(path) == LOST


def test_a_picture_that_is_refused_says_nothing_of_the_next(folder: Folder) -> None:
    good = folder.noise("good.jpg", seed=1)
    cut = folder.file("cut.jpg", folder.damaged("a.jpg").read_bytes()[:-2])
    with native_output.decoders():
        with pytest.raises(ImageError):
            read_image(str(cut), 64, 64, 10**8)
        os.write(2, f"{LOST}\n".encode())  # As a decoder that gives up after it.
        with pytest.raises(ImageError):
            read_image(str(folder.file("b.jpg", b"")), 64, 64, 10**8)
        found = read_image(str(good), 64, 64, 10**8).damage

    assert found == ""


def test_a_damaged_photo_without_a_face_says_both(folder: Folder, model: Path) -> None:
    folder.damaged("a.jpg", side=300)
    with native_output.decoders():
        (row,) = labeler.label(folder.path, Settings(model=str(model)))

    assert (row.label, row.status, row.reason) == ("", Status.DAMAGED, f"no face was found; {LOST}")


def test_every_face_of_a_damaged_photo_is_damaged(folder: Folder, model: Path) -> None:
    face = Image.open(PHOTOS / "faces" / "hopper.jpg").convert("RGB")
    sheet = Image.new("RGB", (3 * face.width, 4 * face.height))
    for column in range(3):
        sheet.paste(face, (column * face.width, 0))
    sheet.save(folder.path / "a.jpg", quality=95)
    content = (folder.path / "a.jpg").read_bytes()
    folder.file("a.jpg", content[:-20] + b"\xff\xd9")
    with native_output.decoders():
        rows = list(labeler.label(folder.path, Settings(model=str(model))))

    assert [(row.face, str(row.status), bool(row.label)) for row in rows] == [
        (0, "damaged", True), (1, "damaged", True), (2, "damaged", True),
    ]  # fmt: skip


def test_below_the_threshold_the_label_is_uncertain(folder: Folder, model: Path) -> None:
    folder.damaged("a.jpg")
    with native_output.decoders():
        (row,) = labeler.label(folder.path, Settings(model=str(model), threshold=1.0))

    assert (row.label, row.status, row.reason) == ("uncertain", Status.DAMAGED, LOST)


HOST = """
import os, sys, labeler
from labeler.records import Settings
if __name__ == "__main__":
    before = os.fstat(2)
    rows = labeler.label(sys.argv[1], Settings(model=sys.argv[2]), workers=int(sys.argv[3]))
    statuses = [(next(rows), os.fstat(2))[0].status, *(row.status for row in rows)]
    print(*statuses, os.fstat(2) == before)
    os.write(2, b"mine")
"""


@pytest.mark.parametrize(("workers", "expected"), [("1", "ok ok"), ("2", "damaged damaged")])
def test_the_descriptors_of_a_program_that_calls_us_are_not_touched(
    folder: Folder, model: Path, workers: str, expected: str
) -> None:
    for number in range(10):
        folder.damaged(f"{number}.jpg")
    (folder.path.parent / "host.py").write_text(HOST)
    given = [sys.executable, folder.path.parent / "host.py", folder.path, model, workers]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(given, capture_output=True, text=True, check=True, env=environment)

    assert (done.stdout.startswith(expected), done.stdout.split()[-1], done.stderr[-4:]) == (True, "True", "mine")


@pytest.fixture
def table(folder: Folder, model: Path, run: Run) -> Path:
    """A table of three sound pictures, a damaged one, and a damaged one without a face."""
    for number in range(3):
        folder.noise(f"{number}.jpg", seed=number)
    folder.damaged("damaged.jpg")
    folder.damaged("large.jpg", side=300)
    out = folder.path.parent / "t.csv"
    assert run("classify", folder.path, "-o", out, "--model", model, "-q", "--workers", 1).exit_code == 0
    return out


def test_what_is_damaged_is_no_failure_to_retry(folder: Folder, table: Path, model: Path, run: Run) -> None:
    for path in folder.path.iterdir():
        path.unlink()
    folder.noise("new.jpg", seed=9)
    done = run("classify", folder.path, "-o", table, "--model", model, "--retry-failed", "--workers", 1)
    rows = {row.file: row.status for row in reader.read(table)}

    assert (done.exit_code, rows["damaged.jpg"], rows["large.jpg"]) == (0, "damaged", "damaged"), done.stderr


def test_it_is_sorted_by_its_label(table: Path, run: Run) -> None:
    into = table.parent / "sorted"
    done = run("sort", table, "--into", into, "-q")
    label = next(row.label for row in reader.read(table) if row.file == "damaged.jpg")

    assert (done.exit_code, (into / label / "damaged.jpg").exists(), (into / "no_face" / "large.jpg").exists()) == (
        0, True, True,
    )  # fmt: skip


def test_it_is_drawn(table: Path, run: Run) -> None:
    done = run("annotate", table, "-o", table.parent / "drawn", "-q")

    assert (done.exit_code, len(list((table.parent / "drawn").iterdir()))) == (0, 5)


def test_training_passes_over_the_rows_of_a_table_that_are_damaged(folder: Folder, table: Path) -> None:
    rows = [row._replace(label="happy" if row.file == "0.jpg" else "sad") for row in reader.read(table)]
    corrected = folder.path / "corrected.csv"
    corrected.write_bytes(Csv().header(CLASS_NAMES) + Csv().encode(rows, CLASS_NAMES))
    found = Table(corrected).below(folder.path)

    assert (found.files, found.passed_over) == (("0.jpg", "1.jpg", "2.jpg"), ("2 rows of corrected.csv: damaged",))


def test_training_leaves_damaged_pictures_out_and_says_so(folder: Folder) -> None:
    for number in range(8):
        folder.noise(f"{('happy', 'sad')[number % 2]}/{number}.jpg", seed=number)
    folder.damaged("sad/damaged.jpg", seed=5000)
    with dataset.opened(
        dataset.scan(folder.path), None, val_split=0.25, seed=0, cache=folder.path, workers=1, progress=lambda *_: None
    ) as pictures:
        skipped, count = pictures.skipped, len(pictures.training) + len(pictures.validation)

    assert (skipped, count) == ((f"{folder.path}/sad/damaged.jpg: damaged: {LOST}",), 8)


def test_evaluation_leaves_damaged_pictures_out_and_counts_them(folder: Folder, model: Path, run: Run) -> None:
    for label in CLASS_NAMES:
        folder.noise(f"{label}/1.jpg", seed=1)
    folder.damaged("sad/2.jpg")
    done = run("evaluate", folder.path, "--model", model, "--workers", 1, "--json", "-q")

    assert (done.exit_code, json.loads(done.stdout)["left_out"]) == (0, {"damaged": 1})


def test_a_damaged_photo_with_several_faces_is_left_out_once() -> None:
    sound = Row("happy/1.jpg", 0).labelled((0.1, 0.8, 0.1), CLASS_NAMES, 0)
    rows = [sound, *(sound._replace(file="sad/2.jpg", face=face).damaged(LOST) for face in range(3))]

    assert truth.of_folders(rows, CLASS_NAMES).left_out == {"damaged": 1, "further_face": 2}


def jpeg(**options: object) -> bytes:
    stream = io.BytesIO()
    pixels = np.random.default_rng(3).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG", **options)  # type: ignore[arg-type]
    return stream.getvalue()


SOUND = {
    "filled up with zeros before its end": lambda content: content[:-2] + bytes(500) + b"\xff\xd9",
    "something else between two segments of its header": lambda content: content[:20] + b"\0\1\2\3" + content[20:],
    "something after its end": lambda content: content + b"a second picture, a film, ..." * 50,
    "all zeroes where a baseline scan has to say 0 to 63": lambda content: content.replace(
        b"\x03\x11\x00\x3f\x00", b"\x03\x11\x00\x00\x00"
    ),
}


@pytest.mark.parametrize("harm", SOUND)
def test_oddities_that_lose_no_pixel_are_no_damage(folder: Folder, harm: str) -> None:
    content = jpeg()
    odd = SOUND[harm](content)
    first, second = folder.file("a.jpg", content), folder.file("b.jpg", odd)

    assert odd != content
    assert (seen(second), read_image(str(second), 64, 64, 10**8).pixels.tobytes()) == (
        "", read_image(str(first), 64, 64, 10**8).pixels.tobytes(),
    )  # fmt: skip


def test_other_bytes_than_zeros_before_the_end_are_damage(folder: Folder) -> None:
    path = folder.file("a.jpg", jpeg()[:-2] + bytes(range(1, 60)) + b"\xff\xd9")

    assert re.fullmatch(r"Corrupt JPEG data: 5\d extraneous bytes before marker 0xd9", seen(path))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("libpng warning: iCCP: known incorrect sRGB profile\n", ""),
        ("libpng warning: IDAT: Extra compressed data\n", ""),
        ("Corrupt JPEG data: bad ICC marker\n", ""),
        ("Invalid SOS parameters for sequential JPEG\n", ""),
        ("TIFFReadDirectory: Warning, Unknown field with tag 34841 (0x8819) encountered.\n", ""),
        (f"a log line of some other library\n{LOST}\n", LOST),
        ("Fax4Decode: Bad code word at line 3.\n", "Fax4Decode: Bad code word at line 3."),
    ],
)  # fmt: skip
def test_only_what_is_said_of_image_data_counts(said: str, expected: str) -> None:
    assert damage.told(said, jpeg()) == expected


def test_a_fax_page_with_a_flipped_bit_tells(folder: Folder) -> None:
    image = Image.open(PHOTOS / "faces" / "hopper.jpg").convert("1")
    path = folder.path / "a.tif"
    image.save(path, compression="group4")
    assert seen(path) == ""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x55
    path.write_bytes(content)

    assert seen(path).startswith("Fax4Decode: ")


def figures(folder: Path, count: int) -> dict[str, int]:
    """Run the benchmark that harms pictures."""
    script = [sys.executable, ROOT / "benchmarks" / "damage.py", folder, "--count", str(count)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    found: dict[str, int] = json.loads(subprocess.check_output(script, text=True, env=environment))
    return found


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("folder", "count", "share"),
    [
        (PHOTOS / "portraits", 300, 0.6),
        (SHARED / "fer2013" / "train", 800, 0.85),
        (SHARED / "photos" / "faces", 60, 0.6),
    ],
    ids=["examples", "crops", "photos"],
)
def test_most_damage_that_changes_a_label_is_noticed_and_nothing_sound_is_called_damaged(
    folder: Path, count: int, share: float
) -> None:
    if not folder.exists():
        pytest.skip(f"{folder} is not here; it holds sound pictures to damage")
    found = figures(folder, count)

    assert found["sound_called_damaged"] == 0
    assert found["label_changed_and_noticed"] >= share * found["label_changed"] > 0, found


@pytest.mark.parametrize("folder", ["fer2013/valid", "photos"])
def test_no_sound_picture_is_called_damaged(folder: str, model: Path) -> None:
    if not (SHARED / folder).exists():
        pytest.skip(f"../shared/data/{folder} is not here; it holds sound pictures")
    with native_output.decoders():
        rows = list(pipeline.label([SHARED / folder], Settings(model=str(model), faces=Faces.WHOLE)))

    assert [row.file for row in rows if row.status is Status.DAMAGED] == []
