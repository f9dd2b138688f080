"""The labels that count while persons label: those of the log, by the same rules as everywhere else."""

from __future__ import annotations

import random
from pathlib import Path

import odd_rows
import pytest
from reviewing import NAMES, event, face, hexed

from labeler.errors import OutputError
from labeler.records import Row, Status
from labeler.review import told
from labeler.review.current import Current, Said
from labeler.tables import corrections, index
from labeler.tables.matching import Box
from labeler.tables.review_log import Log
from labeler.tables.reviews import Kind

BOXES = [Box(10.0, 10.0, 40.0, 40.0), Box(100.0, 10.0, 40.0, 40.0)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [face(f"{name}.jpg", at, box) for name in "abcd" for at, box in enumerate(BOXES)]
    rows.append(Row.of_image("none.jpg", 640, 480, "1-1").without_label(Status.NO_FACE, "no face found"))
    odd_rows.write_finished(tmp_path / "t.csv", odd_rows.record_of(NAMES), rows)
    return tmp_path / "t.csv"


def opened(table: Path, reviewer: str = "ann") -> Current:
    return Current(index.load(table), Log.of(table), reviewer, lambda _: None)


def labels(current: Current) -> list[str]:
    return [current.labels[code] for code in current.label]


def test_a_label_counts_at_once_and_after_a_restart(table: Path) -> None:
    current = opened(table)
    current.say(hexed(1), [Said(row=2, new="angry"), Said(row=3, new="happy"), Said(row=0, new="not_a_face")])

    for one in (current, opened(table)):
        assert labels(one)[:4] == ["not_a_face", "happy", "angry", "happy"]
        assert one.reviewed == 3
        assert one.counts == {"happy": 6, "angry": 1, "not_a_face": 1}
        assert one.shown(2) == {"row": 2, "label": "angry", "before": "happy", "reviewed": True, "reviewer": "ann"}


def test_an_undo_knows_of_how_many_faces_it_is_whatever_else_their_photos_show(table: Path) -> None:
    current = opened(table)
    current.say(hexed("earlier"), [Said(row=0, new="angry")])
    current.say(hexed(1), [Said(row=0, new="happy"), Said(row=2, new="angry")])
    undone, rows = current.undo(hexed(2))

    assert (len(rows), len(told.said_in(current, undone, rows))) == (4, 2)


def test_undo_and_redo_go_back_and_forth_without_limit_and_over_restarts(table: Path) -> None:
    current = opened(table)
    seen = [labels(current)]
    for step in range(4):
        current.say(hexed(step), [Said(row=step, new="angry"), Said(row=step + 1, new="uncertain")])
        seen.append(labels(current))
    for step in (3, 2, 1):
        assert current.undo(hexed(f"undo {step}"))[0] == hexed(step)
        assert labels(current) == seen[step]
    current = opened(table)
    for step in (2, 3):
        assert current.redo(hexed(f"redo {step}"))[0] == hexed(step - 1)
        assert labels(current) == seen[step]
    current.undo(hexed("once more"))
    assert labels(opened(table)) == labels(current) == seen[2]


def test_undo_changes_nothing_where_there_is_nothing_of_ones_own(table: Path) -> None:
    opened(table, "ben").say(hexed(1), [Said(row=0, new="angry")])

    assert opened(table).undo(hexed(2)) == ("", [])
    assert opened(table).redo(hexed(3)) == ("", [])


def test_an_undo_that_is_asked_for_again_undoes_no_more(table: Path) -> None:
    current = opened(table)
    for step in (0, 1):
        current.say(hexed(step), [Said(row=step, new="angry")])

    first = current.undo(hexed("u"))
    size = len(Log.of(table).read())

    for one in (current, opened(table)):  # Its answer was lost, and then the server was killed.
        assert one.undo(hexed("u")) == first
        assert labels(one)[:2] == ["angry", "happy"]
    assert len(Log.of(table).read()) == size


def test_an_action_that_is_said_again_is_said_once(table: Path) -> None:
    current = opened(table)
    current.say(hexed(1), [Said(row=0, new="angry")])
    size = len(Log.of(table).read())

    assert current.say(hexed(1), [Said(row=0, new="angry")]) == [0]
    assert opened(table).say(hexed(1), [Said(row=0, new="angry")]) == [0]
    assert len(Log.of(table).read()) == size


@pytest.mark.parametrize("kept", [0, 1, 3, 7])
def test_an_action_that_a_kill_cut_in_two_is_completed_when_it_is_said_again(table: Path, kept: int) -> None:
    said = [Said(row=row, new="angry") for row in range(8)]
    opened(table).say(hexed(1), said)
    log = Log.of(table)
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:kept]) + lines[kept][:-9])
    current = opened(table)
    assert labels(current)[:8] == ["angry"] * kept + ["happy"] * (8 - kept)

    for one in (current, current, opened(table)):
        assert one.say(hexed(1), said) == list(range(8))
        assert labels(one)[:8] == labels(opened(table))[:8] == ["angry"] * 8
        assert one.counts == {"angry": 8}
    assert log.path.read_bytes().splitlines(keepends=True)[:kept] == lines[:kept]
    assert [one.old for one in log.read()] == ["happy"] * 8
    assert current.undo(hexed(2)) == (hexed(1), list(range(8)))
    assert labels(opened(table))[:8] == ["happy"] * 8


