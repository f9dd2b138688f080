"""`labeler sort` on real files: nothing is lost, overwritten or changed, whenever it is killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import Folder
from disks import full_disk, snapshot
from kills import killed

from labeler.errors import LabelerError, OutputError
from labeler.records import Row
from labeler.sorting import journal
from labeler.sorting import sort as sorting
from labeler.sorting.sort import Mode, Outcome, Plan

NAMES = ("a/1.jpg", "b/1.jpg", "b/2.jpg")
MTIME_NS = 1_234_567_890_123_456_789


class Album:
    """Three photos in two folders, all happy, and the folder to sort them into."""

    def __init__(self, photos: Path, into: Path) -> None:
        self.photos, self.into = photos, into
        for number, name in enumerate(NAMES):
            path = Folder(photos).file(name, name.encode() * 3000)
            os.utime(path, ns=(MTIME_NS, MTIME_NS + number))

    def plan(self, mode: Mode = Mode.COPY) -> Plan:
        rows = [Row(name, face=0, label="happy") for name in NAMES]
        return sorting.plan(rows, str(self.photos), self.into, mode, flat=True)

    def sort(self, mode: Mode = Mode.COPY) -> list[Outcome]:
        with sorting.held(self.into, str(self.photos)):
            return [move.outcome for move in sorting.apply(self.plan(mode), self.into)]

    def undo(self) -> list[Outcome]:
        with sorting.undo(self.into) as moves:
            return [move.outcome for move in moves]

    def state(self) -> dict[str, object]:
        """Return everything that stands in the two folders, but for the journal."""
        return {**snapshot(self.photos), **snapshot(self.into)}


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return Album(tmp_path / "photos", tmp_path / "sorted")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than ``tmp_path``."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as path:
        yield Path(path)


# Sorting


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
def test_sorted_files_have_the_bytes_and_times_of_their_originals(album: Album, mode: Mode) -> None:
    before = list(snapshot(album.photos).values())
    album.sort(mode)

    assert sorted(snapshot(album.into).values(), key=str) == sorted(before, key=str)


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.SYMLINK, Mode.HARDLINK])
def test_originals_stay_as_they_were(album: Album, mode: Mode) -> None:
    before = snapshot(album.photos)
    album.sort(mode)

    assert snapshot(album.photos) == before


def test_moved_files_keep_bytes_and_times(album: Album) -> None:
    before = sorted(snapshot(album.photos).values(), key=str)
    album.sort(Mode.MOVE)

    assert sorted(album.state().values(), key=str) == before


def test_symbolic_links_are_absolute(album: Album) -> None:
    album.sort(Mode.SYMLINK)

    assert os.readlink(album.into / "happy" / "1.jpg") == str(album.photos / "a" / "1.jpg")


@pytest.mark.parametrize("mode", Mode)
def test_the_same_sort_twice_changes_nothing(album: Album, mode: Mode) -> None:
    assert album.sort(mode) == [Outcome.SORTED] * 3
    before = album.state()

    assert album.sort(mode) == [Outcome.THERE] * 3
    assert album.state() == before


@pytest.mark.parametrize("mode", Mode)
def test_a_file_that_appears_after_planning_is_not_overwritten(album: Album, mode: Mode) -> None:
    moves = album.plan(mode)
    other = Folder(album.into).file("happy/1.jpg", b"of the user's own")

    with pytest.raises(OutputError, match=r"happy/1\.jpg"):
        list(sorting.apply(moves, album.into))
    assert other.read_bytes() == b"of the user's own"


def test_a_file_that_vanishes_after_planning_is_reported(album: Album) -> None:
    moves = album.plan()
    (album.photos / NAMES[1]).unlink()

    outcomes = [move.outcome for move in sorting.apply(moves, album.into)]
    assert outcomes == [Outcome.SORTED, Outcome.MISSING, Outcome.SORTED]


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that cannot be read, even by root")
def test_a_file_that_cannot_be_read_is_reported(album: Album) -> None:
    moves = sorting.plan([Row("/proc/self/mem", label="happy"), Row(NAMES[0])], str(album.photos), album.into)

    assert [move.outcome for move in sorting.apply(moves, album.into)] == [Outcome.UNREADABLE, Outcome.SORTED]


def test_a_symbolic_link_among_the_photos_is_not_moved(album: Album) -> None:
    link = album.photos / "link.jpg"
    link.symlink_to("a/1.jpg")
    moves = sorting.plan([Row("link.jpg", label="happy")], str(album.photos), album.into, Mode.MOVE)

    assert [move.outcome for move in sorting.apply(moves, album.into)] == [Outcome.LINK]
    assert link.is_symlink()


def test_a_full_disk_stops_the_sort_and_names_the_file(album: Album) -> None:
    with full_disk(8_000), pytest.raises(OutputError, match=r"happy/1\.jpg.*run the same command again"):
        album.sort()
    assert snapshot(album.into) == {}


@pytest.mark.parametrize("free", [8_000, 300])
def test_a_sort_stopped_by_a_full_disk_continues(album: Album, free: int) -> None:
    with full_disk(free), pytest.raises(OutputError):
        album.sort()

    assert album.sort() == [Outcome.SORTED] * 3


@pytest.mark.parametrize("free", [8_000, 300])
def test_a_sort_stopped_by_a_full_disk_is_undone(album: Album, free: int) -> None:
    before = album.state()
    with full_disk(free), pytest.raises(OutputError):
        album.sort()
    album.undo()

    assert album.state() == before


def test_a_picture_is_moved_although_its_double_was_moved_by_an_earlier_sort(album: Album) -> None:
    Folder(album.photos).file(NAMES[1], (album.photos / NAMES[0]).read_bytes())
    next(sorting.apply(album.plan(Mode.MOVE), album.into))

    assert album.sort(Mode.MOVE) == [Outcome.THERE, Outcome.SORTED, Outcome.SORTED]


def test_a_file_in_the_way_of_a_folder_costs_only_what_belongs_in_it(album: Album) -> None:
    own = Folder(album.into).file("happy/a", b"of the user's own")
    rows = [Row(name, face=0, label="happy") for name in NAMES]
    moves = sorting.apply(sorting.plan(rows, str(album.photos), album.into), album.into)

    assert [move.outcome for move in moves] == [Outcome.BLOCKED, Outcome.SORTED, Outcome.SORTED]
    assert own.read_bytes() == b"of the user's own"


def test_a_place_that_is_too_long_for_the_system_costs_one_file(album: Album) -> None:
    deep = (("x" * 200 + "/") * 21)[: 4080 - len(str(album.photos))].rstrip("/")
    Folder(album.photos).file(f"{deep}/1.jpg")
    rows = [Row(f"{deep}/1.jpg", label="y" * 100), Row(NAMES[0], label="happy")]
    moves = sorting.apply(sorting.plan(rows, str(album.photos), album.into), album.into)

    assert [move.outcome for move in moves] == [Outcome.BLOCKED, Outcome.SORTED]


def test_a_double_is_moved_although_its_own_old_place_went_to_another(album: Album) -> None:
    for name in NAMES[:2]:
        Folder(album.photos).file(name, b"the same")
    next(sorting.apply(album.plan(Mode.MOVE), album.into))
    (album.into / "happy" / "1.jpg").rename(album.photos / NAMES[0])
    rows = [Row(name, label="happy") for name in NAMES[:2]]
    for chosen in (rows[1:], rows):
        list(sorting.apply(sorting.plan(chosen, str(album.photos), album.into, Mode.MOVE, flat=True), album.into))

    assert sorted(path.name for path in (album.into / "happy").iterdir()) == ["1-2.jpg", "1.jpg"]


# Across file systems


def test_a_move_across_file_systems_keeps_bytes_and_times(tmp_path: Path, elsewhere: Path) -> None:
    album = Album(tmp_path / "photos", elsewhere / "sorted")
    before = sorted(snapshot(album.photos).values(), key=str)
    album.sort(Mode.MOVE)

    assert sorted(album.state().values(), key=str) == before


def test_a_move_across_file_systems_is_undone(tmp_path: Path, elsewhere: Path) -> None:
    album = Album(tmp_path / "photos", elsewhere / "sorted")
    before = album.state()
    album.sort(Mode.MOVE)
    album.undo()

    assert album.state() == before


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file that cannot be read, even by root")
def test_an_unreadable_file_is_left_by_a_move_across_file_systems(album: Album) -> None:
    moves = sorting.plan([Row("proc/self/mem", label="happy")], "/", album.into, Mode.MOVE)

    assert [move.outcome for move in sorting.apply(moves, album.into)] == [Outcome.UNREADABLE]


def test_hard_links_across_file_systems_say_what_to_do(tmp_path: Path, elsewhere: Path) -> None:
    album = Album(tmp_path / "photos", elsewhere / "sorted")

    with pytest.raises(LabelerError, match="--mode copy"):
        album.sort(Mode.HARDLINK)
    assert album.sort(Mode.COPY) == [Outcome.SORTED] * 3


# Undoing


@pytest.mark.parametrize("mode", Mode)
def test_undo_restores_names_places_and_times(album: Album, mode: Mode) -> None:
    before = album.state()
    album.sort(mode)

    assert album.undo() == [Outcome.UNDONE] * 3
    assert album.state() == before
    assert not album.into.exists()


def test_undo_leaves_folders_that_were_there_before(album: Album) -> None:
    (album.into / "happy").mkdir(parents=True)
    album.sort()
    album.undo()

    assert [path.name for path in album.into.rglob("*")] == ["happy"]


def test_undo_keeps_a_copy_that_was_edited(album: Album) -> None:
    album.sort()
    edited = Folder(album.into).file("happy/1.jpg", b"edited")

    assert album.undo() == [Outcome.UNDONE, Outcome.UNDONE, Outcome.CHANGED]
    assert edited.read_bytes() == b"edited"


def test_undo_removes_the_copy_of_an_original_that_was_edited(album: Album) -> None:
    album.sort()
    Folder(album.photos).file(NAMES[0], b"edited")

    assert album.undo() == [Outcome.UNDONE] * 3


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.HARDLINK])
def test_undo_keeps_what_has_become_the_only_one(album: Album, mode: Mode) -> None:
    album.sort(mode)
    (album.photos / NAMES[0]).unlink()

    assert album.undo() == [Outcome.UNDONE, Outcome.UNDONE, Outcome.ONLY]
    assert (album.into / "happy" / "1.jpg").is_file()


@pytest.mark.parametrize("mode", [Mode.SYMLINK, Mode.HARDLINK])
def test_undo_keeps_a_file_that_took_the_place_of_a_link(album: Album, mode: Mode) -> None:
    album.sort(mode)
    (album.into / "happy" / "1.jpg").unlink()
    Folder(album.into).file("happy/1.jpg", b"of the user's own")

    assert album.undo() == [Outcome.UNDONE, Outcome.UNDONE, Outcome.CHANGED]


def test_undo_does_not_overwrite_a_file_at_the_old_place(album: Album) -> None:
    album.sort(Mode.MOVE)
    new = Folder(album.photos).file(NAMES[0], b"new")

    assert album.undo() == [Outcome.UNDONE, Outcome.UNDONE, Outcome.OCCUPIED]
    assert new.read_bytes() == b"new"


def test_undo_can_be_repeated_when_the_old_place_is_free(album: Album) -> None:
    before = album.state()
    album.sort(Mode.MOVE)
    new = Folder(album.photos).file(NAMES[0], b"new")
    album.undo()
    new.unlink()

    assert album.undo() == [Outcome.UNDONE]
    assert album.state() == before


def test_undo_brings_back_a_moved_file_that_was_edited(album: Album) -> None:
    album.sort(Mode.MOVE)
    Folder(album.into).file("happy/1.jpg", b"edited")
    album.undo()

    assert (album.photos / NAMES[0]).read_bytes() == b"edited"


def test_undo_makes_the_old_folder_again(album: Album) -> None:
    before = album.state()
    album.sort(Mode.MOVE)
    (album.photos / "a").rmdir()
    album.undo()

    assert album.state() == before


def test_undo_reports_a_moved_file_that_is_nowhere(album: Album) -> None:
    album.sort(Mode.MOVE)
    (album.into / "happy" / "1.jpg").unlink()

    assert album.undo() == [Outcome.UNDONE, Outcome.UNDONE, Outcome.MISSING]


def test_undo_does_not_take_the_original_for_its_copy(album: Album) -> None:
    album.sort()
    for name in ("1.jpg", "1-2.jpg", "2.jpg"):
        (album.into / "happy" / name).unlink()
    (album.into / "happy").rmdir()
    (album.into / "happy").symlink_to(album.photos / "a")
    before = snapshot(album.photos)
    album.undo()

    assert snapshot(album.photos) == before


def test_undo_leaves_what_lies_behind_a_link_out_of_the_sorted_folder(album: Album) -> None:
    album.sort()
    elsewhere = (album.into / "happy").rename(album.into.with_name("elsewhere"))
    (album.into / "happy").symlink_to(elsewhere)

    assert album.undo() == [Outcome.CHANGED] * 3
    assert len(os.listdir(elsewhere)) == 3


def test_undo_goes_on_after_a_file_in_place_of_an_old_folder(album: Album) -> None:
    album.sort(Mode.MOVE)
    (album.photos / "a").rmdir()
    (album.photos / "a").write_text("of the user's own")

    assert album.undo() == [Outcome.UNDONE, Outcome.UNDONE, Outcome.OCCUPIED]


def test_undo_forgets_what_it_has_put_back(album: Album) -> None:
    album.sort(Mode.MOVE)
    new = Folder(album.photos).file(NAMES[0], b"new")
    album.undo()
    new.unlink()
    (album.photos / NAMES[1]).rename(album.photos / "renamed since.jpg")

    assert album.undo() == [Outcome.UNDONE]
    assert not album.into.exists()


def test_undo_puts_no_file_at_the_old_place_of_another(album: Album) -> None:
    rows = [Row(name, label="happy") for name in NAMES[:2]]
    for row in rows:
        list(sorting.apply(sorting.plan([row], str(album.photos), album.into, Mode.MOVE, flat=True), album.into))
        if row is rows[0]:
            (album.into / "happy" / "1.jpg").unlink()
    Folder(album.photos).file(NAMES[1], b"new")

    assert album.undo() == [Outcome.OCCUPIED]
    assert not (album.photos / NAMES[0]).exists()


@pytest.mark.parametrize("mode", [Mode.COPY, Mode.MOVE])
def test_undo_by_a_journal_that_leads_outside_touches_nothing(album: Album, mode: Mode) -> None:
    own = Folder(album.photos.parent).file("own/1.jpg", (album.photos / NAMES[0]).read_bytes())
    album.sort()
    source = str(album.photos / (NAMES[0] if mode is Mode.COPY else "free.jpg"))
    digest = hashlib.sha256(own.read_bytes()).hexdigest()
    journal.append(str(album.into / journal.NAME), [journal.Entry("../own/1.jpg", source, mode, digest)])
    before = {**album.state(), **snapshot(own.parent)}

    with pytest.raises(LabelerError, match="damaged"):
        album.undo()
    assert {**album.state(), **snapshot(own.parent)} == before


def test_undo_without_a_sort_says_so(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="no sort to undo"), sorting.undo(tmp_path):
        pass


def test_undo_with_a_journal_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).mkdir()

    with pytest.raises(LabelerError, match="not the journal of a sort"), sorting.undo(tmp_path):
        pass


def test_undo_works_after_the_sorted_folder_was_renamed(album: Album) -> None:
    before = album.state()
    album.sort(Mode.MOVE)
    album.into = album.into.rename(album.into.with_name("renamed"))
    album.undo()

    assert album.state() == before


# Killed


@pytest.fixture(params=["one file system", "two file systems"])
def albums(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Album]:
    """Make fresh albums, to be sorted within one file system or across two."""
    sorted_to = tmp_path if request.param == "one file system" else request.getfixturevalue("elsewhere")
    numbers = iter(range(1000))

    def album() -> Album:
        number = next(numbers)
        (tmp_path / str(number)).mkdir()
        return Album(tmp_path / str(number) / "photos", sorted_to / f"sorted{number}")

    return album


MODES = [Mode.COPY, Mode.MOVE, Mode.SYMLINK]


@pytest.mark.parametrize("mode", MODES)
def test_a_sort_killed_at_any_step_is_completed_and_then_undone(albums: Callable[[], Album], mode: Mode) -> None:
    whole = albums()
    whole.sort(mode)
    for step in range(1000):
        album = albums()
        before = album.state()
        if not killed(step, partial(album.sort, mode)):
            break
        album.sort(mode)
        assert names(album) == names(whole), f"killed before step {step}"
        album.undo()
        assert album.state() == before, f"killed before step {step}"
    assert step > 10


@pytest.mark.parametrize("mode", MODES)
def test_a_sort_killed_at_any_step_can_be_undone_at_once(albums: Callable[[], Album], mode: Mode) -> None:
    for step in range(1000):
        album = albums()
        before = album.state()
        if not killed(step, partial(album.sort, mode)):
            break
        if (album.into / journal.NAME).exists():
            album.undo()
        assert album.state() == before, f"killed before step {step}"
    assert step > 10


@pytest.mark.parametrize("mode", MODES)
def test_an_undo_killed_at_any_step_is_completed(albums: Callable[[], Album], mode: Mode) -> None:
    for step in range(1000):
        album = albums()
        before = album.state()
        album.sort(mode)
        if not killed(step, album.undo):
            break
        if (album.into / journal.NAME).exists():
            album.undo()
        assert album.state() == before, f"killed before step {step}"
    assert step > 5


def names(album: Album) -> set[str]:
    """Return the names of all files, hidden ones too, relative to the two folders."""
    parts = ((album.photos, "photos"), (album.into, "sorted"))
    return {f"{name}/{path.relative_to(folder)}" for folder, name in parts for path in folder.rglob("*")}


SORT_AND_TELL = """
import sys
from pathlib import Path
from labeler.sorting import sort as sorting
from labeler.records import Row

photos, into = sys.argv[1:]
rows = [Row(f"{n}.jpg", face=0, label=f"label{n % 7}") for n in range(300)]
with sorting.held(Path(into), photos):
    for move in sorting.apply(sorting.plan(rows, photos, Path(into), sorting.Mode.MOVE), Path(into)):
        print(move.outcome, flush=True)
"""


def test_no_photo_is_lost_by_a_process_killed_amid_a_move(folder: Folder) -> None:
    for number in range(300):
        folder.file(f"{number}.jpg", b"%d" % number)
    before = snapshot(folder.path)
    into = folder.path.parent / "sorted"
    command = [sys.executable, "-c", SORT_AND_TELL, str(folder.path), str(into)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(100):
            process.stdout.readline()
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert 0 < len(snapshot(folder.path)) < 300

    finished = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert (len(finished), set(finished)) == (300, {Outcome.SORTED, Outcome.THERE})
    assert snapshot(folder.path) == {}
    with sorting.undo(into) as moves:
        assert {move.outcome for move in moves} == {Outcome.UNDONE}
    assert snapshot(folder.path) == before
