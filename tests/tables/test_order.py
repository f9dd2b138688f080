"""Files in one order: found out, made, compared, and missed."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from disks import full_disk
from odd_rows import NAMES, ODD_NAMES, record_of

from labeler.errors import LabelerError, OutputError
from labeler.records import Face, Row, Settings, Status, Tally
from labeler.storage.store import key
from labeler.tables import formats, reader, run_record
from labeler.tables.order import grouped, is_ascending, keyed, outer_join
from labeler.tables.resume import Agenda
from labeler.tables.writer import TableWriter

FILES = sorted(["b.jpg", "a.jpg", "a/b.jpg", "a/b/c.jpg", "a b/c.jpg", *ODD_NAMES], key=key)


def rows(file: str, faces: int = 2) -> list[Row]:
    return [
        Row(file).located(at, Face(0.0, 0.0, 9.0, 9.0)).labelled((0.25, 0.75), NAMES, 0.0) for at in range(faces)
    ] or [Row(file).without_label(Status.NO_FACE, "no face was found")]


@pytest.mark.parametrize(
    ("files", "ascending"),
    [
        ([], True),
        (["a", "a", "b", "a/a"], True),
        (["a/a", "b"], False),
        (["a", "b", "a"], False),
        (FILES, True),
        ([*FILES[1:], FILES[0]], False),
    ],
)
def test_the_order_of_files_is_that_of_their_keys(files: list[str], ascending: bool) -> None:
    assert is_ascending(files) == ascending


@pytest.mark.parametrize("seed", range(10))
def test_rows_in_any_order_come_out_file_by_file_and_face_by_face(seed: int) -> None:
    chance = random.Random(seed)
    expected = [rows(file, faces=chance.randrange(4)) for file in FILES]
    mixed = [row for group in expected for row in group]
    chance.shuffle(mixed)

    assert list(grouped(mixed, ascending=False)) == expected


def test_rows_that_cannot_be_sorted_for_want_of_room_stop_with_one_line() -> None:
    many = (row._replace(reason="x" * 1000) for number in range(40_000, 0, -1) for row in rows(f"{number:06}", 1))
    with full_disk(100_000), pytest.raises(OutputError, match=r"no room to sort in.*TMPDIR"):
        for _ in grouped(many, ascending=False):
            pass


@pytest.mark.parametrize("seed", range(10))
def test_two_sides_are_joined_on_the_names_that_both_have(seed: int) -> None:
    chance = random.Random(seed)
    left, right = ([file for file in FILES if chance.random() < 0.6] for _ in range(2))
    joined = list(outer_join(keyed(left, str), keyed(right, str)))

    assert [one for one, _ in joined if one is not None] == left
    assert [other for _, other in joined if other is not None] == right
    assert [one if other is None else other for one, other in joined] == [
        file for file in FILES if file in {*left, *right}
    ]
    assert [one for one, other in joined if one is not None and other is not None] == [
        file for file in left if file in right
    ]


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"], ["a/b", "b"]])
def test_names_that_do_not_come_in_order_stop_the_run(names: list[str]) -> None:
    agenda = Agenda(Settings(), (), Tally())
    with pytest.raises(LabelerError, match="came too late for its place"):
        list(agenda.to_label(names, []))


def make(out: Path, *groups: list[Row]) -> None:
    """Write a finished table whose files come in the order given, as earlier versions and users have made them."""
    formats.of(out).write(out, [row for group in groups for row in group], record_of(NAMES))
    run_record.write(out, record_of(NAMES, finished=True), "")


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_table_of_any_order_is_settled_and_finished_in_order(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    make(out, rows("c"), rows("sub/a"), rows("b", 1), rows("z"))
    with TableWriter.begin(out, record_of(NAMES)) as table:
        settled = list(table.settled())
        table.write(rows("a"))
        table.write(rows("b", 3))
        table.finish({})

    assert settled == [(rows("b", 1), False), (rows("c"), False), (rows("z"), False), (rows("sub/a"), False)]
    assert list(reader.read(out)) == rows("a") + rows("b", 3) + rows("c") + rows("z") + rows("sub/a")


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_rows_of_a_file_that_a_user_has_put_apart_come_together(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    make(out, rows("a")[1:], rows("b"), rows("a")[:1])
    with TableWriter.begin(out, record_of(NAMES)) as table:
        assert list(table.settled()) == [(rows("a"), False), (rows("b"), False)]


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_part_that_is_no_longer_in_order_makes_a_table_in_order(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t{suffix}"
    for files in (("b", "d", "torn"), ("a", "c", "torn"), ("aa", "e", "f")):
        with TableWriter.begin(out, record_of(NAMES)) as table:
            settled = [(group[0].file, final) for group, final in table.settled()]
            for file in files:
                table.write(rows(file))
    with TableWriter.begin(out, record_of(NAMES)) as table:
        table.write(rows("f"))
        table.finish({})

    assert settled == [(file, True) for file in "abcd"]
    assert [group[0].file for group in grouped(reader.read(out), ascending=True)] == ["a", "aa", *"bcdef"]


def test_a_table_that_changes_its_order_in_the_middle_of_a_run_is_noticed(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    make(out, rows("a"), rows("b"), rows("d"))
    with TableWriter.begin(out, record_of(NAMES)) as table:
        list(table.settled())
        table.write(rows("c"))
        make(out, rows("b"), rows("a"), rows("d"))
        with pytest.raises(LabelerError, match="if nobody changed the table"):
            table.finish({})

    assert [row.file for row in reader.read(out)] == ["b", "b", "a", "a", "d", "d"]


PEAK = """
import resource, sys
from itertools import islice
from pathlib import Path
from labeler import pipeline
from labeler.records import SCHEMA_VERSION, Row, Settings, Tally
from labeler.tables import formats, run_record

kind, count, out = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
half = count // 2
classes, shares = tuple("abcdefgh"), (0.3, *[0.1] * 7)
record = run_record.RunRecord(
    version="1", schema_version=SCHEMA_VERSION, model="m", model_sha256="a", class_names=classes, root=str(out.parent),
    inputs=(), settings={},
)

def row(name):
    return Row.of_image(name, 48, 48, "1-1").labelled(shares, classes, 0.0)

def names(numbers, step=0):
    for number in numbers:
        if number % 1000 != step:
            yield f"folder{number // 1000:05}/IMG_{number:07}.jpg"

def label(names):
    while batch := list(islice(names, 512)):
        yield [row(name) for name in batch]

order = [*range(half, count), *range(half)] if kind == "unordered" else range(count)
formats.of(out).write(out, map(row, names(order)), record)
run_record.write(out, record, "")
job, tally = pipeline.Job(inputs=(), out=out, settings=Settings(root=str(out.parent))), Tally()
agenda = pipeline.fill(job, record, names(range(count), step=1 if kind == "out of step" else 0.5), label, tally)
assert agenda.vanished == (count // 1000 if kind == "out of step" else 0)
assert (tally.files, tally.resumed) == (count, count - count // 1000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(*arguments: object) -> int:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.heavy
@pytest.mark.slow
def test_memory_does_not_grow_with_what_a_table_and_a_folder_do_not_share(tmp_path: Path) -> None:
    """The names of such a table took 25 MB and more; those of one that is out of order wait in SQLite's cache first."""
    in_step, out_of_step, unordered = (
        peak_kib(kind, 80_000, tmp_path / f"{kind}.csv") for kind in ("in step", "out of step", "unordered")
    )

    assert out_of_step - in_step < 12_000
    assert unordered - in_step < 30_000
