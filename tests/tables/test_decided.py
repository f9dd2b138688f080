"""The label that counts: what is no class, and which face stands for a photo."""

from __future__ import annotations

import pytest

from labeler.records import UNCERTAIN, Row, Status
from labeler.tables import decided


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
