"""The label that counts: what is no class, and which face stands for a photo."""

from __future__ import annotations

from pathlib import Path

import pytest
from odd_rows import record_of, rows, write_finished

from labeler.records import UNCERTAIN, Row, Status
from labeler.tables import decided, reader


@pytest.mark.parametrize(
    ("row", "name"),
    [
        (Row("a.jpg", 0, label="happy"), "happy"),
        (Row("a.jpg", 0, label=UNCERTAIN), ""),
        (Row("a.jpg", 0, label="happy", status=Status.DAMAGED), ""),
        (Row("a.jpg", status=Status.NO_FACE), ""),
        (Row("a.jpg", status=Status.UNREADABLE), ""),
    ],
)
def test_only_a_sound_face_with_a_sure_label_has_a_class(row: Row, name: str) -> None:
    assert decided.class_of(row) == name


def test_the_largest_face_stands_for_a_photo_in_whatever_order_its_rows_come() -> None:
    faces = [Row("a.jpg", face, label=label) for face, label in ((2, "sad"), (0, "happy"), (1, "angry"))]

    assert decided.face_of(faces).label == "happy"
    assert decided.face_of([Row("a.jpg", status=Status.NO_FACE)]).label == ""


def test_a_table_without_reviews_is_read_as_before(tmp_path: Path) -> None:
    """Nothing stands between the reader and whoever reads: a row takes 7 microseconds."""
    table = tmp_path / "t.csv"
    write_finished(table, record_of(("angry", "happy")), rows())

    assert decided.rows(table).gi_code is reader.read.__code__  # type: ignore[attr-defined]
    assert {row.before for row in decided.rows(table)} == {None}


def test_a_reviewed_face_of_a_damaged_photo_has_its_class() -> None:
    row = Row("a.jpg", 0, label="happy", score=0.9, status=Status.DAMAGED)

    assert decided.class_of(row._replace(before="happy")) == "happy"
    assert decided.class_of(row._replace(label=UNCERTAIN, before="happy")) == ""


def test_a_score_belongs_to_the_label_of_the_model() -> None:
    row = Row("a.jpg", 0, label="happy", score=0.9)

    assert [decided.score_of(one) for one in (row, row._replace(before="happy"), row._replace(before="sad"))] == [
        0.9, 0.9, None
    ]  # fmt: skip


def test_an_added_face_stands_for_its_photo_where_it_is_the_largest() -> None:
    found = Row("a.jpg", 0, 0.0, 0.0, 10.0, 10.0, label="happy")
    added = Row("a.jpg", 1, 0.0, 0.0, 20.0, 20.0, label="sad", before="")

    assert decided.face_of([found, added]) == added
    assert decided.face_of([found, added._replace(width=5.0)]) == found
    assert decided.face_of([found, added._replace(before="happy")]) == found  # As the table numbers them.
