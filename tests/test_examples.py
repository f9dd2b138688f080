"""The pictures and scripts of examples/: what a newcomer runs first has to work."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, ROOT, Folder, make_bundle
from typer.testing import Result

from labeler import labeling
from labeler.images.crop import fingerprint
from labeler.images.picture import ImageError, Pixels
from labeler.records import Settings, Status

EXAMPLES = ROOT / "examples"
PHOTOS = EXAMPLES / "photos"
AWKWARD = PHOTOS / "awkward"


def test_the_awkward_pictures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for target in ("once", "again"):
        example("make_awkward.py", tmp_path / target)

    assert contents(tmp_path / "once") == contents(tmp_path / "again")


def test_the_script_makes_the_awkward_pictures_that_are_committed(tmp_path: Path) -> None:
    example("make_awkward.py", tmp_path)

    assert contents(tmp_path).keys() == contents(AWKWARD).keys()
    for name in contents(AWKWARD):
        assert outcome(tmp_path / name) == outcome(AWKWARD / name), name


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("cmyk.jpg", Status.OK),
        ("empty.jpg", Status.UNREADABLE),
        ("grayscale.jpg", Status.OK),
        ("rotated_by_exif.jpg", Status.OK),
        ("sixteen_bit.png", Status.OK),
        ("text.jpg", Status.UNSUPPORTED),
        ("truncated.jpg", Status.UNREADABLE),
        ("été à la mer.jpg", Status.OK),
    ],
)
def test_an_awkward_picture_has_this_status(name: str, status: Status) -> None:
    assert outcome(AWKWARD / name)[0] == status


@pytest.mark.parametrize(
    ("awkward", "original"),
    [
        ("cmyk.jpg", "collins.jpg"),
        ("rotated_by_exif.jpg", "hopper.jpg"),
        ("sixteen_bit.png", "photographer.jpg"),
        ("été à la mer.jpg", "collins.jpg"),
    ],
)
def test_an_awkward_picture_looks_like_the_one_it_was_made_of(awkward: str, original: str) -> None:
    difference = np.abs(crop(AWKWARD / awkward).astype(int) - crop(PHOTOS / "faces" / original))

    assert difference.mean() < 4  # Below 1 where all is well, above 50 for a face that lies on its side.


def test_every_picture_has_its_source_named() -> None:
    sources = (PHOTOS / "SOURCES.md").read_text(encoding="utf-8")
    pictures = [path.relative_to(PHOTOS).as_posix() for path in PHOTOS.rglob("*") if path.is_file()]

    assert [name for name in pictures if f"`{name}`" not in sources] == ["SOURCES.md"]


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in PHOTOS.rglob("*") if path.is_file()) < 250_000


def test_label_folder_names_every_file(folder: Folder) -> None:
    folder.noise("sunny/1.png", seed=1)
    folder.file("broken.jpg")

    printed = example("label_folder.py", folder.path)

    assert [line.partition(":")[0] for line in printed.splitlines()] == ["broken.jpg", "sunny/1.png"]


def test_own_model_labels_with_the_classes_of_that_model(folder: Folder, tmp_path: Path) -> None:
    folder.noise("1.png", seed=1)
    bundle = make_bundle(tmp_path / "mine.onnx", ("calm", "cross"))

    printed = example("own_model.py", "--model", bundle, folder.path)

    assert printed in {"1.png: calm\n", "1.png: cross\n"}


def test_analyse_table_counts_faces_and_files(folder: Folder, model: Path, run: Callable[..., Result]) -> None:
    for seed in range(3):
        folder.noise(f"{seed}.png", seed)
    folder.file("broken.jpg")
    table = folder.path / "labels.csv"
    run("classify", folder.path, "--out", table, "--model", model)

    printed = example("analyse_table.py", table)

    counts = {words[0]: words[1] for line in printed.splitlines() if len(words := line.split()) > 1}
    assert (counts["ok"], counts["unsupported"]) == ("3", "1")
    assert sum(int(counts.get(name, 0)) for name in CLASS_NAMES) == 3


LABELLED = """\
collins.jpg ok ['happy']
hopper.jpg ok ['neutral']
photographer.jpg ok ['neutral']
"""


@pytest.mark.heavy
def test_map_a_dataset_adds_the_labels(tmp_path: Path) -> None:
    pytest.importorskip("datasets")

    assert example("map_a_dataset.py", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1") == LABELLED


@pytest.mark.heavy
def test_ray_actors_label_in_processes_of_their_own(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with tempfile.TemporaryDirectory() as short:  # Of its sockets' names 107 bytes are allowed.
        apart = {"HOME": str(tmp_path), "RAY_TMPDIR": short, "RAY_USAGE_STATS_ENABLED": "0"}

        assert example("ray_actors.py", **apart) == LABELLED


@pytest.mark.slow
@pytest.mark.usefixtures("tensorflow")
def test_train_and_replace_labels_with_the_model_it_trained(folder: Folder, tmp_path: Path) -> None:
    for number in range(8):
        folder.picture(f"day/{number}.png", (200 + number, 220, 250))
        folder.picture(f"night/{number}.png", (number, 10, 30))

    printed = example("train_and_replace.py", folder.path, tmp_path / "run", folder.path)

    assert {line for line in printed.splitlines() if "png" in line} == {
        f"{name}/{number}.png: {name}" for name in ("day", "night") for number in range(8)
    }


def example(script: str, *arguments: object, **variables: str) -> str:
    """Run an example as its reader would; return what it printed."""
    command = [sys.executable, str(EXAMPLES / script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONUTF8": "1", **variables}
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def outcome(path: Path) -> tuple[Status, str]:
    """Return the status of a picture and its pixels, or the reason why there are none."""
    try:
        return Status.OK, fingerprint(crop(path)).hex()
    except ImageError as exc:
        return exc.status, exc.reason


def crop(path: Path) -> Pixels:
    [(_, pixels)] = labeling.Looker(Settings(root=str(path.parent)))(path.name).faces
    return pixels
