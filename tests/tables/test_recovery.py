"""However a run ends - killed at any step, torn, without room on the disk, against another - its table is complete.

Processes are forked from this one, which has loaded everything: so hundreds can be killed in seconds. They run one
worker; that the same holds for the command line with several, `test_pipeline` says.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest
from conftest import Folder, small_tmpfs
from kills import forked, killed_before

from labeler import pipeline
from labeler.errors import LabelerError, OutputError
from labeler.records import SCHEMA_VERSION, Face, Redo, Row, Settings, Status, Tally
from labeler.tables import reader, run_record, writer
from labeler.tables.resume import Agenda
from labeler.tables.run_record import RunRecord

NAMES = ("angry", "happy")
SUFFIXES = [".csv", ".jsonl", ".parquet"]
FIRST = ["a", "b/a", "b/x,y", 'b/"q"\n', "c"]
ADDED = ["a/new", "z"]
FAILING = {"b/a", "c"}


def made(file: str, *, mended: bool) -> list[Row]:
    """Label a file: each has one to three faces, but those that fail."""
    if file in FAILING and not mended:
        return [Row(file).without_label(Status.UNREADABLE, 'a "reason",\nof two lines')]
    share = len(file) / 16
    faces = 1 + len(file) % 3
    return [Row(file).located(i, Face(i, 0, 9, 9)).labelled((share, 1 - share), NAMES, 0.0) for i in range(faces)]


def run(
    out: Path, names: Sequence[str], redo: frozenset[Redo] = frozenset(), *, mended: bool = False, finish: bool = True
) -> None:
    """Do what `pipeline.classify` does, for files that nobody has to read, in batches of two."""
    root = str(out.parent / "photos")
    record = RunRecord("1", SCHEMA_VERSION, "m", "a" * 64, NAMES, root, (root,), {})
    tally = Tally()
    with writer.Draft.begin(out, record, redo) as draft:
        agenda = Agenda(names, Settings(root=root), draft.record, tally)
        batch: list[Row] = []
        for count, name in enumerate(agenda.names(draft.done(), draft.earlier()), 1):
            batch += made(name, mended=mended)
            if count % 2 == 0:
                draft.write(agenda.settled(batch))
                batch = []
        if batch:
            draft.write(agenda.settled(batch))
        if finish:
            draft.finish(tally.counts())


def first(out: Path, **options: bool) -> None:
    run(out, FIRST, **options)


def adding(out: Path, **options: bool) -> None:
    run(out, [*FIRST[:2], *ADDED], **options)  # The other files are not found any more, but they stay in the table.


def retrying(out: Path, **options: bool) -> None:
    run(out, [*ADDED, *FIRST], frozenset({Redo.FAILED}), mended=True, **options)


Action = Callable[..., None]

BEFORE: dict[Action, Action | None] = {first: None, adding: first, retrying: first}
"""What is interrupted, and what had been done before."""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """The folder that all the files lie in."""
    for name in FIRST + ADDED:
        path = tmp_path / "photos" / name.replace("a/new", "a.new")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "photos"


def content(out: Path) -> object:
    """Return a table's bytes, or of Parquet, which names its version, the rows."""
    return list(reader.read(out)) if out.suffix == ".parquet" else out.read_bytes()


def expected(tmp_path: Path, suffix: str, action: Action) -> object:
    """Return what an uninterrupted run comes to."""
    out = tmp_path / f"expected{suffix}"
    begin(out, action)
    action(out)
    return content(out)


def begin(out: Path, action: Action) -> None:
    before = BEFORE[action]
    if before:
        before(out)


@pytest.fixture
def fresh(photos: Path, tmp_path: Path) -> Iterator[Path]:
    """Endlessly many folders, each with the photos."""

    def folders() -> Iterator[Path]:
        for number in count():
            folder = tmp_path / str(number)
            folder.mkdir()
            (folder / "photos").symlink_to(photos)
            yield folder

    return folders()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("action", BEFORE)
def test_killed_before_any_step_the_same_command_comes_to_the_same_table(
    fresh: Iterator[Path],
    tmp_path: Path,
    action: Action,
    suffix: str,
    record_property: Callable[[str, object], None],
) -> None:
    wanted = expected(tmp_path, suffix, action)
    for step, folder in enumerate(fresh):
        out = folder / f"t{suffix}"
        begin(out, action)
        ended = killed_before(step, partial(action, out))
        action(out)

        assert content(out) == wanted, f"killed before step {step}"
        assert sorted(os.listdir(folder)) == ["photos", out.name, f"{out.name}.run.json"]
        if ended != -signal.SIGKILL:
            break
    record_property("kills", step)
    assert (ended, step > 15) == (0, True)


def test_a_killed_retry_is_completed_without_its_option_too(fresh: Iterator[Path], tmp_path: Path) -> None:
    wanted = expected(tmp_path, ".csv", retrying)
    for step, folder in enumerate(fresh):
        out = folder / "t.csv"
        first(out)
        ended = killed_before(step, partial(retrying, out))
        begun = run_record.unfinished(out) is not None
        run(out, [*ADDED, *FIRST], mended=True)
        if begun:
            assert content(out) == wanted, f"killed before step {step}"
        assert list(dict.fromkeys(row.file for row in reader.read(out))) == [*FIRST, *ADDED]
        if ended != -signal.SIGKILL:
            break


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("action", BEFORE)
def test_a_part_torn_at_any_byte_of_its_last_rows_is_repaired(
    fresh: Iterator[Path], tmp_path: Path, action: Action, suffix: str
) -> None:
    wanted = expected(tmp_path, suffix, action)
    folder = next(fresh)
    out, part = folder / f"t{suffix}", folder / f"t{suffix}.part"
    begin(out, action)
    action(out, finish=False)
    kept = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    last_two = len(b"".join(kept[part].splitlines(keepends=True)[-2:]))
    for length in range(len(kept[part]) - last_two, len(kept[part]) + 1):
        out.unlink(missing_ok=True)
        for path, bytes_ in kept.items():
            path.write_bytes(bytes_)
        os.truncate(part, length)
        action(out)

        assert content(out) == wanted, f"torn after {length} bytes"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("action", BEFORE)
