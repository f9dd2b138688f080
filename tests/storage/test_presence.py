"""A folder that goes away in the middle of a run: the run stops, says so, writes no row of it, and can be continued."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Folder, content_of

from labeler import pipeline
from labeler.errors import InputGoneError
from labeler.records import Faces, Row, Settings
from labeler.selection import Selection
from labeler.sources import Source
from labeler.tables import reader

pytestmark = pytest.mark.heavy

COUNT = 120


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """Pictures in two folders, of which some are broken."""
    folder = Folder(tmp_path / "originals")
    for index in range(COUNT):
        name = f"{index * 2 // COUNT}/{index:03}.png"
        folder.file(name) if index % 10 == 0 else folder.noise(name, seed=index, side=300)
    return folder.path


def mount(place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "none", place], capture_output=True).returncode:
        pytest.skip("this user may not mount a tmpfs")


def unmount(place: Path) -> None:
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def mounted(tmp_path: Path, originals: Path) -> Iterator[Callable[[str], Path]]:
    """Put the pictures below `photos`, and what is asked for on a disk of its own, again each time; return its path."""
    photos = tmp_path / "photos"

    def put(below: str) -> Path:
        place = photos / below
        mount(place)
        shutil.copytree(originals, photos, dirs_exist_ok=True)
        return place

    yield put
    for below in ("1", "."):
        if os.path.ismount(photos / below):
            unmount(photos / below)


def command(photos: Path, out: Path, model: Path, workers: int, *more: object) -> list[str]:
    options = ("--model", model, "--faces", "whole", "--workers", workers, "--batch-size", "2", "--quiet", *more)
    return [sys.executable, "-m", "labeler", "classify", str(photos), "--out", str(out), *map(str, options)]


def interrupted(
    started: list[str], out: Path, change: Callable[[], object], rows: int = COUNT // 10
) -> subprocess.CompletedProcess[str]:
    """Run a command, and change something when some rows of the table are there, while it stands still."""
    process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    part = Path(f"{out}.part")
    while process.poll() is None and content_of(part).count(b"\n") <= rows:
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    change()
    process.send_signal(signal.SIGCONT)
    stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(started, process.returncode, stdout, stderr)


def expected(originals: Path, model: Path) -> list[Row]:
    return list(pipeline.label([originals], Settings(model=str(model), faces=Faces.WHOLE)))


@pytest.mark.parametrize(("below", "rows"), [(".", 10), ("1", 10), ("1", 70)])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_goes_stops_the_run_and_the_same_command_continues_when_it_is_back(
    originals: Path, mounted: Callable[[str], Path], model: Path, tmp_path: Path, workers: int, below: str, rows: int
) -> None:
    place, out = mounted(below), tmp_path / "t.csv"
    run = command(tmp_path / "photos", out, model, workers)
    stopped = interrupted(run, out, lambda: unmount(place), rows)
    kept = len(Path(f"{out}.part").read_bytes().splitlines()) - 1
    mounted(below)
    finished = subprocess.run(run, capture_output=True, text=True, check=False)

    said = f"labeler: the folder {place} went away while its photos were read. What is done is kept: "
    said += "bring the folder back, then run the same command again to continue\n"
    assert (stopped.returncode, stopped.stderr) == (6, said)
    assert kept < COUNT
    assert (finished.returncode, finished.stderr) == (1, "")
    assert list(reader.read(out)) == expected(originals, model)


@pytest.mark.parametrize(("renamed", "rows"), [(".", 10), ("1", 70)])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_that_is_renamed_stops_the_run_too(
    originals: Path, model: Path, tmp_path: Path, workers: int, renamed: str, rows: int
) -> None:
    out, folder, away = tmp_path / "t.csv", originals / renamed, tmp_path / "away"
    run = command(originals, out, model, workers)
    stopped = interrupted(run, out, lambda: folder.rename(away), rows)
    away.rename(folder)
    finished = subprocess.run(run, capture_output=True, text=True, check=False)

    assert (stopped.returncode, f"the folder {folder} went away" in stopped.stderr) == (6, True), stopped.stderr
    assert finished.returncode == 1
    assert list(reader.read(out)) == expected(originals, model)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_that_was_exchanged_for_an_empty_one_stops_the_run(tmp_path: Path, model: Path, workers: int) -> None:
    photos, away, out = Folder(tmp_path / "photos"), tmp_path / "away", tmp_path / "t.csv"
    for index in range(COUNT):
        photos.noise(f"{index:03}.png", seed=index, side=300)

    def exchange() -> None:
        photos.path.rename(away)
        photos.path.mkdir()

    run = command(photos.path, out, model, workers)
    stopped = interrupted(run, out, exchange)

    assert (stopped.returncode, "went away" in stopped.stderr) == (6, True)


@pytest.mark.parametrize("workers", [1, 2])
def test_files_that_are_deleted_meanwhile_cost_their_rows_and_not_the_run(
    originals: Path, model: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "t.csv"

    def delete() -> None:
        for index in range(COUNT // 4, COUNT // 2):
            (originals / "0" / f"{index:03}.png").unlink()

    done = interrupted(command(originals, out, model, workers), out, delete)
    rows = list(reader.read(out))

    assert (done.returncode, len(rows)) == (1, COUNT)
    assert sum(row.reason == "No such file or directory" for row in rows) > COUNT // 8


def test_no_row_of_a_retry_is_lost_when_the_disk_goes_while_it_looks(
    originals: Path, mounted: Callable[[str], Path], model: Path, tmp_path: Path
) -> None:
    place, out = mounted("."), tmp_path / "t.csv"
    run = command(place, out, model, 1)
    subprocess.run(run, check=False)
    before = out.read_bytes()
    for index in range(0, COUNT, 10):
        Folder(originals).noise(f"{index * 2 // COUNT}/{index:03}.png", seed=index, side=300)
    shutil.copytree(originals, place, dirs_exist_ok=True)
    code = (
        "import os, sys\nfrom labeler.cli import app\nfrom labeler.tables import resume\nfrom subprocess import run\n"
    )
    code += "redo = resume.Agenda._is_to_redo\ndef look(self, name, rows):\n"
    code += f"    if rows[0].file == '0/030.png': run(['umount', '--lazy', {str(place)!r}])\n"
    code += "    return redo(self, name, rows)\nresume.Agenda._is_to_redo = look\napp.main()"
    stopped = subprocess.run(
        [sys.executable, "-c", code, *run[3:], "--retry-failed"], capture_output=True, text=True, check=False
    )

    assert (stopped.returncode, "went away" in stopped.stderr) == (6, True)
    assert out.read_bytes() == before
    mounted(".")
    assert subprocess.run([*run, "--retry-failed"], check=False).returncode == 0
    assert list(reader.read(out)) == expected(originals, model)


@pytest.fixture
def walked(folder: Folder) -> Folder:
    for name in ("a.jpg", "b/1.jpg", "b/c/2.jpg", "d/3.jpg", "e/4.jpg"):
        folder.file(name)
    return folder


@pytest.mark.parametrize("selection", [Selection(), Selection(sample=100)])
def test_an_input_that_goes_while_it_is_walked_is_not_the_end_of_its_pictures(
    walked: Folder, tmp_path: Path, selection: Selection
) -> None:
    names = iter(Source([walked.path], selection=selection))
    given = [next(names), next(names)]
    walked.path.rename(tmp_path / "away")

    with pytest.raises(InputGoneError, match="photos went away"):
        list(names)
    assert given == ["a.jpg", "b/1.jpg"]


def test_an_input_that_goes_before_its_turn_is_missed(walked: Folder, tmp_path: Path) -> None:
    names = iter(Source([walked.path / "b", walked.path / "d"]))
    next(names)
    (walked.path / "d").rename(tmp_path / "away")

    with pytest.raises(InputGoneError, match="d went away"):
        list(names)


def test_a_disk_that_goes_before_its_turn_is_missed(walked: Folder) -> None:
    mount(walked.path / "e")
    walked.file("e/9.jpg")
    names = iter(Source([walked.path / "b", walked.path / "e"]))
    next(names)
    unmount(walked.path / "e")

    with pytest.raises(InputGoneError, match="e went away"):
        list(names)


def test_a_disk_that_was_seen_is_missed_when_the_folders_are_walked_again(walked: Folder) -> None:
    mount(walked.path / "b" / "c")
    walked.file("b/c/2.jpg")
    source = Source([walked.path])
    before = list(source)
    unmount(walked.path / "b" / "c")

    with pytest.raises(InputGoneError, match="b/c went away"):
        list(source)
    assert len(before) == 5


def test_a_subfolder_that_is_deleted_before_it_is_listed_is_no_more_than_that(walked: Folder) -> None:
    source = Source([walked.path])
    names = iter(source)
    next(names)
    (walked.path / "d" / "3.jpg").unlink()
    (walked.path / "d").rmdir()

    assert list(names) == ["b/1.jpg", "b/c/2.jpg", "e/4.jpg"]
    assert source.unreadable == ["d: No such file or directory"]


def test_a_disk_below_a_folder_that_was_listed_is_missed_before_its_turn(walked: Folder) -> None:
    mount(walked.path / "e")
    walked.file("e/4.jpg")
    names = iter(Source([walked.path]))
    next(names)
    unmount(walked.path / "e")

    with pytest.raises(InputGoneError, match="e went away"):
        list(names)


def test_a_linked_folder_on_a_disk_that_goes_is_missed(walked: Folder, tmp_path: Path) -> None:
    mount(tmp_path / "disk")
    Folder(tmp_path / "disk").file("1.jpg")
    (walked.path / "link").symlink_to(tmp_path / "disk")
    source = Source([walked.path])
    names = list(source)
    unmount(tmp_path / "disk")

    source.store.confirm(["a.jpg", "e/4.jpg"])
    with pytest.raises(InputGoneError, match="link went away"):
        source.store.confirm([names[-1]])


def test_single_files_that_were_named_go_with_their_disk(tmp_path: Path) -> None:
    mount(tmp_path / "disk")
    path = Folder(tmp_path / "disk").file("1.jpg")
    source = Source([path])
    names = list(source)
    unmount(tmp_path / "disk")

    with pytest.raises(InputGoneError, match="disk went away"):
        source.store.confirm(names)


def test_rows_that_a_script_asks_for_end_with_an_error_too(originals: Path, model: Path, tmp_path: Path) -> None:
    rows = pipeline.label([originals], Settings(model=str(model)), batch_size=1)
    for _ in range(5):
        next(rows)
    originals.rename(tmp_path / "away")

    with pytest.raises(InputGoneError):
        list(rows)
