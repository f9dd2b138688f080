"""Whatever the names, whatever the user does in between, and whenever it is killed: `labeler sort` loses nothing.

Hypothesis invents a tree of files and a sequence of sorts, kills, undos and deeds of the user. Each file of the user's
gets a modification time of its own, and every way of placing a file keeps it: so it tells which file is which.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from kills import killed
from typer.testing import Result

from labeler.errors import LabelerError, OutputError
from labeler.records import Row
from labeler.sorting import holding, journal
from labeler.sorting import sort as sorting
from labeler.sorting.sort import Mode, Move, Outcome
from labeler.storage import transfer
from labeler.tables.cells import cells
from labeler.tables.comma_separated import Csv

NAMES = (
    *("1.jpg", "a/1.jpg", "b/1.jpg", "a/b/1.jpg", "1-2.jpg", "a/1-2.jpg", "1-3.jpg", "1-2.jpg.d/1-2.jpg"),
    *("A/1.JPG", "B/1.jpg", "a/\u00e9.jpg", "b/e\u0301.jpg", "b/\u00c9.JPG", "b/stra\u00dfe.jpg", "a/STRASSE.jpg"),
    *(f"a/{'x' * 251}.jpg", f"b/{'x' * 251}.jpg", f"{'x' * 249}-2.jpg", f"a/y.{'z' * 253}", f"b/y.{'z' * 253}"),
    *("a/\udcff\udcfe.jpg", "b/\udcff\udcfe.jpg", "-rf .jpg", '=1,"\n.jpg', "back\\slash.jpg", "a/no suffix"),
    *(".hidden.jpg", os.path.basename(transfer.unfinished("another.jpg")), "a/.labeler-sort.jsonl"),
)
LABELS = (
    *("happy", "Happy", "sad", "../../etc", "/etc", "..", ".", "", "con", "a/b", "a\0b", "x" * 300, "\u00e9"),
    *("e\u0301", "\udcff", "failed", "uncertain", ".labeler-sort.jsonl", "1.jpg"),
)
CONTENTS = (b"", b"same", b"same", b"other", b"x" * 5000)
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
"""Where nothing has to be waited for until it is on the disk."""

Found = dict[str, tuple[int, bytes, int]]
"""Files: the time that tells which one it is, bytes, permissions."""


@dataclass
class Life:
    """A file of the user's, wherever it stands."""

    content: bytes
    permissions: int
    names: int = 1
    """How many names the user has ever given it: links, too."""
    needed: bool = True
    """False once the user himself has removed or replaced it."""


def files(folder: Path) -> Found:
    """Return what stands below a folder, but for the journal and what a kill has left half done."""
    found: Found = {}
    for path in folder.rglob("*"):
        ours = path.parent.name == "sorted" and path.name in (journal.NAME, f"{journal.NAME}.part", holding.NAME)
        if path.is_file() and not path.is_symlink() and not ours:
            status = path.stat()
            found[str(path.relative_to(folder))] = (status.st_mtime_ns, path.read_bytes(), status.st_mode & 0o777)
    return found


def finished(found: Found) -> Found:
    """Return the files without what a kill has left half done: the next sort or undo removes that."""
    return {path: file for path, file in found.items() if not _half_done(path)}


def links(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): os.readlink(path) for path in folder.rglob("*") if path.is_symlink()}


def folders(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()}


