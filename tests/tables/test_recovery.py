"""However a run ends - killed at any step, torn, without room on the disk, against another - its table is complete.

Processes are forked from this one, which has loaded everything: so hundreds can be killed in seconds. They run one
worker; that the same holds for the command line with several, `test_pipeline` says.
"""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from itertools import count, islice
from pathlib import Path

import odd_rows
import pytest
from conftest import Folder, small_tmpfs
from kills import forked, killed_before
from spread import spread

from labeler import pipeline
from labeler.errors import LabelerError, OutputError
from labeler.records import Face, Redo, Row, Settings, Status, Tally, columns
from labeler.storage.store import key
from labeler.tables import formats, reader, run_record, writer
from labeler.tables.run_record import RunRecord

pytestmark = pytest.mark.heavy

NAMES = ("angry", "happy")
FIRST = ["a", "b/a", "b/x,y", 'b/"q"\n', "c"]
ADDED = ["a/new", "z"]
FAILING = {"b/a", "c"}


def made(file: str, *, mended: bool) -> list[Row]:
    """Label a file: each has one to three faces, but those that fail."""
    if file in FAILING and not mended:
        return [Row(file).without_label(Status.UNREADABLE, 'a "reason",\nof two lines')]
    share = len(file) / 16
    faces = 1 + len(file) % 3
    return [
        Row(file).located(i, Face(float(i), 0.0, 9.0, 9.0)).labelled((share, 1 - share), NAMES, 0.0)
        for i in range(faces)
    ]


class Stopped(Exception):  # noqa: N818 - as Ctrl-C, no error
    """All files are labelled, and the table is not finished."""


def record_of(out: Path) -> RunRecord:
    root = str(out.parent / "photos")
    return odd_rows.record_of(NAMES, root=root, inputs=(root,), settings={})


def run(
    out: Path, names: Sequence[str], redo: frozenset[Redo] = frozenset(), *, mended: bool = False, finish: bool = True
) -> None:
    """Let the pipeline label files that nobody has to read, in batches of two."""

    def label(names: Iterator[str]) -> Iterator[list[Row]]:
        while batch := list(islice(names, 2)):
            yield [row for name in batch for row in made(name, mended=mended)]
        if not finish:
            raise Stopped

    record = record_of(out)
    job = pipeline.Job(inputs=(record.root,), out=out, settings=Settings(root=record.root), redo=redo)
    with suppress(Stopped):
        pipeline.fill(job, record, sorted(names, key=key), label, Tally())


def first(out: Path, **options: bool) -> None:
    run(out, FIRST, **options)


def adding(out: Path, **options: bool) -> None:
    run(out, [*FIRST[:2], *ADDED], **options)  # The other files are not found any more, but they stay in the table.


def retrying(out: Path, **options: bool) -> None:
    run(out, [*ADDED, *FIRST], frozenset({Redo.FAILED}), mended=True, **options)


def reorder(out: Path) -> None:
    """Turn the rows of a finished table around, as a user can in a spreadsheet."""
    formats.of(out).write(out, list(reader.read(out))[::-1], record_of(out))


def turned_around(out: Path) -> None:
    first(out)
    reorder(out)


def adding_to_what_is_turned_around(out: Path, **options: bool) -> None:
    adding(out, **options)


Action = Callable[..., None]

BEFORE: dict[Action, Action | None] = {
    first: None,
    adding: first,
    retrying: first,
    adding_to_what_is_turned_around: turned_around,
}
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


@pytest.mark.parametrize(("action", "suffix"), spread(BEFORE, formats.SUFFIXES))
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
        assert list(dict.fromkeys(row.file for row in reader.read(out))) == sorted(FIRST + ADDED, key=key)
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


def by_hand(rows: Sequence[Row], suffix: str, schema: int) -> bytes:
    """Return what earlier versions of this program wrote of some rows: CSV, or JSON Lines."""
    records = []
    for row in rows:
        shares = row.probabilities or ("", "")
        values = [*row[:9], *shares, *(("", "", row.version) if schema == 2 else ()), str(row.status), row.reason]
        if suffix == ".csv":
            cells = [
                f"{cell:.6f}" if at in (6, 8, 9, 10) and cell not in ("", None) else cell
                for at, cell in enumerate(values)
            ]
            text = io.StringIO()
            csv.writer(text).writerow(cells)
            records.append(text.getvalue())
        else:
            absent = {"face", "x", "y", "width", "height", "face_score", "score", *NAMES, "image_width", "image_height"}
            pairs = zip(columns(NAMES, schema), values, strict=True)
            found = {name: None if name in absent and value == "" else value for name, value in pairs}
            records.append(json.dumps(found, ensure_ascii=False) + "\n")
    header = ",".join(columns(NAMES, schema)) + "\r\n" if suffix == ".csv" else ""
    return (header + "".join(records)).encode()


BEGUN_BEFORE = ["a", "c", "b/x,y", "b/a", 'b/"q"\n']
"""The files of a table that an earlier version has made: the last three were added one after another."""


