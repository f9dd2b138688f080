"""One sort or undo at a time in a sorted folder: real processes that are halted, killed and gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, Folder
from disks import snapshot
from typer.testing import Result

from labeler.errors import LabelerError
from labeler.records import SCHEMA_VERSION, Row
from labeler.sorting import holding, journal
from labeler.sorting.sort import Mode, Outcome, apply, held, plan, undo
from labeler.tables import run_record
from labeler.tables.comma_separated import Csv
from labeler.tables.run_record import RunRecord

COUNT = 2000
BUSY = "another sort or undo is running in"


pytestmark = pytest.mark.heavy


def album(path: Path, count: int = COUNT) -> Path:
    """Make photos, and return their table."""
    photos = Folder(path / "photos")
    rows = [Row(f"{index}.jpg", 0, label=CLASS_NAMES[index % 3], probabilities=(1, 0, 0)) for index in range(count)]
    for row in rows:
        photos.file(row.file, f"{path.name} {row.file}".encode())
    table = path / "t.csv"
    table.write_bytes(Csv().header(CLASS_NAMES) + Csv().encode(rows, CLASS_NAMES))
    root = str(photos.path)
    run_record.write(
        table,
        RunRecord(
            version="0",
            schema_version=SCHEMA_VERSION,
            model="m",
            model_sha256="",
            class_names=CLASS_NAMES,
            root=root,
            inputs=(root,),
            settings={},
            finished=True,
        ),
        "",
    )
    return table


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "labeler", "sort", *map(str, arguments)]


@contextmanager
def amid(into: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start a command, and halt it when some files have come to, or gone from, the sorted folder."""
    before = photos_in(into)
    process = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        while photos_in(into) == before:
            assert process.poll() is None, process.communicate()
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        assert process.poll() is None, "it ended before it was halted"
        yield process
    finally:
        process.kill()
        process.communicate()


def photos_in(into: Path) -> int:
    return sum(name.endswith(".jpg") for _, _, names in os.walk(into) for name in names)  # Folders may go meanwhile.


def go_on(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGCONT)
    process.communicate()
    return process.returncode


def refused(*arguments: object) -> bool:
    """Say whether a command is refused with one line and exit code 2, since another one is at work."""
    answer = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)
    return (answer.returncode, answer.stdout, answer.stderr.count("\n"), BUSY in answer.stderr) == (2, "", 1, True)


def undone(into: Path) -> list[Outcome]:
    with undo(into) as moves:
        return [move.outcome for move in moves]


def test_an_undo_beside_a_running_sort_is_refused_and_every_photo_stays_in_the_journal(tmp_path: Path) -> None:
    table, into = album(tmp_path), tmp_path / "sorted"
    before = snapshot(tmp_path / "photos")
    with amid(into, table, "--into", into, "--mode", "move") as running:
        assert refused("--undo", into)
        assert go_on(running) == 0

    assert not (into / holding.NAME).exists()
    assert undone(into) == [Outcome.UNDONE] * COUNT
    assert (snapshot(tmp_path / "photos"), into.exists()) == (before, False)


def test_a_sort_from_another_folder_beside_a_running_one_is_refused(tmp_path: Path) -> None:
    first, second, into = album(tmp_path / "one"), album(tmp_path / "two"), tmp_path / "sorted"
    before = snapshot(tmp_path)
    with amid(into, first, "--into", into, "--mode", "move") as running:
        assert refused(second, "--into", into, "--mode", "move")
        assert go_on(running) == 0
    subprocess.run(command(second, "--into", into, "--mode", "move"), check=True, capture_output=True)

    assert len([entry for entry in journal.read(str(into / journal.NAME)) if entry.mode]) == 2 * COUNT
    assert undone(into) == [Outcome.UNDONE] * COUNT * 2
    assert snapshot(tmp_path) == before


def test_a_sort_beside_a_running_undo_is_refused(tmp_path: Path) -> None:
    table, into = album(tmp_path), tmp_path / "sorted"
    before = snapshot(tmp_path / "photos")
    subprocess.run(command(table, "--into", into, "--mode", "move"), check=True, capture_output=True)
    with amid(into, "--undo", into) as running:
        assert refused(table, "--into", into, "--mode", "move")
        assert refused("--undo", into)
        assert go_on(running) == 0

    assert (snapshot(tmp_path / "photos"), into.exists()) == (before, False)


def test_a_sort_that_goes_on_with_a_killed_one_keeps_an_undo_out(tmp_path: Path) -> None:
    table, into = album(tmp_path), tmp_path / "sorted"
    before = snapshot(tmp_path / "photos")
    arguments = (table, "--into", into, "--mode", "move")
    with amid(into, *arguments) as killed:
        killed.kill()
    with amid(into, *arguments) as running:
        assert refused("--undo", into)
        assert refused(*arguments)
        assert go_on(running) == 0

    assert undone(into) == [Outcome.UNDONE] * COUNT
    assert (snapshot(tmp_path / "photos"), into.exists()) == (before, False)