class Sorting(RuleBasedStateMachine):
    """A user, his photos, and what he does with `labeler sort`."""

    photos_on: str | None = MEMORY
    sorted_on: str | None = MEMORY

    @initialize(
        names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=8, unique=True),
        labels=st.lists(st.sampled_from(LABELS), min_size=8, max_size=8),
        contents=st.lists(st.sampled_from(CONTENTS), min_size=8, max_size=8),
    )
    def begin(self, names: list[str], labels: list[str], contents: list[bytes]) -> None:
        self.bases = [Path(tempfile.mkdtemp(dir=place)) for place in (self.photos_on, self.sorted_on)]
        self.photos, self.into = self.bases[0] / "photos", self.bases[1] / "sorted"
        self.photos.mkdir()
        self.lives: dict[int, Life] = {}
        self.orphans: dict[str, list[Life]] = {}
        self.labels: dict[str, str] = {}
        self.before: tuple[object, ...] | None = None
        self.last = (Mode.MOVE, False)
        for base in self.bases:
            (base / "other").write_text("none of a sort's business")
        for name, label, content in zip(names, labels, contents, strict=False):
            self.add(name, label, content)

    def teardown(self) -> None:
        for base in getattr(self, "bases", []):
            shutil.rmtree(base)

    # What the user does

    @rule(name=st.sampled_from(NAMES), label=st.sampled_from(LABELS), content=st.sampled_from(CONTENTS))
    def add(self, name: str, label: str, content: bytes) -> None:
        path = self.photos / name
        if os.path.lexists(path):
            return
        if name in self.labels:  # Bytes that stood here before would be taken for the rest of a killed move.
            content = b"%d" % len(self.lives)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.labels[name] = label
        self._write(path, content, 0o640 if len(name) % 2 else 0o604)
        for life in self.orphans.pop(name, []):
            life.needed = False

    @rule(index=st.integers(0, 99))
    def add_where_one_has_gone(self, index: int) -> None:
        if gone := [name for name in self.labels if not os.path.lexists(self.photos / name)]:
            name = gone[index % len(gone)]
            self.add(name, self.labels[name], b"")

    @rule(index=st.integers(0, 99), name=st.sampled_from(NAMES), hard=st.booleans())
    def link(self, index: int, name: str, hard: bool) -> None:
        source = self._one(self.photos, index)
        if source is None or os.path.lexists(self.photos / name) or name in self.labels:
            return
        (self.photos / name).parent.mkdir(parents=True, exist_ok=True)
        (os.link if hard else os.symlink)(source, self.photos / name)
        self.labels[name] = "happy"
        self.lives[source.stat().st_mtime_ns].names += 1
        self._meddled()

    @rule(index=st.integers(0, 99), sorted_too=st.booleans())
    def edit(self, index: int, sorted_too: bool) -> None:
        folder = self.into if sorted_too else self.photos
        if path := self._one(folder, index):
            life = self.lives[path.stat().st_mtime_ns]
            permissions = life.permissions
            self._gone(path, life, replaced=True)
            self._write(path, b"edited %d" % len(self.lives), permissions)

    @rule(index=st.integers(0, 99), sorted_too=st.booleans())
    def remove(self, index: int, sorted_too: bool) -> None:
        if path := self._one(self.into if sorted_too else self.photos, index):
            self._gone(path, self.lives[path.stat().st_mtime_ns], replaced=False)

    @rule(label=st.sampled_from(("happy", "sad", "_")), name=st.sampled_from(NAMES))
    def add_to_sorted(self, label: str, name: str) -> None:
        path = self.into / label / name
        if self.into.is_dir() and not os.path.lexists(path):
            with suppress(FileExistsError, NotADirectoryError):  # A file that he has put in his own way.
                path.parent.mkdir(parents=True, exist_ok=True)
                self._write(path, b"own %d" % len(self.lives), 0o600)

    @rule(label=st.sampled_from(("happy", "sad")))
    def put_a_file_in_the_way(self, label: str) -> None:
        if self.into.is_dir() and not os.path.lexists(self.into / label):
            self._write(self.into / label, b"own %d" % len(self.lives), 0o600)

    @rule(name=st.sampled_from(NAMES), label=st.sampled_from(LABELS))
    def relabel(self, name: str, label: str) -> None:
        if name in self.labels:
            self.labels[name] = label

    # What labeler does

    @rule(mode=st.sampled_from(Mode), flat=st.booleans())
    def sort(self, mode: Mode, flat: bool) -> None:
        self.last = (mode, flat)
        photos = self._remember()
        for _ in range(5):  # A file in the way is told of by an error that says to run the same command again.
            try:
                moves = self._sort(mode, flat)
                break
            except OutputError:
                self._check(photos, mode)
            except LabelerError:  # It was sorted in another way before, and nothing was begun.
                self._check(photos, Mode.COPY)
                return
        else:
            pytest.fail("running the same command again did not help")
        self._check(photos, mode)
        for move in moves:
            name = os.path.relpath(move.source, self.photos)
            if move.outcome in (Outcome.SORTED, Outcome.THERE) and name in photos:
                assert (self.into / move.target).read_bytes() == photos[name][1]
        assert Outcome.SORTED not in {move.outcome for move in self._sort(mode, flat)}

    @rule()
    def sort_again(self) -> None:
        self.sort(*self.last)

    @rule(mode=st.sampled_from(Mode), flat=st.booleans(), step=st.integers(0, 40))
    def sort_killed(self, mode: Mode, flat: bool, step: int) -> None:
        photos = self._remember()
        killed(step, lambda: self._attempt(lambda: self._sort(mode, flat)))
        self._check(photos, mode, ended=False)

    @precondition(lambda self: (self.into / journal.NAME).exists())
    @rule()
    def undo(self) -> None:
        photos = finished(files(self.photos))
        moves = self._undo()
        self._check(photos, None)
        if self.before is not None:
            assert {move.outcome for move in moves} <= {Outcome.UNDONE}
            assert self._state() == self.before
        assert (self.into / journal.NAME).exists() == any(move.outcome.notable for move in moves)

    @precondition(lambda self: (self.into / journal.NAME).exists())
    @rule(step=st.integers(0, 30))
    def undo_killed(self, step: int) -> None:
        photos = finished(files(self.photos))
        killed(step, lambda: self._attempt(self._undo))
        self._check(photos, None, ended=False)

    # What must be true

    def _check(self, photos_before: Found, mode: Mode | None, *, ended: bool = True) -> None:
        """Check everything after a sort in this mode, or after an undo."""
        photos, placed = files(self.photos), files(self.into)
        half_done = {} if ended else {path: file for path, file in placed.items() if _half_done(path)}
        whole = {path: file for path, file in placed.items() if path not in half_done}
        everywhere = [*photos.values(), *whole.values()]
        for stamp, life in self.lives.items():
            if life.needed:
                assert (stamp, life.content, life.permissions) in everywhere, "lost or changed"
        for stamp, content, permissions in everywhere:
            if stamp in self.lives:
                life = self.lives[stamp]
                assert (content, permissions) == (life.content, life.permissions), "changed"
        known = {path for path, file in {**photos, **whole}.items() if file[0] in self.lives}
        assert {path for path in {*photos, *whole} - known if not _half_done(path)} == set(), "invented"
        for tree in (photos, whole):
            for stamp, number in Counter(file[0] for path, file in tree.items() if not _half_done(path)).items():
                assert number <= self.lives[stamp].names + len(links(self.photos)), "duplicated"
        self._check_photos(photos_before, photos, mode)
        for base in self.bases:
            assert set(os.listdir(base)) <= {"photos", "sorted", "other"}
            assert (base / "other").read_text() == "none of a sort's business"

    def _check_photos(self, before: Found, after: Found, mode: Mode | None) -> None:
        if mode is None:
            assert before.items() <= after.items()
        elif mode is Mode.MOVE:
            assert after.items() <= before.items()
        else:
            assert after == before

    # How

    def _sort(self, mode: Mode, flat: bool) -> list[Move]:
        rows = [Row(name, face=0, label=label) for name, label in self.labels.items()]
        with sorting.held(self.into, str(self.photos)):
            moves = sorting.plan(rows, str(self.photos), self.into, mode, flat=flat)
            return list(sorting.apply(moves, self.into))

    def _undo(self) -> list[Move]:
        with sorting.undo(self.into) as moves:
            return list(moves)

    def _attempt(self, deed: Callable[[], object]) -> None:
        with suppress(LabelerError):
            deed()

    def _remember(self) -> Found:
        if not (self.into / journal.NAME).exists():
            self.before = self._state()
        return files(self.photos)

    def _state(self) -> tuple[object, ...]:
        trees = (self.photos, self.into)
        return tuple(look(tree) for tree in trees for look in (files, links, folders))

    def _meddled(self) -> None:
        self.before = None

    def _one(self, folder: Path, index: int) -> Path | None:
        found = sorted(path for path, file in files(folder).items() if file[0] in self.lives and not _half_done(path))
        return folder / found[index % len(found)] if found else None

    def _gone(self, path: Path, life: Life, *, replaced: bool) -> None:
        """Remove a file as the user; what has become of its only copy is then his, until he replaces it."""
        stamp = path.stat().st_mtime_ns
        path.unlink()
        photos, placed = (finished(files(tree)) for tree in (self.photos, self.into))
        elsewhere = any(file[0] == stamp for file in (*photos.values(), *placed.values()))
        if not elsewhere or (replaced and not any(file[0] == stamp for file in photos.values())):
            life.needed = False
        elif path.is_relative_to(self.photos):
            self.orphans.setdefault(str(path.relative_to(self.photos)), []).append(life)
        self._meddled()

    def _write(self, path: Path, content: bytes, permissions: int) -> None:
        path.write_bytes(content)
        path.chmod(permissions)
        stamp = 10**18 + len(self.lives) * 1_000_000_007
        os.utime(path, ns=(stamp, stamp))
        self.lives[stamp] = Life(content, permissions)
        self._meddled()


