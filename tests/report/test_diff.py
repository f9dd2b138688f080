"""The command `diff`: what it counts, in which tables, what it refuses, and what it prints."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hostile
import odd_rows
import pytest
from conftest import CLASS_NAMES, Folder
from hypothesis import given
from hypothesis import strategies as some
from typer.testing import Result

from labeler.errors import LabelerError, NoPicturesError
from labeler.records import UNCERTAIN, Face, Row, Status
from labeler.report import compare
from labeler.report.agreement import agreement
from labeler.report.compare import Comparison, is_class
from labeler.report.diff import DiffSettings, diff
from labeler.tables import formats, run_record

Run = Callable[..., Result]


def face(file: str, label: str, score: float = 0.8, index: int = 0, x: float = 0, version: str = "1-1") -> Row:
    """Return a face of 10 pixels; an uncertain one is most probably `sad`."""
    answer = "sad" if label == UNCERTAIN else label
    rest = (1 - score) / 2
    shares = tuple(score if name == answer else rest for name in CLASS_NAMES)
    located = Row.of_image(file, 100, 100, version).located(index, Face(x, 0, 10, 10, 0.9))
    return located._replace(label=label, score=score, probabilities=shares)


def without(file: str, status: Status, version: str = "1-1") -> Row:
    return Row(file, version=version).without_label(status, "why")


def write(path: Path, rows: Sequence[Row], *, schema: int = 2, **record: Any) -> Path:
    """Write a table with its run record, and rows in the order given."""
    made = replace(odd_rows.record_of(CLASS_NAMES, finished=True, schema_version=schema), **record)
    format_ = formats.of(path)
    if schema == 1:
        assert format_.appendable
        encoded = format_.appendable.encode(rows, made.class_names, 1)
        path.write_bytes(format_.appendable.header(made.class_names, 1) + encoded)
    else:
        format_.write(path, rows, made)
    run_record.write(path, made, "")
    return path


A = [
    face("a.jpg", "happy", 0.9),
    face("b.jpg", "happy", 0.7),
    face("b.jpg", "sad", 0.6, index=1, x=50),
    face("c.jpg", UNCERTAIN, 0.4),
    face("d.jpg", "angry"),
    without("e.jpg", Status.NO_FACE),
    face("f.jpg", "sad"),
    face("only a.jpg", "happy"),
    face("x/happy.jpg", "happy"),
]
B = [
    face("a.jpg", "sad", 0.8),
    face("b.jpg", "happy", 0.7),
    face("b.jpg", "happy", 0.9, index=1, x=80),
    face("c.jpg", "happy", 0.6),
    without("d.jpg", Status.UNREADABLE),
    face("e.jpg", "sad"),
    face("f.jpg", "angry", 0.95),
    without("only b.jpg", Status.NO_FACE),
    face("x/happy.jpg", "happy"),
]


@pytest.fixture
def tables(tmp_path: Path) -> DiffSettings:
    return DiffSettings(a=write(tmp_path / "a.csv", A), b=write(tmp_path / "b.csv", B))


def test_what_only_one_table_has_and_what_changed_is_counted(tables: DiffSettings) -> None:
    found = diff(tables).comparison

    assert (found.both, found.matched) == (7, 5)
    assert (found.a.files, found.a.faces, found.a.only_files, found.a.only_faces) == (8, 8, 1, 2)
    assert (found.b.files, found.b.faces, found.b.only_files, found.b.only_faces) == (8, 7, 1, 2)
    assert (found.a.only_file_names, found.b.only_file_names) == (["only a.jpg"], ["only b.jpg"])
    assert found.status_names == {("ok", "unreadable"): ["d.jpg"], ("no_face", "ok"): ["e.jpg"]}
    assert found.labels == {
        ("happy", "sad"): 1,
        ("happy", "happy"): 2,
        ("sad", "no_face"): 1,
        ("no_face", "happy"): 1,
        ("uncertain", "happy"): 1,
        ("angry", "unreadable"): 1,
        ("no_face", "sad"): 1,
        ("sad", "angry"): 1,
    }


def test_agreement_is_that_of_the_faces_with_a_class_in_both(tables: DiffSettings) -> None:
    """Of happy-sad, happy-happy twice and sad-angry 2 of 4 agree; by chance (3 x 2 + 1 x 1) / 16 would."""
    found = diff(tables).agreement

    assert (found.n, found.agreed) == (4, 2)
    assert found.kappa
    assert found.kappa.value == pytest.approx((0.5 - 7 / 16) / (1 - 7 / 16))


@pytest.mark.parametrize(("most", "files"), [(0, []), (1, ["a.jpg"]), (9, ["a.jpg", "f.jpg"])])
def test_the_surest_changes_come_first(tables: DiffSettings, most: int, files: list[str]) -> None:
    """Those of which the less sure table is the surest; a.jpg has 0.9 and 0.8, f.jpg 0.8 and 0.95."""
    found = diff(replace(tables, flips=most)).comparison.flips

    assert [flip.a.file for flip in found] == files


@pytest.mark.parametrize("least", [0.2, 0.5])
def test_the_limit_on_the_overlap_decides_what_is_one_face(tmp_path: Path, least: float) -> None:
    a = write(tmp_path / "a.csv", [face("a.jpg", "happy")])
    b = write(tmp_path / "b.csv", [face("a.jpg", "happy", x=5)])

    assert diff(DiffSettings(a=a, b=b, least_iou=least)).comparison.matched == (least < 1 / 3)


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_tables_of_two_formats_and_in_any_order_are_compared_alike(
    tables: DiffSettings, tmp_path: Path, suffix: str
) -> None:
    mixed = [*B]
    random.Random(1).shuffle(mixed)
    other = diff(replace(tables, b=write(tmp_path / f"other{suffix}", mixed))).as_json()
    expected = diff(tables).as_json()

    assert other["b"].pop("table") != expected["b"].pop("table")
    assert other == expected


def test_a_table_beside_itself_agrees_in_everything(tables: DiffSettings) -> None:
    found = diff(replace(tables, b=tables.a))

    assert (found.agreement.share, found.agreement.kappa and found.agreement.kappa.value) == (1, 1)
    assert all(one == other for one, other in found.comparison.labels)
    assert (found.comparison.flips, found.differences, found.comparison.status_names) == ([], [], {})


FACES = some.lists(some.tuples(some.sampled_from([*CLASS_NAMES, UNCERTAIN]), some.integers(0, 4)), max_size=4)
PHOTO = some.one_of(FACES, some.sampled_from([Status.NO_FACE, Status.UNREADABLE]), some.none())


def rows_of(file: str, drawn: list[tuple[str, int]] | Status | None) -> list[Row] | None:
    if not isinstance(drawn, list):
        return drawn and [without(file, drawn)]
    found = [face(file, label, index=index, x=3.0 * x) for index, (label, x) in enumerate(drawn)]
    return found or [without(file, Status.NO_FACE)]


@given(some.lists(some.tuples(PHOTO, PHOTO), max_size=6))
def test_exchanging_the_tables_transposes_all_counts(photos: list[tuple[Any, Any]]) -> None:
    one, other, alone = (Comparison(most_flips=99) for _ in range(3))
    for number, (a, b) in enumerate(photos):
        both = rows_of(f"{number}.jpg", a), rows_of(f"{number}.jpg", b)
        one.add(both)
        other.add(both[::-1])
        alone.add((both[0], both[0]))

    assert other.labels == {(b, a): count for (a, b), count in one.labels.items()}
    assert other.statuses == {(b, a): count for (a, b), count in one.statuses.items()}
    assert (other.a, other.b, other.matched) == (one.b, one.a, one.matched)
    assert {(flip.b, flip.a) for flip in other.flips} == {(flip.a, flip.b) for flip in one.flips}
    assert sum(one.labels.values()) == one.matched + one.a.only_faces + one.b.only_faces
    agreed = agreement({pair: count for pair, count in alone.labels.items() if all(map(is_class, pair))})
    assert agreed.n == agreed.agreed


def test_classes_are_those_of_both_models(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", [face("a.jpg", "sad"), face("b.jpg", "happy")])
    calm = face("a.jpg", "calm", 0.9)._replace(probabilities=(0.9, 0.1))
    happy = face("b.jpg", "happy", 0.9)._replace(probabilities=(0.1, 0.9))
    b = write(tmp_path / "b.csv", [calm, happy], class_names=("calm", "happy"))
    found = diff(DiffSettings(a=a, b=b))

    assert found.class_names == ("angry", "happy", "sad", "calm")
    assert found.said == ["happy", "sad", "calm"]
    assert found.agreement.share == 0.5
    assert found.changes == [("sad", "calm", 1)]


def test_files_that_changed_between_the_runs_are_left_out_and_named(tables: DiffSettings, tmp_path: Path) -> None:
    changed = [row._replace(version="2-2") if row.file == "a.jpg" else row for row in B]
    wanted = replace(tables, b=write(tmp_path / "changed.csv", changed))
    found, ignored = diff(wanted).comparison, diff(replace(wanted, ignore_versions=True)).comparison

    assert (found.changed, found.changed_names, found.both) == (1, ["a.jpg"], 7)
    assert ("happy", "sad") not in found.labels
    assert ignored.labels == diff(tables).comparison.labels


def test_tables_of_schema_one_have_no_version_to_check(run: Run, tmp_path: Path) -> None:
    old = [row._replace(image_width=None, image_height=None, version="") for row in A]
    a, b = write(tmp_path / "a.csv", old, schema=1), write(tmp_path / "b.csv", B)
    result = run("diff", a, b)

    assert diff(DiffSettings(a=a, b=b)).comparison.matched == 5
    assert "not checked whether they are the same, without a version: 7 files" in result.stderr


def test_tables_of_other_photos_are_refused(run: Run, tables: DiffSettings, tmp_path: Path) -> None:
    others = [row._replace(version="9-9") for row in B]
    b = write(tmp_path / "b.csv", others, root="/elsewhere")
    result = run("diff", tables.a, b, "--json")
    error = json.loads(result.stdout)["error"]

    assert (result.exit_code, error["kind"], result.stderr.count("\n")) == (
        2,
        "usage",
        1 + ("comparing" in result.stderr),
    )
    assert "not of the same photos: their folders differ (/photos, /elsewhere)" in error["message"]
    assert run("diff", tables.a, b, "--ignore-versions", "-q").exit_code == 0


def test_a_copy_of_the_photos_with_their_times_is_accepted(tables: DiffSettings, tmp_path: Path) -> None:
    found = diff(replace(tables, b=write(tmp_path / "b.csv", B, root="/copy")))

    assert found.comparison.same_version == 7
    assert ("root", "/photos", "/copy") in found.differences


def test_a_copy_of_the_photos_of_which_some_have_changed_is_accepted(tables: DiffSettings, tmp_path: Path) -> None:
    changed = [row._replace(version="2-2") if row.file != "f.jpg" else row for row in B]
    found = diff(replace(tables, b=write(tmp_path / "b.csv", changed, root="/copy"))).comparison

    assert (found.same_version, found.changed, found.labels) == (1, 6, {("sad", "angry"): 1})


def test_tables_without_a_common_file_are_refused(tables: DiffSettings, tmp_path: Path) -> None:
    b = write(tmp_path / "b.csv", [face("z.jpg", "happy")], root="/elsewhere")
    with pytest.raises(LabelerError, match=r"no file is in both .* relative to /photos and /elsewhere"):
        diff(replace(tables, b=b))


def test_a_table_of_absolute_names_is_compared_with_one_of_relative_names(tables: DiffSettings, tmp_path: Path) -> None:
    absolute = [row._replace(file=f"/photos/{row.file}") for row in B]
    b = write(tmp_path / "b.csv", absolute, settings={"threshold": 0.0, "absolute": True})

    assert diff(replace(tables, b=b)).comparison.labels == diff(tables).comparison.labels


def test_beside_the_truth_each_table_has_its_accuracy_and_mcnemars_test_decides(
    run: Run, folder: Folder, tmp_path: Path
) -> None:
    """Of 8 photos A has 7 right, 5 of them alone, and B 3, the uncertain one alone: p = 2 (1 + 6) / 2**6."""
    answers = {f"{number}.jpg": ("happy", "sad" if number < 5 else "happy") for number in range(7)}
    answers["7.jpg"] = ("angry", UNCERTAIN)
    for file in answers:
        folder.picture(file)
    root, extra = str(folder.path), [without("8.jpg", Status.NO_FACE)]
    folder.picture("8.jpg")
    a = write(tmp_path / "a.csv", [*(face(file, one) for file, (one, _) in answers.items()), *extra], root=root)
    b = write(tmp_path / "b.csv", [*(face(file, other) for file, (_, other) in answers.items()), *extra], root=root)
    truth = tmp_path / "truth.csv"
    truth.write_text(
        "file,label\n" + "".join(f"{number}.jpg,happy\n" for number in range(7)) + "7.jpg,sad\n8.jpg,sad\n"
    )
    result = run("diff", a, b, "--labels", truth, "--json")
    found = json.loads(result.stdout)["truth"]

    assert (found["n"], found["against"]) == (8, "the labels in truth.csv")
    assert (found["accuracy_a"]["share"], found["accuracy_b"]["share"]) == (7 / 8, 3 / 8)
    assert found["mcnemar"] == {
        "only_a": 5, "only_b": 1, "p": pytest.approx(2 * 7 / 64), "test": "exact binomial test",
    }  # fmt: skip
    assert found["left_out"] == {"without an answer in both": 1}
    assert "right only in A: 5, only in B: 1; McNemar's test, exact binomial test: p = 0.22" in result.stderr


def test_class_folders_can_be_the_truth(tmp_path: Path) -> None:
    rows = [face("happy/1.jpg", "happy"), face("sad/1.jpg", "sad"), face("sad/2.jpg", "sad"), face("calm/1.jpg", "sad")]
    a = write(tmp_path / "a.csv", [rows[3], *rows[:3], face("top.jpg", "sad")])
    b = write(tmp_path / "b.csv", [row._replace(label="sad") for row in [rows[3], *rows[:3]]])
    answers = diff(DiffSettings(a=a, b=b, class_folders=True)).comparison.answers

    assert answers
    assert (answers.n, answers.right_a, answers.right_b, answers.only_a) == (3, 3, 2, 1)
    assert answers.left_out == {"of a class that both lack": 1}


def test_a_truth_about_no_photo_is_refused(tables: DiffSettings) -> None:
    with pytest.raises(NoPicturesError, match=r"class folders: 6 without a true class, 1 of a class that both lack"):
        diff(replace(tables, class_folders=True))


def test_json_goes_to_stdout_and_text_to_stderr(run: Run, tables: DiffSettings) -> None:
    loud, machine = run("diff", tables.a, tables.b), run("diff", tables.a, tables.b, "--json", "--quiet")
    found = json.loads(machine.stdout)

    assert (loud.exit_code, loud.stdout, machine.stderr) == (0, "", "")
    assert "files: 7 in both, 1 only in A (only a.jpg), 1 only in B (only b.jpg)" in loud.stderr
    assert "status: ok in A, unreadable in B: 1 file (d.jpg)" in loud.stderr
    assert "agreement 0.500 (0.150 to 0.850), Cohen's kappa 0.111" in loud.stderr
    assert found["labels"]["happy"] == {"sad": 1, "happy": 2}
    assert found["flips"][0] == {
        "file": "a.jpg",
        "score": 0.8,
        "a": {"face": 0, "label": "happy", "score": 0.9, "reviewed": False},
        "b": {"face": 0, "label": "sad", "score": 0.8, "reviewed": False},
    }


def test_settings_that_differ_are_named(run: Run, tables: DiffSettings, tmp_path: Path) -> None:
    b = write(tmp_path / "b.csv", B, model="other", model_sha256="b" * 64, settings={"threshold": 0.7})
    result = run("diff", tables.a, b)

    assert "differs: model: m (aaaaaaaaaaaa) in A, other (bbbbbbbbbbbb) in B" in result.stderr
    assert "differs: --threshold: 0.0 in A, 0.7 in B" in result.stderr


def test_a_matrix_that_has_no_room_becomes_a_list_of_changes(run: Run, tmp_path: Path) -> None:
    names = tuple(f"class number {number}" for number in range(30))
    rows = [face(f"{number:02}.jpg", names[number], 0.9)._replace(probabilities=(1 / 30,) * 30) for number in range(30)]
    turned = [row._replace(label=names[number // 2]) for number, row in enumerate(rows)]
    a, b = (write(tmp_path / f"{t}.csv", found, class_names=names) for t, found in (("a", rows), ("b", turned)))
    result = run("diff", a, b, "--flips", 0)

    lines = [line.split() for line in result.stderr.splitlines()]

    assert "class number 1 class number 0 1".split() in lines
    assert "17 more changes 17".split() in lines
    assert "A" not in [line[0] for line in lines[3:]]


def test_hostile_text_cannot_command_a_terminal(run: Run, tmp_path: Path) -> None:
    a = hostile.make_table(tmp_path / "a.csv")
    escape = "\x1b[31m\x9b.jpg"
    rows = [face(escape, "happy"), face("\u202egpj.exe", "happy"), face("[red]markup[/red].jpg", "happy")]
    c = write(tmp_path / "c.csv", sorted(rows, key=lambda row: row.file), root="\x1b[2J")
    d = write(tmp_path / "d.csv", [row._replace(label="\x1b]0;title\x07") for row in sorted(rows)], root="[bold]")
    for result in (run("diff", a, a), run("diff", c, d)):
        assert result.exit_code == 0
        assert {sign for sign in result.stderr if not sign.isprintable()} == {"\n"}
    assert "[red]markup[/red].jpg" in result.stderr
    assert r"\x1b]0;title\x07" in result.stderr


def test_tables_whose_labels_are_texts_are_refused(
    tables: DiffSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "MOST_CHANGES", 50)
    rows = [face(f"{number:03}.jpg", "sad") for number in range(60)]
    b = write(tmp_path / "b.csv", [row._replace(label=f"text {row.file}") for row in rows])
    with pytest.raises(LabelerError, match="more than 50 ways: they are no classes"):
        diff(replace(tables, a=write(tmp_path / "a.csv", rows), b=b))


def test_memory_does_not_grow_with_the_tables(tmp_path: Path) -> None:
    peaks = []
    for count in (2_000, 10_000):
        rows = [face(f"{number:06}.jpg", CLASS_NAMES[number % 3]) for number in range(count)]
        a = write(tmp_path / "a.csv", rows)
        b = write(tmp_path / "b.csv", [row._replace(label="sad") for row in rows])
        del rows
        tracemalloc.start()
        assert len(diff(DiffSettings(a=a, b=b, flips=20)).comparison.flips) == 20
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] - peaks[0] < 100_000
