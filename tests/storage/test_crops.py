"""The crops of `--save-crops`: no two faces share one, and a name that is refused never costs the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Folder, small_tmpfs

from labeler.labeling import Looker
from labeler.records import Row, Settings
from labeler.storage import crops
from labeler.tables import reader

LONG = "x" * 251 + ".jpg"
"""As long as a name can be: with `.face0.png` it is too long."""
NAMES = ("a.jpg", "A.jpg", "É/1.jpg", "E\u0301/1.jpg", "é/1.jpg", "co:lon.jpg", "co?/a.jpg", "dot./a.jpg", "dot/a.jpg",
         "b\udcff.jpg", LONG, "y" * 240 + ".jpg", "z" * 220 + "ä.jpg", "a.jpg.face0.png/b.jpg")  # fmt: skip
"""Names of which an exFAT disk refuses half, and takes others for the same."""


def classify(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labeler", "classify", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


@pytest.fixture
def photos(folder: Folder) -> Folder:
    """Pictures with awkward names, no two alike."""
    for seed, name in enumerate(NAMES):
        folder.noise(name, seed=seed)
    return folder


def kept(place: Path, settings: Settings, rows: list[Row]) -> list[str]:
    """Return the crops that are there; each must be what the network saw of its row's face."""
    look, named = Looker(settings), crops.Crops(settings)
    for row in rows:
        path = named.path(row.file, row.face or 0)
        found = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
        ((_, seen),) = look(row.file).faces
        assert (found == seen).all(), row.file
    return sorted(os.fspath(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


@pytest.fixture
def disks(tmp_path: Path, exfat: Path) -> dict[str, Path]:
    return {"plain": tmp_path / "crops", "exfat": exfat / "crops"}


@pytest.mark.parametrize(("disk", "workers"), product(["plain", "exfat"], [1, 2]))
def test_every_face_keeps_its_own_crop_whatever_its_file_is_called(
    photos: Folder, model: Path, tmp_path: Path, disks: dict[str, Path], disk: str, workers: int
) -> None:
    place, out = disks[disk], tmp_path / "t.csv"
    settings = Settings(model=str(model), root=str(photos.path), save_crops=str(place))
    command = (photos.path, "--out", out, "--model", model, "--save-crops", place, "--workers", workers)
    done = classify(*command, "--batch-size", 1)
    rows = list(reader.read(out))
    found = kept(place, settings, rows)

    assert "not saved" not in done.stderr
    assert (len(rows), len(found)) == (len(NAMES), len(NAMES))
    classify(*command, "--overwrite")
    assert kept(place, settings, rows) == found


def test_a_usual_disk_keeps_the_names_of_the_files(photos: Folder, tmp_path: Path) -> None:
    named = crops.Crops(Settings(root=str(photos.path), save_crops=str(tmp_path / "crops")))
    changed = {name for name in NAMES if named.path(name, 0) != tmp_path / "crops" / f"{name}.face0.png"}

    assert changed == {LONG, "y" * 240 + ".jpg", "a.jpg.face0.png/b.jpg"}
    assert os.listdir(tmp_path / "crops") == []


def test_plain_names_are_kept_on_every_disk(exfat: Path) -> None:
    named = crops.Crops(Settings(root="/photos", save_crops=str(exfat)))

    assert [os.fspath(named.path(name, 1).relative_to(exfat)) for name in ("2019/img_1.jpg", "IMG_1.JPG")] == [
        "2019/img_1.jpg.face1.png",
        "IMG_1.JPG-21bcf1073b6705eb.face1.png",  # Written down: another run, and another version, must find it.
    ]


@pytest.mark.parametrize("disk", ["plain", "exfat"])
def test_no_name_that_a_hash_gave_is_that_of_another_file(disks: dict[str, Path], disk: str) -> None:
    named = crops.Crops(Settings(root="/photos", save_crops=str(disks[disk])))
    names = [LONG, "A.jpg", "a~1.jpg", "a.jpg"]
    hashed = [os.fspath(named.path(name, 0).relative_to(disks[disk])).removesuffix(".face0.png") for name in names]
    found = {os.fspath(named.path(name, 0)) for name in {*names, *hashed}}
    found = found if disk == "plain" else {name.lower() for name in found}

    assert len(found) == len({*names, *hashed})


def test_a_name_that_is_refused_all_the_same_costs_its_crop_only(folder: Folder, model: Path, tmp_path: Path) -> None:
    for seed, name in enumerate(["a.jpg", "b.jpg", "c.jpg"]):
        folder.noise(name, seed=seed)
    place, out = tmp_path / "crops", tmp_path / "t.csv"
    command = (folder.path, "--out", out, "--model", model, "--save-crops", place)
    classify(*command)
    (place / "b.jpg.face0.png").unlink()
    (place / "b.jpg.face0.png" / "mine").mkdir(parents=True)
    done = classify(*command, "--overwrite", "--json", status=1)

    assert "not saved: 1 crop, the first of b.jpg: Is a directory" in done.stderr
    assert json.loads(done.stdout)["lost_crops"] == 1
    assert [row.label != "" for row in reader.read(out)] == [True, True, True]
    assert sorted(os.listdir(place)) == ["a.jpg.face0.png", "b.jpg.face0.png", "c.jpg.face0.png"]


def test_the_crop_of_a_face_that_is_no_more_is_found_again_to_be_removed(
    folder: Folder, model: Path, tmp_path: Path, exfat: Path
) -> None:
    for seed, name in enumerate(("A.jpg", LONG, "a.jpg")):
        folder.noise(name, seed=seed)
    out, place = tmp_path / "t.csv", exfat / "crops"
    command = (folder.path, "--out", out, "--model", model, "--save-crops", place)
    classify(*command)
    before = sorted(os.listdir(place))
    folder.file("A.jpg")
    folder.file(LONG)
    classify(*command, "--refresh", status=1)

    assert (len(before), os.listdir(place)) == (3, ["a.jpg.face0.png"])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    yield from small_tmpfs(tmp_path / "small", "64k")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_without_room_for_the_first_crops_stops_the_run_and_the_same_command_continues(
    folder: Folder, model: Path, tmp_path: Path, small_disk: Path, workers: int
) -> None:
    for seed in range(6):
        folder.noise(f"{seed}.PNG", seed=seed)
    out, place, ballast = tmp_path / "t.csv", small_disk / "crops", small_disk / "ballast"
    ballast.write_bytes(bytes(40 << 10))  # One crop of noise has 12 KiB.
    command = (folder.path, "--out", out, "--model", model, "--save-crops", place, "--workers", workers, "-q")
    stopped = classify(*command, status=5)
    kept_before = os.listdir(place)
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", small_disk], check=True)
    classify(*command)

    assert "No space left on device. Make room" in stopped.stderr
    assert stopped.stderr.count("\n") == 1
    assert len(kept_before) >= 1
    assert sorted(os.listdir(place)) == [f"{seed}.PNG.face0.png" for seed in range(6)]


def test_a_run_that_was_stopped_after_its_first_crop_is_continued_by_the_same_command(
    folder: Folder, model: Path, tmp_path: Path
) -> None:
    for seed in range(60):
        folder.noise(f"{seed:03}.png", seed=seed, side=300)
    place = tmp_path / "crops"
    command = (folder.path, "--out", tmp_path / "t.csv", "--model", model, "--save-crops", place, "--faces", "whole")
    process = subprocess.Popen(
        [sys.executable, "-m", "labeler", "classify", *map(str, command), "--workers", "1", "--batch-size", "1000"],
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not crops.any_kept(str(place)):
        time.sleep(0.001)
    process.send_signal(signal.SIGTERM)

    assert process.wait() == 143
    classify(*command)
    assert len(os.listdir(place)) == 60


def test_crops_are_not_kept_among_the_pictures_by_another_name_of_their_folder(
    folder: Folder, model: Path, tmp_path: Path
) -> None:
    folder.picture("a.png")
    (tmp_path / "link").symlink_to(folder.path)
    place = tmp_path / "link" / "crops"
    done = classify(folder.path, "--out", tmp_path / "t.csv", "--model", model, "--save-crops", place, status=2)

    assert "is inside the folders of photos" in done.stderr


def test_the_crop_of_a_photo_outside_of_the_root_lies_inside_the_folder(tmp_path: Path) -> None:
    kept = crops.Crops(Settings(root=str(tmp_path / "a" / "b"), save_crops=str(tmp_path / "crops")))
    places = [kept.path(str(tmp_path / name), 0) for name in ("1.jpg", "a/1.jpg", "a/b/1.jpg", "c/1.jpg")]

    assert len(set(places)) == 4
    assert all(place.is_relative_to(tmp_path / "crops") and ".." not in place.parts for place in places)