def _half_done(path: str) -> bool:
    return bool(transfer.UNFINISHED.fullmatch(os.path.basename(path))) and not path.endswith(NAMES[-2])


HOSTILE = (
    *("../secret", "a/../../secret", "{base}/secret", "1.jpg", "./1.jpg", "1.jpg", 'q,"\n.jpg', "=1+1", ".", "..", " "),
    *("\udcff/1.jpg", "x" * 5000, "../photos", "/dev/null", "/proc/self/mem"),
)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_hostile_table_moves_only_what_is_in_the_folder(
    run: Callable[..., Result], tmp_path: Path, suffix: str
) -> None:
    for name in ("secret", "photos/1.jpg", 'photos/q,"\n.jpg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    before = files(tmp_path)
    table = tmp_path / f"table{suffix}"
    table.write_bytes(hostile_table(tmp_path, suffix))
    result = run("sort", table, "--root", tmp_path / "photos", "--into", tmp_path / "sorted", "--mode", "move")
    table.unlink()
    moved = files(tmp_path)

    folder = "sorted/_.._etc-74ccf3c5"  # Its hash tells the label from others that come to the same name.
    assert (result.exit_code, set(moved)) == (1, {"secret", f"{folder}/1.jpg", f'{folder}/q,"\n.jpg'})
    assert sorted(moved.values()) == sorted(before.values())


def hostile_table(base: Path, suffix: str) -> bytes:
    names = [name.format(base=base) for name in HOSTILE]
    classes = ("a", "b")  # A class named like a path is refused with the whole table; a label is only text.
    rows = [Row(name, face=0, label="../../etc", probabilities=(1, 0)) for name in names]
    if suffix == ".csv":
        return Csv().header(classes) + Csv().encode(rows, classes)
    return "".join(json.dumps(cells(row, classes)) + "\n" for row in rows).encode()


class SortingToAnotherFileSystem(Sorting):
    """The same with the sorted folder on another file system."""

    photos_on: str | None = None


def two_file_systems() -> bool:
    return bool(MEMORY) and os.stat(tempfile.gettempdir()).st_dev != os.stat("/dev/shm").st_dev


def lived_through(machine: type[Sorting], examples: int) -> None:
    profile = settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=profile)


@pytest.mark.parametrize("examples", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_no_file_is_lost_whatever_happens(examples: int) -> None:
    lived_through(Sorting, examples)


@pytest.mark.slow
@pytest.mark.skipif(not two_file_systems(), reason="needs a second file system at /dev/shm")
def test_no_file_is_lost_between_file_systems_whatever_happens() -> None:
    lived_through(SortingToAnotherFileSystem, 500)
