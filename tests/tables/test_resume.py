"""What is labelled again, what stays, and what is told of files that have gone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Folder
from odd_rows import record_of, write_finished
from typer.testing import Result

from labeler import pipeline
from labeler.records import Face, Redo, Row, Settings, Status, Tally
from labeler.tables import formats, reader, run_record
from labeler.tables.resume import Agenda
from labeler.tables.run_record import RunRecord

Run = Callable[..., Result]

FAILED, CHANGED = frozenset({Redo.FAILED}), frozenset({Redo.CHANGED})
NAMES = ("angry", "happy")


@pytest.fixture
def mended(folder: Folder, model: Path, tmp_path: Path) -> pipeline.Job:
    """A job whose table says that b.jpg and d.jpg have failed; since then d.jpg has been mended."""
    for index, name in enumerate("abcde"):
        folder.noise(f"{name}.jpg", seed=index)
    folder.file("b.jpg")
    folder.file("d.jpg", b"")
    job = pipeline.Job(
        inputs=(folder.path,), out=tmp_path / "t.csv", settings=Settings(model=str(model)), workers=1, batch_size=2
    )
    pipeline.classify(job)
    folder.noise("d.jpg", seed=3)
    return job


def touch(path: Path) -> None:
    os.utime(path, (time.time() + 60,) * 2)


def files(out: Path) -> list[str]:
    return [row.file for row in reader.read(out)]


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_file_that_failed_is_redone_in_its_place(mended: pipeline.Job, suffix: str) -> None:
    job = replace(mended, out=mended.out.with_suffix(suffix))
    (Path(job.inputs[0]) / "d.jpg").write_bytes(b"")
    pipeline.classify(job)
    (Path(job.inputs[0]) / "d.jpg").unlink()
    Folder(Path(job.inputs[0])).noise("d.jpg", seed=3)
    summary = pipeline.classify(replace(job, redo=FAILED))

    assert list(reader.read(job.out)) == list(pipeline.label(job.inputs, job.settings))
    assert (summary.tally.files, summary.tally.resumed, summary.tally.failed) == (5, 3, 1)


def test_without_failures_a_retry_leaves_the_table_untouched(mended: pipeline.Job) -> None:
    (Path(mended.inputs[0]) / "b.jpg").unlink()
    pipeline.classify(replace(mended, overwrite=True))
    before = mended.out.stat()
    summary = pipeline.classify(replace(mended, redo=FAILED))

    assert summary.complete_before
    assert (mended.out.stat().st_ino, mended.out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_failed_file_that_has_gone_stays_as_it_was_and_is_reported(mended: pipeline.Job) -> None:
    before = list(reader.read(mended.out))
    for name in ("b.jpg", "d.jpg"):
        (Path(mended.inputs[0]) / name).unlink()
    summary = pipeline.classify(replace(mended, redo=FAILED | CHANGED))

    assert [row for row in reader.read(mended.out) if row.failed] == [row for row in before if row.failed]
    assert (summary.vanished, summary.vanished_files) == (2, ("b.jpg", "d.jpg"))


def test_a_changed_file_is_redone_and_no_other(mended: pipeline.Job) -> None:
    pipeline.classify(replace(mended, redo=FAILED))
    before = {row.file: row for row in reader.read(mended.out)}
    touch(Folder(Path(mended.inputs[0])).noise("c.jpg", seed=99))
    summary = pipeline.classify(replace(mended, redo=CHANGED))
    after = {row.file: row for row in reader.read(mended.out)}

    assert summary.tally.resumed == 4
    assert [file for file in before if before[file] != after[file]] == ["c.jpg"]
    assert files(mended.out) == list(before)


def test_failed_and_changed_files_are_redone_in_one_run(mended: pipeline.Job) -> None:
    touch(Folder(Path(mended.inputs[0])).noise("a.jpg", seed=99))
    summary = pipeline.classify(replace(mended, redo=FAILED | CHANGED))

    assert (summary.tally.resumed, summary.tally.failed) == (2, 1)
    assert list(reader.read(mended.out)) == list(pipeline.label(mended.inputs, mended.settings))


@pytest.mark.parametrize("ahead_s", [0, 2 * 24 * 3600, -2 * 24 * 3600])
def test_no_clock_is_believed_only_size_and_time_of_the_file_itself(mended: pipeline.Job, ahead_s: int) -> None:
    photo = Path(mended.inputs[0]) / "c.jpg"
    before = photo.stat()
    Folder(photo.parent).noise("c.jpg", seed=99)
    os.utime(photo, (before.st_mtime + ahead_s + 0.5,) * 2)
    changed = pipeline.classify(replace(mended, redo=CHANGED))
    again = pipeline.classify(replace(mended, redo=CHANGED))

    assert (changed.tally.resumed, again.tally.resumed) == (3, 5)  # d.jpg was mended since.
    assert list(reader.read(mended.out)) == list(pipeline.label(mended.inputs, mended.settings))


def test_new_names_and_permissions_are_no_change(mended: pipeline.Job, tmp_path: Path) -> None:
    pipeline.classify(replace(mended, redo=CHANGED))
    for name in "abcde":
        os.link(Path(mended.inputs[0]) / f"{name}.jpg", tmp_path / name)
        (tmp_path / name).chmod(0o600)

    assert pipeline.classify(replace(mended, redo=CHANGED)).complete_before


def test_a_file_that_could_not_be_read_is_as_its_row_says_until_it_changes(mended: pipeline.Job) -> None:
    pipeline.classify(replace(mended, redo=CHANGED))
    versions = {row.file: row.version for row in reader.read(mended.out)}

    assert versions["b.jpg"].startswith("13-")  # Its content is no picture.
    assert pipeline.classify(replace(mended, redo=CHANGED)).tally.resumed == 5


def test_new_pictures_come_in_their_place_among_those_that_are_redone(mended: pipeline.Job) -> None:
    Folder(Path(mended.inputs[0])).noise("0.jpg", seed=50)
    pipeline.classify(replace(mended, redo=FAILED))

    assert files(mended.out) == ["0.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert {row.file for row in reader.read(mended.out) if row.failed} == {"b.jpg"}


@pytest.mark.parametrize("option", ["--retry-failed", "--refresh"])
def test_starting_anew_and_keeping_what_is_there_exclude_each_other(
    run: Run, mended: pipeline.Job, option: str
) -> None:
    result = run("classify", mended.inputs[0], "--out", mended.out, "--overwrite", option)

    assert (result.exit_code, "--overwrite labels every file again" in result.stderr) == (2, True)


def test_the_command_line_retries_and_tells_of_files_that_have_gone(run: Run, mended: pipeline.Job) -> None:
    (Path(mended.inputs[0]) / "a.jpg").unlink()
    options = ["--model", mended.settings.model, "--workers", "1", "--retry-failed", "--json"]
    result = run("classify", mended.inputs[0], "--out", mended.out, *options)
    found = json.loads(result.stdout)

    assert (found["files"], found["ok"], found["resumed"]) == (5, 4, 3)
    assert (found["vanished"], found["vanished_files"]) == (1, ["a.jpg"])
    assert "deleted since, kept in the table: 1 file: a.jpg" in result.stderr


def test_of_many_files_that_have_gone_the_first_few_are_named(run: Run, mended: pipeline.Job) -> None:
    for number in range(20):
        Folder(Path(mended.inputs[0])).file(f"later/{number:02}.jpg")
    pipeline.classify(mended)
    for number in range(20):
        (Path(mended.inputs[0]) / f"later/{number:02}.jpg").unlink()
    result = run("classify", mended.inputs[0], "--out", mended.out, "--model", mended.settings.model)

    assert "20 files: later/00.jpg, later/01.jpg, later/02.jpg, later/03.jpg, later/04.jpg, ...\n" in result.stderr


def test_an_unfinished_table_is_completed_before_its_failures_are_retried(mended: pipeline.Job) -> None:
    expected = list(pipeline.label(mended.inputs, mended.settings))
    record = run_record.read(mended.out)
    assert record
    mended.out.rename(mended.out.with_name("t.csv.part"))
    part = mended.out.with_name("t.csv.part")
    part.write_bytes(b"".join(part.read_bytes().splitlines(keepends=True)[:4]))
    run_record.write(mended.out, replace(record, finished=False), "", run_record.PART_RECORD)
    pipeline.classify(replace(mended, redo=FAILED))

    assert list(reader.read(mended.out)) == expected


def labelled(file: str, faces: int = 1) -> list[Row]:
    return [Row(file).located(index, Face(0, 0, 9, 9)).labelled((0.25, 0.75), NAMES, 0.0) for index in range(faces)]


def table(out: Path, root: Path, *rows: Row) -> RunRecord:
    """Write a finished table and return the record of a run that is to retry what failed in it."""
    record = record_of(NAMES, root=str(root), inputs=(str(root),), settings={})
    write_finished(out, record, rows)
    return replace(record, redo=(Redo.FAILED, Redo.CHANGED))


def test_a_file_that_goes_while_it_is_redone_keeps_its_rows(tmp_path: Path) -> None:
    before = labelled("a", 2)
    (tmp_path / "a").touch()
    record = table(tmp_path / "t.csv", tmp_path, *before)
    tally = Tally()
    agenda = Agenda(Settings(root=str(tmp_path)), record.redo or (), tally)
    given_out = list(agenda.to_label(["a"], [(before, False)]))
    (tmp_path / "a").unlink()
    to_write = agenda.to_write([Row("a").without_label(Status.UNREADABLE, "No such file")])

    assert (given_out, to_write, agenda.vanished_files) == (["a"], [], ["a"])
    assert (tally.files, tally.faces, tally.failed) == (1, 2, 0)


def test_names_are_given_out_without_reading_ahead(tmp_path: Path) -> None:
    taken: list[str] = []

    def names() -> Iterator[str]:
        for number in range(1000):
            taken.append(f"{number:03}")
            yield taken[-1]

    def settled() -> Iterator[tuple[list[Row], bool]]:
        yield from ((labelled(f"{number:03}"), False) for number in range(0, 1000, 2))

    agenda = Agenda(Settings(root=str(tmp_path)), (), Tally())

    assert (next(agenda.to_label(names(), settled())), taken) == ("001", ["000", "001"])


@pytest.mark.parametrize("now", [0, 1])
def test_crops_of_faces_that_are_no_more_are_removed_with_their_rows(tmp_path: Path, now: int) -> None:
    root, crops = tmp_path / "photos", tmp_path / "crops"
    root.mkdir()
    crops.mkdir()
    (root / "a").touch()
    for name in ("a.face0.png", "a.face1.png", "a.face2.png", "b.face0.png", "mine.png"):
        (crops / name).touch()
    before = labelled("a", 2)
    record = table(tmp_path / "t.csv", root, *before)
    agenda = Agenda(Settings(root=str(root), save_crops=str(crops)), record.redo or (), Tally())
    list(agenda.to_label(["a"], [(before, False)]))
    agenda.to_write(labelled("a", now) or [Row("a").without_label(Status.NO_FACE, "no face was found")])

    kept = {"a.face0.png"} if now else set()
    assert set(os.listdir(crops)) == {*kept, "a.face2.png", "b.face0.png", "mine.png"}


def test_crops_are_not_put_among_files_of_others_when_starting_anew(
    run: Run, mended: pipeline.Job, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.jpg.face0.png").write_text("mine")
    options = ["--model", mended.settings.model, "--overwrite", "--save-crops", tmp_path / "mine"]
    result = run("classify", mended.inputs[0], "--out", mended.out, *options)

    assert (result.exit_code, "is not empty" in result.stderr) == (2, True)
    assert (tmp_path / "mine" / "a.jpg.face0.png").read_text() == "mine"
