"""The table: begun, continued, finished, never in anyone's way."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from labeler.errors import LabelerError, ModelError, OutputError
from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, SCHEMA_VERSION, Face, Redo, Row, columns
from labeler.tables import formats, reader, run_record, writer
from labeler.tables.run_record import RunRecord

NAMES = ("angry", "happy")


def record(**changes: object) -> RunRecord:
    values: dict[str, object] = {
        "version": "1",
        "schema_version": SCHEMA_VERSION,
        "model": "m",
        "model_sha256": "a" * 64,
        "class_names": NAMES,
        "root": "/photos",
        "inputs": ("/photos",),
        "settings": {"threshold": 0.0},
    }
    return RunRecord(**{**values, **changes})  # type: ignore[arg-type]


def rows(file: str, faces: int = 1) -> list[Row]:
    return [Row(file).located(i, Face(0, 0, 9, 9)).labelled((0.25, 0.75), NAMES, 0.0) for i in range(faces)]


def write(out: Path, *batches: list[Row], finish: bool = True) -> None:
    with writer.TableWriter.begin(out, record()) as table:
        for batch in batches:
            table.write(batch)
        if finish:
            table.finish({})


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_finished_table_holds_what_was_written(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    write(out, rows("a"), rows("b", 3))

    assert list(reader.read(out)) == rows("a") + rows("b", 3)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_nothing_stands_at_the_output_before_it_is_complete(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    write(out, rows("a"), finish=False)

    assert not out.exists()


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_only_the_table_and_its_record_are_left_in_the_end(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"t{suffix}", rows("a"))

    assert sorted(os.listdir(tmp_path)) == sorted([f"t{suffix}", f"t{suffix}.run.json"])


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_an_unfinished_table_continues_with_its_last_file_made_again(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    write(out, rows("a"), rows("b", 3), finish=False)
    with writer.TableWriter.begin(out, record()) as table:
        assert list(table.settled()) == [(rows("a"), True)]
        table.write(rows("b", 3))
        table.finish({})

    assert list(reader.read(out)) == rows("a") + rows("b", 3)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_wherever_a_kill_tears_the_part_the_table_continues_to_the_same_end(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    part = tmp_path / f"t{suffix}.part"
    everything = [rows("a"), rows('b,"\n', 2), rows("c")]
    write(out, *everything, finish=False)
    whole = part.read_bytes()
    for length in range(0, len(whole), 7):
        part.write_bytes(whole[:length])
        out.unlink(missing_ok=True)
        run_record.write(out, record(), "", run_record.PART_RECORD)
        with writer.TableWriter.begin(out, record()) as table:
            done = list(table.settled())
            for batch in everything[len(done) :]:
                table.write(batch)
            table.finish({})

        assert list(reader.read(out)) == [row for batch in everything for row in batch]


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_complete_table_grows_when_something_is_written_to_it(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    write(out, rows("a"))
    write(out, rows("b"))

    assert list(reader.read(out)) == rows("a") + rows("b")


def test_a_complete_table_is_not_touched_when_nothing_is_written(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"))
    before = out.stat()
    with writer.TableWriter.begin(out, record()) as table:
        complete = table.complete
        table.finish({})

    assert (complete, out.stat().st_mtime_ns, out.stat().st_ino) == (True, before.st_mtime_ns, before.st_ino)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"settings": {"threshold": 0.5}}, "--threshold was 0.0, is 0.5"),
        ({"model_sha256": "b" * 64}, "the model was m \\(aaaaaaaaaaaa\\), is m \\(bbbbbbbbbbbb\\)"),
        ({"root": "/elsewhere"}, "the root folder was /photos, is /elsewhere"),
    ],
)
def test_another_model_or_other_settings_are_refused_and_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"), finish=False)
    with pytest.raises(LabelerError, match=message):
        writer.TableWriter.begin(out, record(**changes))


def test_overwriting_keeps_the_old_table_until_the_new_one_is_complete(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("old"))
    with writer.TableWriter.begin(out, record(), overwrite=True) as table:
        table.write(rows("new"))

        assert list(reader.read(out)) == rows("old")
        table.finish({})
    assert list(reader.read(out)) == rows("new")


def test_an_overwriting_run_that_was_killed_is_continued(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("old"))
    with writer.TableWriter.begin(out, record(), overwrite=True) as table:
        table.write(rows("new") + rows("newer"))
    with writer.TableWriter.begin(out, record()) as table:
        assert list(table.settled()) == [(rows("new"), True)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_is_not_a_table_is_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    out = tmp_path / "accounts.csv"
    out.write_text("date,amount\n2026-01-01,5\n")
    with pytest.raises(LabelerError, match="not a table made by labeler"):
        writer.TableWriter.begin(out, record(), overwrite=overwrite)

    assert out.read_text() == "date,amount\n2026-01-01,5\n"


def test_a_table_without_its_record_is_only_replaced_when_asked(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"))
    (tmp_path / "t.csv.run.json").unlink()
    with pytest.raises(LabelerError, match="no run record"):
        writer.TableWriter.begin(out, record())
    with writer.TableWriter.begin(out, record(), overwrite=True) as table:
        assert list(table.settled()) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [("t.xlsx", "ends in .csv, .jsonl, .parquet"), ("missing/t.csv", "does not exist"), ("folder.csv", "is a folder")],
)
def test_a_place_where_no_table_can_be_written_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(LabelerError, match=message):
        reader.check(tmp_path / name)


def test_a_kill_between_placing_and_recording_is_recognised_as_complete(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"))
    run_record.beside(out, run_record.RECORD).rename(run_record.beside(out, run_record.PART_RECORD))
    found = run_record.read(out)
    with writer.TableWriter.begin(out, record()) as table:
        assert (bool(found and found.finished), table.complete) == (True, True)


def first_version(out: Path, *, finished: bool, **changes: object) -> None:
    """Write the record that version 1 of the schema had, of a table and of its part alike."""
    found = asdict(record(schema_version=1, finished=finished, **changes)) | {"began": 1.5, "redo_began": None}
    run_record.beside(out, run_record.RECORD).write_text(json.dumps(found))


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_table_of_the_first_schema_is_read_and_grows_as_it_was_begun(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    with writer.TableWriter.begin(out, record(schema_version=1)) as table:
        table.write(rows("a"))
        table.finish({})
    first_version(out, finished=True)
    write(out, [row._replace(version="1-2", image_width=3, image_height=4) for row in rows("b")])

    assert list(reader.read(out)) == rows("a") + rows("b")
    assert reader.columns(out) == columns(NAMES, schema=1)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_an_unfinished_table_of_the_first_schema_is_continued_as_it_was_begun(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    with writer.TableWriter.begin(out, record(schema_version=1)) as table:
        table.write(rows("a") + rows("b"))
    run_record.beside(out, run_record.PART_RECORD).unlink()
    first_version(out, finished=False)
    with writer.TableWriter.begin(out, record()) as table:
        done = list(table.settled())
        table.write(rows("b"))
        table.finish({})

    assert (done, list(reader.read(out))) == ([(rows("a"), True)], rows("a") + rows("b"))
    assert reader.columns(out) == columns(NAMES, schema=1)


def test_a_part_of_the_first_schema_that_takes_nothing_over_says_nothing_of_the_table(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"))
    run_record.beside(out, run_record.PART).touch()
    first_version(out, finished=False, root="/elsewhere")
    begun = run_record.unfinished(out)

    assert (run_record.read(out), begun and begun.root) == (None, "/elsewhere")


def test_a_table_of_the_first_schema_is_not_refreshed_for_it_holds_no_versions(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with writer.TableWriter.begin(out, record(schema_version=1)) as table:
        table.write(rows("a"))
        table.finish({})
    with pytest.raises(LabelerError, match=r"does not tell which version of each file it holds; use --overwrite"):
        writer.TableWriter.begin(out, record(), [Redo.CHANGED])


def test_a_record_of_a_later_schema_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", rows("a"))
    run_record.write(tmp_path / "t.csv", record(schema_version=99), "")
    with pytest.raises(LabelerError, match="has the schema 99, this version knows up to"):
        run_record.read(tmp_path / "t.csv")


def test_a_second_run_on_the_same_table_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    with writer.TableWriter.begin(out, record()), pytest.raises(LabelerError, match="another run is writing"):
        writer.TableWriter.begin(out, record())


def test_a_run_that_died_leaves_no_lock(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); import test_reader as t; from pathlib import Path\n"
        "table = t.writer.TableWriter.begin(Path(sys.argv[2]), t.record()); table.write(t.rows('a') + t.rows('b'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", script, str(Path(__file__).parent), str(out)], check=False)
    with writer.TableWriter.begin(out, record()) as table:
        assert (died.returncode, list(table.settled())) == (-9, [(rows("a"), True)])


def test_a_full_disk_stops_with_a_clear_error_and_the_table_can_be_continued(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with writer.TableWriter.begin(out, record()) as table:
        table.write(rows("a") + rows("b"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*t.csv: File too large. Make room"):
                table.write(rows("c", 500))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    with writer.TableWriter.begin(out, record()) as table:
        assert list(table.settled()) == [(rows("a"), True), (rows("b"), True)]


def test_an_unfinished_table_is_not_read_as_if_it_were_complete(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"), finish=False)
    with pytest.raises(LabelerError, match="is unfinished; run the same classify command"):
        list(reader.read(out))


def test_a_damaged_table_is_not_read_as_if_it_were_whole(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"), rows("b"))
    out.write_bytes(out.read_bytes()[:-10])
    with pytest.raises(LabelerError, match="damaged"):
        list(reader.read(out))


def test_the_record_says_how_the_table_was_made(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"))
    found = json.loads((tmp_path / "t.csv.run.json").read_text())

    assert (found["finished"], found["class_names"], found["root"]) == (True, list(NAMES), "/photos")


def test_the_classes_of_a_table_come_in_the_models_order(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", rows("a"))

    assert (reader.class_names(tmp_path / "t.csv"), len(columns(NAMES))) == (NAMES, 16)


def test_a_run_that_fails_before_its_first_row_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(ModelError), writer.TableWriter.begin(tmp_path / "t.csv", record()):
        raise ModelError("the network cannot be loaded")

    assert list(tmp_path.iterdir()) == []


def test_a_run_that_fails_leaves_the_complete_table_as_it_was(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write(out, rows("a"))
    before = out.read_bytes()
    with pytest.raises(ModelError), writer.TableWriter.begin(out, record(), overwrite=True):
        raise ModelError("the network cannot be loaded")

    assert out.read_bytes() == before


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_table_that_is_damaged_in_its_first_row_is_not_read_as_empty(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    write(path, rows("a"), rows("b"))
    path.write_bytes(path.read_bytes().replace(b"ok", b"no", 1))
    with pytest.raises(LabelerError, match=r"is damaged \(after byte"):
        list(reader.read(path))


def test_a_damaged_parquet_table_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(path, rows("a"), rows("b"))
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(40) + content[44:])  # Of the first column; the schema at the end is whole.
    with pytest.raises(LabelerError, match="is damaged"):
        list(reader.read(path))


@pytest.mark.parametrize("header", ["file,", "happy,happy,", " ,"])
def test_a_table_with_impossible_classes_is_not_ours(tmp_path: Path, header: str) -> None:
    before, after = ",".join(COLUMNS_BEFORE), ",".join(COLUMNS_AFTER)
    (tmp_path / "t.csv").write_text(f"{before},{header}{after}\n")
    with pytest.raises(LabelerError, match="is not a table made by labeler"):
        reader.class_names(tmp_path / "t.csv")


def test_a_line_that_is_nested_without_end_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"file": ' + "[" * 100_000)
    with pytest.raises(LabelerError, match="nested too deeply"):
        reader.class_names(tmp_path / "t.jsonl")


@pytest.mark.parametrize(
    "changed",
    [
        {"root": 5},
        {"settings": []},
        {"class_names": [1, 2]},
        {"class_names": 7},
        {"inputs": None},
        {"finished": "yes"},
        {"counts": "many"},
        {"schema_version": "1"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_run_record_with_values_of_other_kinds_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    path = tmp_path / "t.csv"
    write(path, rows("a"), rows("b"))
    beside = tmp_path / "t.csv.run.json"
    beside.write_text(json.dumps(json.loads(beside.read_text()) | changed))
    with pytest.raises(LabelerError, match="is not a run record of this version"):
        run_record.read(path)


@pytest.mark.parametrize("content", ["", "[]", "7", "null", "[" * 100_000, '{"a": ' * 100_000, "\0", '{"root": "/"}'])
def test_something_else_is_no_run_record(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.csv.run.json").write_text(content)
    with pytest.raises(LabelerError, match="is not a run record of this version"):
        run_record.read(tmp_path / "t.csv")