def test_the_majority_of_several_persons_decides(table: Path) -> None:
    for reviewer, label in (
        ("ann", "angry"),
        ("ben", "uncertain"),
        ("cy", "angry"),
        ("di", "uncertain"),
        ("ann", "happy"),
    ):
        opened(table, reviewer).say(hexed((reviewer, label)), [Said(row=1, new=label)])

    assert labels(opened(table))[1] == "uncertain"
    assert opened(table).shown(1)["reviewer"] == "di"


def test_an_added_face_can_be_relabelled_and_undone(table: Path) -> None:
    current = opened(table)
    number = current.add(hexed(1), Said(row=8, new="angry"), Box(1, 2, 30, 40))
    assert number == 9
    current.say(hexed(2), [Said(row=number, new="happy")])

    for one in (current, opened(table)):
        assert one.shown(number)["label"] == "happy"
        assert (one.row(number).file, one.row(number)[2:6]) == ("none.jpg", (1, 2, 30, 40))
        assert one.beside(number) == one.beside(8) == [8, 9]
    current.undo(hexed(3))
    assert current.shown(number)["label"] == "angry"
    current.undo(hexed(4))
    assert current.shown(number)["label"] == ""
    assert current.counts == {"happy": 8}


def test_an_added_face_has_the_same_row_after_a_restart(table: Path) -> None:
    """What the page could not send before a kill names rows."""
    current = opened(table)
    current.say(hexed(0), [Said(row=2, new="angry")])
    for step, row in enumerate((8, 2, 8), 1):
        current.add(hexed(step), Said(row=row, new="angry"), Box(200.0, 60.0 * step, 40.0, 40.0))
    current.add(hexed("none"), Said(row=0, new="angry"), Box(300.0, 10.0, 40.0, 40.0))
    current.undo(hexed("undo"))
    current.add(hexed("last"), Said(row=4, new="angry"), Box(300.0, 10.0, 40.0, 40.0))
    places = [current.row(row)[:6] for row in range(9, 14)]

    again = opened(table)
    assert [again.row(row)[:6] for row in range(9, 14)] == places
    assert labels(again) == labels(current)


def test_the_labels_are_those_that_other_commands_see(table: Path) -> None:
    chance = random.Random(5)
    current = opened(table)
    for step in range(60):
        what = chance.random()
        if what < 0.2:
            current.undo(hexed(step))
        elif what < 0.3:
            current.redo(hexed(step))
        elif what < 0.4:
            box = Box(chance.randrange(200, 300), chance.randrange(200), 20.0, 20.0)
            current.add(hexed(step), Said(row=chance.randrange(9), new=chance.choice(NAMES)), box)
        else:
            rows = chance.sample(range(8), 3)
            choices = (*NAMES, "uncertain", "not_a_face")
            current.say(hexed(step), [Said(row=row, new=chance.choice(choices)) for row in rows])
    told = corrections.of_table(table)
    assert told
    theirs = sorted((row.file, row[2:6], row.label) for row in told.rows(_rows(table)) if row.label)
    ours = sorted(
        (current.row(number).file, current.row(number)[2:6], label)
        for number, label in enumerate(labels(current))
        if label not in {"", "not_a_face"}
    )
    assert ours == theirs
    assert labels(opened(table))[:9] == labels(current)[:9]
    assert sum(current.counts.values()) == sum(label != "" for label in labels(current))


def _rows(table: Path) -> list[Row]:
    found = index.load(table)
    return [found.row(number) for number in range(len(found))]


def test_events_of_no_face_are_named_and_the_rest_counts(table: Path) -> None:
    far = Box(500.0, 400.0, 40.0, 40.0)
    Log.of(table).append([event("angry", 1), event("angry", 2, box=far), event("angry", 3, file="gone.jpg")])
    current = opened(table)

    assert labels(current)[0] == "angry"
    assert current.orphans == {"a.jpg": 1, "gone.jpg": 1}


def test_a_log_that_cannot_be_written_leaves_the_labels_as_they_are(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = opened(table)

    def refuse(_: object, __: object) -> int:
        raise OutputError("no space left")

    monkeypatch.setattr(Log, "append", refuse)
    with pytest.raises(OutputError):
        current.say(hexed(1), [Said(row=0, new="angry")])
    assert labels(current)[0] == "happy"
    monkeypatch.undo()
    current.say(hexed(1), [Said(row=0, new="angry")])
    assert labels(opened(table))[0] == "angry"


def test_the_history_of_a_face_is_its_own(table: Path) -> None:
    current = opened(table)
    current.say(hexed(1), [Said(row=0, new="angry"), Said(row=1, new="uncertain")])
    current.say(hexed(2), [Said(row=0, new="happy")])
    current.undo(hexed(3))

    assert [(one.old, one.new, one.kind) for one in told.history(current, 0)] == [("happy", "angry", Kind.LABEL)]