def test_whatever_does_not_fit_on_the_disk_the_table_is_complete_when_there_is_room(
    fresh: Iterator[Path], tmp_path: Path, action: Action, suffix: str
) -> None:
    wanted = expected(tmp_path, suffix, action)
    _, unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    largest = 0
    for limit, folder in zip(count(0, 111), fresh):
        out = folder / f"t{suffix}"
        begin(out, action)
        before = content(out) if out.exists() else None

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited))  # noqa: B023 - it has run before the next
            action(out)  # noqa: B023

        ended = forked(limited)
        if ended and before:
            assert content(out) in (before, wanted)
        assert [name for name in os.listdir(folder) if name.startswith(".")] == []
        action(out)

        assert content(out) == wanted, f"with {limit} bytes"
        if not ended:
            break
        assert ended == OutputError.exit_code
        largest = limit
    assert largest > 500  # The record alone is as large.


def at_once(*actions: Callable[[], object]) -> list[int]:
    """Start processes at the same moment; return how they ended."""
    ready, go = os.pipe()
    pids = []
    for action in actions:
        pid = os.fork()
        if not pid:
            os.close(go)
            os.read(ready, 1)
            os._exit(forked(action))
        pids.append(pid)
    os.close(ready)
    os.close(go)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("action", BEFORE)
def test_of_runs_that_start_at_the_same_moment_one_writes_the_table(
    fresh: Iterator[Path], tmp_path: Path, action: Action, suffix: str
) -> None:
    wanted = expected(tmp_path, suffix, action)
    for folder in islice(fresh, 10):
        out = folder / f"t{suffix}"
        begin(out, action)
        ended = at_once(*[partial(action, out)] * 3)

        assert (set(ended) <= {0, LabelerError.exit_code}, 0 in ended) == (True, True)
        assert content(out) == wanted
        assert sorted(os.listdir(folder)) == ["photos", out.name, f"{out.name}.run.json"]


def test_a_run_that_began_before_another_finished_adds_nothing_twice(fresh: Iterator[Path]) -> None:
    out = next(fresh) / "t.csv"
    first(out)
    record = RunRecord("1", SCHEMA_VERSION, "m", "a" * 64, NAMES, str(out.parent / "photos"), (), {})
    with writer.Draft.begin(out, record), pytest.raises(LabelerError, match="another run is writing"):
        adding(out)
    adding(out)
    adding(out)

    files = [row.file for row in reader.read(out) if not row.face]
    assert files == [*FIRST, *ADDED]


def test_a_table_that_was_exchanged_under_an_unfinished_run_is_refused(fresh: Iterator[Path]) -> None:
    out = next(fresh) / "t.csv"
    first(out)
    adding(out, finish=False)
    out.write_bytes(out.read_bytes().replace(b"a,0,", b"exchanged,0,", 1))
    with pytest.raises(LabelerError, match=r"is not the table that .* was begun from"):
        adding(out)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 KiB."""
    yield from small_tmpfs(tmp_path / "small", "96k")


def classify(*arguments: object, largest_file: int | None = None) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    command = [sys.executable, "-m", "labeler", "classify", *map(str, arguments), "--workers", "2", "-q"]
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)


def test_a_full_disk_stops_the_command_with_one_line_and_it_continues_when_there_is_room(
    folder: Folder, model: Path, small_disk: Path
) -> None:
    for index in range(300):
        folder.noise(f"{index:03}.jpg", seed=index)
    out, ballast = small_disk / "t.csv", small_disk / "ballast"
    ballast.write_bytes(bytes(72 << 10))
    stopped = classify(folder.path, "--out", out, "--model", model, "--batch-size", "5")
    ballast.unlink()
    finished = classify(folder.path, "--out", out, "--model", model)

    assert (stopped.returncode, stopped.stderr.count("\n")) == (5, 1)
    assert "No space left on device. Make room, then run the same command to continue" in stopped.stderr
    assert (finished.returncode, finished.stderr) == (0, "")
    assert list(reader.read(out)) == list(pipeline.label([folder.path], Settings(str(model))))


def test_crops_that_do_not_fit_stop_the_command_with_one_line_and_it_continues(
    folder: Folder, model: Path, tmp_path: Path
) -> None:
    for index in range(40):
        folder.picture(f"{index:02}.png")
    folder.noise("20.png", seed=1)  # Its crop is the one that is larger than 8 KiB.
    crops = tmp_path / "crops"
    options = ["--out", tmp_path / "t.csv", "--model", model, "--batch-size", "5", "--save-crops", crops]
    stopped = classify(folder.path, *options, largest_file=8 << 10)
    finished = classify(folder.path, *options)

    assert (stopped.returncode, stopped.stderr.count("\n")) == (5, 1)
    assert "20.png.face0.png: File too large. Make room" in stopped.stderr
    assert (finished.returncode, finished.stderr) == (0, "")
    assert sorted(os.listdir(crops)) == [f"{index:02}.png.face0.png" for index in range(40)]
    assert len(list(reader.read(tmp_path / "t.csv"))) == 40