def test_a_killed_sort_keeps_no_undo_out(tmp_path: Path) -> None:
    table, into = album(tmp_path), tmp_path / "sorted"
    before = snapshot(tmp_path / "photos")
    with amid(into, table, "--into", into, "--mode", "move") as killed:
        killed.kill()
        killed.communicate()
    assert (into / holding.NAME).exists()
    subprocess.run(command("--undo", into), check=True, capture_output=True)

    assert (snapshot(tmp_path / "photos"), into.exists()) == (before, False)


def test_a_folder_that_is_being_classified_into_is_held(
    tmp_path: Path, model: Path, run: Callable[..., Result]
) -> None:
    photos, into = Folder(tmp_path / "photos"), tmp_path / "sorted"
    for index in range(200):
        photos.picture(f"{index}.png")
    arguments = (photos.path, "--into", into, "--model", model, "--workers", "1")
    process = subprocess.Popen(command(*arguments), stderr=subprocess.DEVNULL)
    try:
        while not (into / "labels.csv.part").exists():
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGSTOP)
        assert refused(*arguments)
    finally:
        process.send_signal(signal.SIGCONT)
        assert process.wait() == 0
    run("sort", "--undo", into)

    assert sorted(os.listdir(into)) == ["labels.csv", "labels.csv.run.json"]


def test_a_dry_run_beside_a_running_sort_prints_its_plan(tmp_path: Path, run: Callable[..., Result]) -> None:
    table, into = album(tmp_path, 3), tmp_path / "sorted"
    with held(into, str(tmp_path / "photos")):
        before = os.listdir(into)
        result = run("sort", table, "--into", into, "--dry-run")
        assert (result.exit_code, result.stdout.count("\n"), os.listdir(into)) == (0, 3, before)


def test_a_folder_into_which_nothing_was_sorted_goes_again(tmp_path: Path) -> None:
    table, into = album(tmp_path, 1), tmp_path / "sorted"
    (tmp_path / "photos" / "0.jpg").unlink()

    assert subprocess.run(command(table, "--into", into), capture_output=True).returncode == 1
    assert sorted(os.listdir(tmp_path)) == ["photos", "t.csv", "t.csv.run.json"]


def test_a_folder_that_was_there_stays_when_nothing_was_sorted(tmp_path: Path) -> None:
    table, into = album(tmp_path, 1), tmp_path / "sorted"
    (tmp_path / "photos" / "0.jpg").unlink()
    into.mkdir()
    subprocess.run(command(table, "--into", into), capture_output=True)

    assert os.listdir(into) == []


def test_a_sort_killed_while_it_plans_is_taken_back(tmp_path: Path) -> None:
    into = tmp_path / "sorted"
    (tmp_path / "photos").mkdir()
    pid = os.fork()
    if not pid:
        with held(into, str(tmp_path / "photos")):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert sorted(os.listdir(into)) == [journal.NAME, holding.NAME]

    assert undone(into) == []
    assert os.listdir(tmp_path) == ["photos"]


def test_a_refused_plan_leaves_the_sorted_folder_as_it_was(tmp_path: Path) -> None:
    table, into = album(tmp_path, 2), tmp_path / "sorted"
    subprocess.run(command(table, "--into", into), check=True, capture_output=True)
    before = (into / journal.NAME).read_bytes(), snapshot(into)

    assert subprocess.run(command(table, "--into", into, "--mode", "symlink"), capture_output=True).returncode == 2
    assert ((into / journal.NAME).read_bytes(), snapshot(into)) == before


def test_an_undo_of_a_folder_without_a_sort_writes_nothing(tmp_path: Path) -> None:
    when = tmp_path.stat().st_mtime_ns
    with pytest.raises(LabelerError, match="no sort to undo"), undo(tmp_path):
        pass

    assert tmp_path.stat().st_mtime_ns == when


def test_sorts_and_undos_that_make_and_remove_the_folder_in_turn_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A folder that an undo removes between its making and its locking is made again.

    Where two begin at once, the one that made the folder may be refused; the other then takes it for the user's.
    """
    into, photos = tmp_path / "sorted", Folder(tmp_path / "photos")
    photos.file("1.jpg")
    pids = []
    for _ in range(4):
        pid = os.fork()
        if not pid:
            try:
                sort_and_undo(photos.path, into, 30)
            except BaseException:  # noqa: BLE001 - the child must not run on as a second pytest
                os._exit(1)
            os._exit(0)
        pids.append(pid)

    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 4
    assert [path.name for path in tmp_path.rglob("*") if path != into] == ["photos", "1.jpg"]


def sort_and_undo(photos: Path, into: Path, times: int) -> None:
    """Sort and take it back so many times, with others who do the same."""
    rows = [Row("1.jpg", label="happy")]
    for _ in range(times):
        while True:
            try:
                with held(into, str(photos)):
                    list(apply(plan(rows, str(photos), into, Mode.MOVE), into))
                with undo(into) as moves:
                    list(moves)
                break
            except LabelerError as exc:
                if type(exc) is not LabelerError:  # A refusal; its heirs say that something went wrong.
                    raise
                time.sleep(0.0005)
