"""From rows to items: who has a class, what a picture is called, where the boxes lie."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from export_items import CLASS_NAMES, HOSTILE

from labeler.exports import items
from labeler.exports.item import Item
from labeler.exports.items import Items
from labeler.images.crop import cut
from labeler.images.picture import Picture
from labeler.records import Face, Row, Status

SHARES = (0.2, 0.7, 0.1)
FACE = Face(10.0, 20.0, 30.0, 40.0, 0.9)


def row(
    file: str = "a.jpg",
    index: int = 0,
    face: Face = FACE,
    shares: Sequence[float] = SHARES,
    **changes: object,
) -> Row:
    found = Row(file, image_width=100, image_height=200, version="1-2")
    return found.located(index, face).labelled(tuple(shares), CLASS_NAMES, 0.5)._replace(**changes)  # type: ignore[arg-type]


def of(rows: Sequence[Row], out: Path, **options: object) -> tuple[list[Item], dict[str, int]]:
    found = Items("/photos", out, CLASS_NAMES, **options)  # type: ignore[arg-type]
    return list(found.of(rows)), dict(found.left_out)


def test_a_photo_is_one_item_with_its_faces_the_largest_first(tmp_path: Path) -> None:
    rows = [row(), row(index=1, face=Face(1, 2, 3, 4, 0.9), shares=(0.9, 0.1, 0)), row("b.jpg")]
    found, left = of(rows, tmp_path)

    assert [(item.number, item.name, item.label, len(item.faces)) for item in found] == [
        (0, "a.jpg", "happy", 2),
        (1, "b.jpg", "happy", 1),
    ]
    assert [face.label for face in found[0].faces] == ["happy", "angry"]
    assert (found[0].width, found[0].height, found[0].square, found[0].version) == (100, 200, None, "1-2")
    assert left == {}


def test_each_face_is_one_crop(tmp_path: Path) -> None:
    found, _ = of([row(), row(index=1, face=Face(1, 2, 3, 4, 0.9))], tmp_path, crops=True)

    assert [(item.number, item.name, item.width, item.height) for item in found] == [
        (0, "a.jpg.face0.png", 40, 40),
        (1, "a.jpg.face1.png", 4, 4),
    ]
    assert found[0].square == Face(10, 20, 30, 40)


def test_a_photo_that_is_one_crop_stays_whole(tmp_path: Path) -> None:
    (item,), _ = of([row(face=Face(0, 0, 100, 200))], tmp_path, crops=True)

    assert (item.name, item.square, item.width, item.height) == ("a.jpg", None, 100, 200)


def test_what_has_no_class_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [
        row("a", shares=(0.4, 0.3, 0.3)),
        row("b").damaged("half is lost"),
        Row("c").without_label(Status.NO_FACE, ""),
        Row("d").without_label(Status.UNREADABLE, "empty"),
        row("e", label="laughing"),
        row("f", image_width=None),
        row("g", shares=(0.0, 0.55, 0.45)),
        row("h"),
    ]
    found, left = of(rows, tmp_path, min_score=0.6)

    assert [item.file for item in found] == ["h"]
    assert left == {
        "uncertain": 1,
        "damaged": 1,
        "no_face": 1,
        "unreadable": 1,
        items.UNKNOWN_CLASS: 1,
        items.NO_SIZE: 1,
        items.LOW_SCORE: 1,
    }


FACES = [
    Face(10.0, 20.0, 30.0, 40.0),
    Face(-20.0, -10.0, 50.0, 60.5),
    Face(80.3, 190.2, 44.4, 37.7),
    Face(5.5, 5.5, 0.4, 0.4),
    Face(-30.0, 150.0, 160.0, 90.0),
]


@pytest.mark.parametrize("face", FACES)
def test_a_box_lies_in_its_picture_and_where_the_face_is(face: Face, tmp_path: Path) -> None:
    (photo,), _ = of([row(face=face)], tmp_path)
    (crop,), _ = of([row(face=face)], tmp_path, crops=True)
    for item in (photo, crop):
        x, y, width, height = item.faces[0][2:6]
        assert x >= 0
        assert y >= 0
        assert width >= 1
        assert x + width <= item.width + 0.05
        assert y + height <= item.height + 0.05


@pytest.mark.parametrize("face", FACES)
def test_the_crop_has_the_size_that_is_announced(face: Face, tmp_path: Path) -> None:
    """And shows the same: a black box on white is black where its box is said to be."""
    pixels = np.full((200, 100, 3), 255, np.uint8)
    left, top = max(round(face.x), 0), max(round(face.y), 0)
    pixels[top : round(face.y + face.height), left : round(face.x + face.width)] = 0
    (item,), _ = of([row(face=face)], tmp_path, crops=True)
    found = cut(Picture(pixels, 100, 200), face)

    assert found.shape[:2] == (item.height, item.width)
    x, y, width, height = (round(side) for side in item.faces[0][2:6])
    inside = found[y + 1 : y + height - 1, x + 1 : x + width - 1]
    assert inside.size == 0 or inside.mean() < 128


ODD = [
    *HOSTILE,
    "a.bmp", "a.bmp.png", "a.BMP", "a", "a.jpg", "a.jpg.face0.png", "a.tif", "a.tif.jpg",
    "a.jpg.face0.whole.png", "a.jpg.face0.whole.whole.png",
    "x:y.jpg", "x_y.jpg", "trailing.", "CON", "bidi\u202egnp.exe.jpg", ".hidden.jpg", "..jpg", "a" * 240 + ".jpg",
    "long" * 60 + ".TIFF", " space.jpg", "space .jpg", "../outside/a.jpg", "/elsewhere/a.jpg", "d:/a.jpg",
]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"encodes": False}, {"crops": True}], ids=str)
def test_each_name_is_distinct_plain_and_kept_where_it_can_be(options: dict[str, bool], tmp_path: Path) -> None:
    found, _ = of([row(file) for file in ODD], tmp_path, **options)
    names = [item.name for item in found]

    assert len(set(names)) == len(set(ODD))
    for name in names:
        os.fsencode(name).decode("utf-8")
        assert not set(name) & set('\\:*?"<>|\n\u202e')
        assert all(part and part[0] != "." and part[-1] not in ". " and len(part) < 250 for part in name.split("/"))
    kept = {item.file: item.name for item in found}
    ending = ".face0.png" if options.get("crops") else ""
    assert kept["a/plain.jpg"] == f"a/plain.jpg{ending}"
    assert kept["dots.in.name.v1.jpg"] == f"dots.in.name.v1.jpg{ending}"


def test_names_that_were_changed_before_never_meet_those_that_are_changed_now(tmp_path: Path) -> None:
    """A data set that was exported is put beside the photos that it was made of, and both are exported."""
    first, _ = of([row(file) for file in ODD], tmp_path)
    both = [*ODD, *(item.name for item in first)]
    crops, _ = of([row(file) for file in both], tmp_path, crops=True)
    mixed = [*both, *(item.name for item in crops)]
    whole, _ = of([row(file, face=Face(0, 0, 100, 200)) for file in mixed], tmp_path, crops=True)
    names = [item.name for item in (*whole, *crops)]

    assert len(set(names)) == len(set(mixed)) + len(set(both))


def test_the_suffix_says_what_the_file_is(tmp_path: Path) -> None:
    files = ["a.jpg", "b.PNG", "c.heic", "d.tiff", "e", "odd:f.webp", "odd:g.gif", "odd:h.JPG"]
    found, _ = of([row(file) for file in files], tmp_path)

    assert [os.path.splitext(item.name)[1] for item in found] == [
        ".jpg", ".PNG", ".jpg", ".png", ".jpg", ".webp", ".png", ".jpg",
    ]  # fmt: skip


def test_saved_crops_keep_their_names_but_for_a_word_beside_those_that_are_cut(tmp_path: Path) -> None:
    files = ["a.jpg.face0.png", "b.png"]
    photos, _ = of([row(file) for file in files], tmp_path)
    crops, _ = of([row(file, face=Face(0, 0, 100, 200)) for file in files], tmp_path, crops=True)

    assert [item.name for item in photos] == files
    assert [item.name for item in crops] == ["a.jpg.face0.whole.png", "b.png"]


def test_a_name_depends_on_its_file_alone(tmp_path: Path) -> None:
    forward, _ = of([row(file) for file in ODD], tmp_path)
    backward, _ = of([row(file) for file in ODD[::-1]], tmp_path)

    assert {item.file: item.name for item in forward} == {item.file: item.name for item in backward}
