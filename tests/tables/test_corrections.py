"""The corrections of a table: which face an event belongs to, what counts of several, and the rows that come of it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviewing import event, face, hexed, undo

from labeler.records import UNCERTAIN, Row, Status
from labeler.tables.corrections import REMOVED, Corrections, Reviews
from labeler.tables.matching import Box
from labeler.tables.reviews import NOT_A_FACE, Event, Kind, now

FAR = Box(200.0, 200.0, 60.0, 60.0)
NEAR = Box(12.0, 10.0, 40.0, 40.0)
"""`BOX`, moved by 2 pixels."""
BLANK = Row("a.jpg", image_width=640, image_height=480, version="1-1").without_label(Status.NO_FACE, "none")


def corrected(rows: Sequence[Row], *events: Event, hashes: dict[str, str] | None = None) -> list[Row]:
    return list(Corrections(Reviews(events), (hashes or {}).get).rows(rows))


def said(rows: Sequence[Row]) -> list[tuple[str, int | None, str, str | None]]:
    return [(row.file, row.face, row.label, row.before) for row in rows]


def test_only_the_face_that_was_reviewed_changes_and_its_scores_stay() -> None:
    rows = [face("0.jpg"), face(), face(index=1, box=FAR), face("b.jpg")]
    found = corrected(rows, event("angry"))

    assert found == [rows[0], rows[1]._replace(label="angry", before="happy"), *rows[2:]]


def test_an_acceptance_is_a_review_and_unsure_is_no_class() -> None:
    assert said(corrected([face()], event("happy"))) == [("a.jpg", 0, "happy", "happy")]
    assert said(corrected([face()], event(UNCERTAIN))) == [("a.jpg", 0, UNCERTAIN, "happy")]


def test_what_is_no_face_has_no_row_and_its_file_still_has_one() -> None:
    rows = [face(), face(index=1, box=FAR), face("b.jpg")]

    assert corrected(rows, event(NOT_A_FACE)) == rows[1:]
    (alone, other) = corrected([rows[0], rows[2]], event(NOT_A_FACE))
    assert alone == BLANK._replace(reason=REMOVED, before="happy")
    assert other == rows[2]


def test_an_added_face_comes_after_the_others_without_a_score() -> None:
    rows = [face(), face("b.jpg")]
    new = BLANK._replace(face=1, x=200.0, y=200.0, width=60.0, height=60.0, label="angry", before="")
    added = new._replace(status=Status.OK, reason="")

    assert corrected(rows, event("angry", kind=Kind.ADD, box=FAR)) == [rows[0], added, rows[1]]
    assert corrected([BLANK], event("angry", kind=Kind.ADD, box=FAR)) == [added._replace(face=0)]


def test_an_added_face_can_be_relabelled_removed_and_taken_back() -> None:
    add = event("angry", 1, kind=Kind.ADD, box=FAR, old="")

    assert said(corrected([face()], add, event("happy", 2, box=FAR)))[1] == ("a.jpg", 1, "happy", "")
    assert corrected([face()], add, event(NOT_A_FACE, 2, box=FAR)) == [face()]
    assert corrected([face()], add, event("", 2, box=FAR, kind=Kind.ADD)) == [face()]
    assert corrected([face()], add, undo(1, 2)) == [face()]


def test_a_face_that_a_later_detector_finds_is_the_added_one() -> None:
    rows = [face(), face(index=1, box=FAR, label="happy")]

    assert said(corrected(rows, event("angry", kind=Kind.ADD, box=Box(202.0, 200.0, 60.0, 60.0)))) == [
        ("a.jpg", 0, "happy", None),
        ("a.jpg", 1, "angry", "happy"),
    ]


def test_two_that_draw_the_same_missed_face_add_it_once() -> None:
    drawn = [
        event("angry", 1, kind=Kind.ADD, box=FAR),
        event("angry", 2, kind=Kind.ADD, box=Box(203.0, 203.0, 60.0, 60.0), reviewer="ben"),
    ]
    assert len(corrected([face()], *drawn)) == 2


@pytest.mark.parametrize(
    ("box", "label"),
    [
        pytest.param(NEAR, "angry", id="moved a little"),
        pytest.param(Box(10.0, 10.0, 40.0, 20.0), "angry", id="half of it"),
        pytest.param(Box(10.0, 10.0, 40.0, 19.0), "happy", id="less than half"),
        pytest.param(FAR, "happy", id="another face"),
    ],
)
def test_a_correction_follows_its_face_by_the_overlap(box: Box, label: str) -> None:
    corrections = Corrections(Reviews([event("angry")]), lambda _: None)
    (row,) = corrections.rows([face(box=box)])

    assert row.label == label
    assert corrections.counts.orphans == ({} if label == "angry" else {"a.jpg": 1})


def test_of_two_faces_that_overlap_the_box_each_gets_its_own() -> None:
    rows = [face(), face(index=1, box=NEAR)]

    assert [row.label for row in corrected(rows, event("angry", 1, box=NEAR))] == ["happy", "angry"]
    both = corrected(rows, event("angry", 1, box=NEAR), event(UNCERTAIN, 2))
    assert [row.label for row in both] == [UNCERTAIN, "angry"]


def test_what_was_said_of_a_face_before_its_box_moved_counts_with_what_was_said_after() -> None:
    earlier, later = event("angry", 1), event(UNCERTAIN, 2, box=NEAR)

    assert said(corrected([face(box=NEAR)], earlier, later)) == [("a.jpg", 0, UNCERTAIN, "happy")]
    assert said(corrected([face(box=NEAR)], event("angry", 3), later)) == [("a.jpg", 0, "angry", "happy")]


@pytest.mark.parametrize(
    ("version", "hashes", "label"),
    [
        pytest.param("1-1", {}, "angry", id="the same version is not read"),
        pytest.param("2-2", {"a.jpg": hexed("picture")}, "angry", id="the same content"),
        pytest.param("2-2", {"a.jpg": hexed("other")}, "happy", id="another picture"),
        pytest.param("2-2", {}, "happy", id="unreadable"),
        pytest.param("", {}, "angry", id="a table of version 1"),
    ],
)
def test_a_correction_belongs_to_the_picture_that_was_seen(version: str, hashes: dict[str, str], label: str) -> None:
    found = corrected([face(version=version)], event("angry", hash=hexed("picture")), hashes=hashes)

    assert [row.label for row in found] == [label]
    assert corrected([face(version="2-2")], event("angry"), hashes={"a.jpg": hexed("picture")}) == [face(version="2-2")]


def test_a_whole_photo_without_a_box_is_corrected() -> None:
    row = Row("a.jpg", label="happy", score=0.9, probabilities=(0.1, 0.9))

    assert said(corrected([row], event("angry", box=None))) == [("a.jpg", None, "angry", "happy")]


def test_a_file_that_cannot_be_read_now_keeps_its_reason() -> None:
    failed = Row("a.jpg", version="1-1").without_label(Status.UNREADABLE, "gone")

    assert corrected([failed], event("angry", kind=Kind.ADD)) == [failed]


def test_the_majority_decides_and_of_a_tie_the_latest() -> None:
    votes = [event("angry", 1, reviewer="ann"), event(UNCERTAIN, 2, reviewer="ben"), event("angry", 3, reviewer="cem")]

    assert corrected([face()], *votes)[0].label == "angry"
    assert corrected([face()], *votes[:2])[0].label == UNCERTAIN
    assert corrected([face()], *votes, event(UNCERTAIN, 4, reviewer="ann"))[0].label == UNCERTAIN
    assert corrected([face()], *votes, event(UNCERTAIN, 4, reviewer="ben"))[0].label == "angry"


def test_the_counts_say_what_was_reviewed_by_whom_and_what_belongs_to_nothing() -> None:
    corrections = Corrections(
        Reviews(
            [
                event("happy", 1),
                event("angry", 2, file="b.jpg"),
                event("angry", 3, file="b.jpg", reviewer="ben"),
                event(NOT_A_FACE, 4, file="c.jpg"),
                event("angry", 5, file="d.jpg", kind=Kind.ADD, box=FAR),
                event("angry", 6, file="gone.jpg"),
                event("angry", 7, box=FAR),
                event("angry", 8, file="e.jpg"),
                undo(8, 9),
            ]
        ),
        lambda _: None,
    )
    for _ in range(2):
        list(corrections.rows([face(f"{name}.jpg") for name in "abcde"]))
        counts = corrections.counts
        assert (counts.reviewed, counts.changed, counts.not_a_face, counts.added) == (4, 1, 1, 1)
        assert counts.reviewers == {"ann": 4, "ben": 1}
        assert counts.orphans == {"a.jpg": 1, "gone.jpg": 1}


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    """Draw what up to three persons do to two faces of two photos: labels, acceptances, undos, redos."""
    events: list[Event] = []
    reviews = Reviews()
    for second in range(draw(st.integers(1, 14))):
        reviewer = draw(st.sampled_from(["ann", "ben", "cem"]))
        deed = draw(st.sampled_from(["label", "label", "undo", "redo"]))
        target = reviews.actions.to_undo(reviewer) if deed == "undo" else reviews.actions.to_redo(reviewer)
        if deed == "label":
            files = draw(st.sets(st.sampled_from(["a.jpg", "b.jpg"]), min_size=1))
            label = draw(st.sampled_from(["angry", "happy", UNCERTAIN, NOT_A_FACE]))
            new = [event(label, second, file=file, reviewer=reviewer) for file in sorted(files)]
        elif target:
            new = [undo_of(target, second, reviewer)]
        else:
            continue
        reviews.add(new)
        events += new
    return events


PHOTOS = [face("a.jpg"), face("b.jpg")]


@settings(max_examples=200, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_neither_the_order_of_lines_nor_having_them_twice_matters(events: list[Event], chance: random.Random) -> None:
    shuffled = [*events, *events[::2]]
    chance.shuffle(shuffled)
    piecewise = Reviews()
    for one in shuffled:
        piecewise.add([one])

    assert corrected(PHOTOS, *shuffled) == corrected(PHOTOS, *events)
    assert list(Corrections(piecewise, lambda _: None).rows(PHOTOS)) == corrected(PHOTOS, *events)


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from(["ann", "ben"]), st.integers(1, 16))
def test_undo_goes_back_step_by_step_and_redo_returns(events: list[Event], reviewer: str, steps: int) -> None:
    """Each undo leads to the state before the action; as many redos lead to where the undos began."""
    reviews = Reviews(events)
    states = [list(Corrections(reviews, lambda _: None).rows(PHOTOS))]
    undone = 0
    for number in range(steps):
        action = reviews.actions.to_undo(reviewer)
        if not action:
            break
        without = [
            one for one in events if (one.reviewer, one.action) not in reviews.actions.undone | {(reviewer, action)}
        ]
        reviews.add([undo_of(action, 100 + number, reviewer)])
        states.append(list(Corrections(reviews, lambda _: None).rows(PHOTOS)))
        assert states[-1] == corrected(PHOTOS, *(one for one in without if one.kind is not Kind.UNDO))
        undone += 1
    for number in range(undone):
        states.pop()
        action = reviews.actions.to_redo(reviewer)
        assert action
        assert reviews.add([undo_of(action, 200 + number, reviewer)]) <= {"a.jpg", "b.jpg"}
        assert list(Corrections(reviews, lambda _: None).rows(PHOTOS)) == states[-1]


def undo_of(action: str, second: int, reviewer: str) -> Event:
    return Event(
        action=hexed(second),
        time=undo("", second).time,
        reviewer=reviewer,
        kind=Kind.UNDO,
        undoes=action,
    )


def test_nothing_is_redone_once_something_else_was_labelled() -> None:
    reviews = Reviews([event("angry", 1), undo(1, 2), event(UNCERTAIN, 3)])

    assert reviews.actions.to_redo("ann") == ""
    assert reviews.actions.to_undo("ann") == hexed(3)
    assert reviews.actions.to_undo("ben") == ""


def test_nobody_undoes_what_another_said_nor_what_comes_later() -> None:
    assert corrected([face()], event("angry", 1), undo(1, 2, reviewer="ben"))[0].label == "angry"
    assert corrected([face()], event("angry", 3), undo(3, 2))[0].label == "angry"
    assert corrected([face()], event("angry", 1), undo(3, 2), undo(2, 3))[0].label == "angry"


def test_an_undo_names_the_files_that_it_touches_through_any_number_of_redos() -> None:
    reviews = Reviews([event("angry", 0, file="a.jpg", action=0), event("angry", 0, file="b.jpg", action=0)])
    for second in range(1, 3000):
        assert reviews.add([undo(second - 1, second)]) == {"a.jpg", "b.jpg"}

    assert reviews.actions.to_undo("ann") == ""


def test_time_goes_on_even_if_the_clock_goes_back() -> None:
    assert now("2999-12-31T23:59:59.999Z") == "3000-01-01T00:00:00.000Z"
    assert now(now()) > now("")[:10]