def begun_before(out: Path, schema: int) -> bytes:
    """Leave what an earlier version left that was killed while it retried; return the part.

    It wrote the rows of the finished table into the part, up to the last file that was labelled again.
    """
    rows = [row for file in BEGUN_BEFORE for row in made(file, mended=False)]
    part = [*made("a", mended=False), *made("c", mended=True), *made("b/x,y", mended=False)]
    in_part = ".csv" if out.suffix == ".csv" else ".jsonl"
    record = asdict(replace(record_of(out), schema_version=schema))
    if out.suffix == ".parquet":
        formats.of(out).write(out, rows, replace(record_of(out), schema_version=schema))
    else:
        out.write_bytes(by_hand(rows, out.suffix, schema))
    whole = by_hand([*part, *made("b/a", mended=True)], in_part, schema)
    run_record.beside(out, run_record.PART).write_bytes(whole)
    finished, begun = {"finished": True, "counts": {"files": 5}}, {"redo": ["failed"]}
    if schema == 1:  # One record for both.
        outdated = {"began": 1.5, "redo_began": 2.5}
        run_record.beside(out, run_record.RECORD).write_text(json.dumps({**record, **begun, **outdated}))
    else:
        run_record.beside(out, run_record.RECORD).write_text(json.dumps({**record, **finished}))
        run_record.beside(out, run_record.PART_RECORD).write_text(json.dumps({**record, **begun}))
    return whole


@pytest.mark.parametrize(("suffix", "schema"), spread(formats.SUFFIXES, [1, 2]))
def test_a_part_that_an_earlier_version_has_begun_is_continued(fresh: Iterator[Path], suffix: str, schema: int) -> None:
    wanted = [row for file in sorted(FIRST + ADDED, key=key) for row in made(file, mended=True)]
    for step, folder in enumerate(fresh):
        out = folder / f"t{suffix}"
        begun_before(out, schema)
        ended = killed_before(step, partial(retrying, out))
        retrying(out)

        assert list(reader.read(out)) == wanted, f"killed before step {step}"
        assert reader.columns(out) == columns(NAMES, schema)
        assert sorted(os.listdir(folder)) == ["photos", out.name, f"{out.name}.run.json"]
        if ended != -signal.SIGKILL:
            break
    assert (ended, step > 15) == (0, True)


@pytest.mark.parametrize(("suffix", "schema"), spread(formats.SUFFIXES, [1, 2]))
def test_a_part_of_an_earlier_version_that_is_torn_at_any_byte_is_repaired(
    fresh: Iterator[Path], suffix: str, schema: int
) -> None:
    wanted = [row for file in sorted(FIRST + ADDED, key=key) for row in made(file, mended=True)]
    out = next(fresh) / f"t{suffix}"
    whole = begun_before(out, schema)
    for length in range(len(whole) // 2, len(whole) + 1, 3):
        begun_before(out, schema)
        os.truncate(run_record.beside(out, run_record.PART), length)
        retrying(out)

        assert list(reader.read(out)) == wanted, f"torn after {length} bytes"


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_table_that_an_earlier_version_had_only_to_put_in_its_place_is_complete(
    fresh: Iterator[Path], suffix: str
) -> None:
    """It wrote the record of a whole part without `redo`: nothing of the table that stands there is missing in it."""
    out = next(fresh) / f"t{suffix}"
    begun_before(out, 2)
    rows = [row for file in BEGUN_BEFORE for row in made(file, mended=True)]
    in_part = ".csv" if suffix == ".csv" else ".jsonl"
    run_record.beside(out, run_record.PART).write_bytes(by_hand(rows, in_part, 2))
    run_record.write(out, replace(record_of(out), finished=True), "", run_record.PART_RECORD)
    retrying(out)

    assert list(reader.read(out)) == [row for file in sorted(FIRST + ADDED, key=key) for row in made(file, mended=True)]


@pytest.mark.parametrize(("action", "suffix"), spread(BEFORE, formats.SUFFIXES))
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


@pytest.mark.parametrize(("action", "suffix"), spread(BEFORE, formats.SUFFIXES))
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
    with writer.TableWriter.begin(out, record_of(out)), pytest.raises(LabelerError, match="another run is writing"):
        adding(out)
    adding(out)
    adding(out)

    files = [row.file for row in reader.read(out) if not row.face]
    assert files == sorted(FIRST + ADDED, key=key)


def test_a_table_that_was_exchanged_under_an_unfinished_run_is_refused(fresh: Iterator[Path]) -> None:
    out = next(fresh) / "t.csv"
    first(out)
    adding(out, finish=False)
    kept = out.read_bytes()
    out.write_bytes(kept.replace(b"angry", b"bored"))
    with pytest.raises(LabelerError, match=r"has other classes than the model"):
        adding(out)

    out.write_bytes(kept)
    adding(out)
    assert {row.file for row in reader.read(out)} == {*FIRST, *ADDED}


def test_the_record_of_a_table_that_was_exchanged_under_an_unfinished_run_is_refused(fresh: Iterator[Path]) -> None:
    out = next(fresh) / "t.csv"
    first(out)
    adding(out, finish=False)
    run_record.write(out, replace(record_of(out), model="other", finished=True), "")
    with pytest.raises(LabelerError, match=r"the model was other"):
        adding(out)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
@pytest.mark.parametrize("action", [adding, retrying])
def test_a_table_that_was_put_into_another_order_under_an_unfinished_run_is_continued(
    fresh: Iterator[Path], tmp_path: Path, action: Action, suffix: str
) -> None:
    wanted = expected(tmp_path, suffix, action)
    out = next(fresh) / f"t{suffix}"
    first(out)
    action(out, finish=False)
    reorder(out)
    action(out)

    assert content(out) == wanted


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
    assert list(reader.read(out)) == list(pipeline.label([folder.path], Settings(model=str(model))))


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
