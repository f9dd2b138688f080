"""`labeler annotate` on real files: boxes where the faces are, nothing overwritten, nothing outside the folder."""

from __future__ import annotations

import resource
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, Folder
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageOps

from labeler import drawing, pipeline
from labeler.drawing import GRAY, PALETTE, Annotated
from labeler.errors import LabelerError, OutputError
from labeler.records import UNCERTAIN, Face, Row, Settings, Status

GREEN = (40, 90, 40)
FACE = Face(100, 120, 160, 200)
"""The one that most tests use, in a picture of 480 pixels, which keeps its size."""


def row(file: str, face: Face = FACE, label: str = "happy", index: int = 0) -> Row:
    return Row(file, index, face.x, face.y, face.width, face.height, 0.9, label, 0.873)


def annotate(folder: Folder, *rows: Row, longer_side: int = 1600) -> list[Annotated]:
    out = folder.path.parent / "annotated"
    return list(drawing.annotate(rows, CLASS_NAMES, Settings(root=str(folder.path)), out, longer_side))


def pixels(folder: Folder, made: Annotated) -> NDArray[np.uint8]:
    with Image.open(folder.path.parent / "annotated" / made.target) as image:
        return np.asarray(image.convert("RGB"))


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def has(found: NDArray[np.uint8], colour: str | tuple[int, int, int]) -> bool:
    """Say whether a part of a picture shows a colour, as exactly as JPEG keeps it."""
    return bool(_like(found, colour).any())


def has_field(found: NDArray[np.uint8], colour: str) -> bool:
    """Say whether a part of a picture has a field of a colour, higher than any line."""
    windows = np.lib.stride_tricks.sliding_window_view(_like(found, colour), (6, 6))
    return bool(windows.all(axis=(2, 3)).any())


def _like(found: NDArray[np.uint8], colour: str | tuple[int, int, int]) -> NDArray[np.bool_]:
    wanted = np.array(ImageColor.getrgb(colour) if isinstance(colour, str) else colour)
    near: NDArray[np.bool_] = np.abs(found.astype(int) - wanted).max(axis=-1) < 30
    return near


def edges(found: NDArray[np.uint8], face: Face, scale: float = 1) -> list[NDArray[np.uint8]]:
    """Return the middles of the four sides of a box, each with a few pixels around it."""
    left, top, right, bottom = (
        round(edge * scale) for edge in (face.x, face.y, face.x + face.width, face.y + face.height)
    )
    across, down = (left + right) // 2, (top + bottom) // 2
    middles = [(left, down), (right, down), (across, top), (across, bottom)]
    return [found[max(y - 5, 0) : y + 5, max(x - 5, 0) : x + 5] for x, y in middles]


def framed(found: NDArray[np.uint8], face: Face, colour: str, scale: float = 1) -> bool:
    return all(has(edge, colour) for edge in edges(found, face, scale))


# Where and in which colour


@pytest.mark.parametrize(("label", "colour"), [*zip(CLASS_NAMES, PALETTE, strict=False), (UNCERTAIN, GRAY)])
def test_a_box_has_the_colour_of_its_label(folder: Folder, label: str, colour: str) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    (made,) = annotate(folder, row("1.jpg", label=label))

    assert framed(pixels(folder, made), FACE, colour)


def test_the_face_in_the_box_is_left_as_it_is(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    (made,) = annotate(folder, row("1.jpg"))
    inside = pixels(folder, made)[124:316, 104:256].astype(int)

    assert np.abs(inside - GREEN).max() < 12


def test_a_class_beyond_the_palette_has_a_colour(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    classes = [f"class{number}" for number in range(len(PALETTE) + 1)]
    out = folder.path.parent / "annotated"
    (made,) = drawing.annotate([row("1.jpg", label=classes[-1])], classes, Settings(root=str(folder.path)), out)

    assert framed(pixels(folder, made), FACE, PALETTE[0])


def test_a_large_photograph_is_reduced_and_its_box_with_it(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=4000)
    face = Face(1000, 1200, 800, 900)
    (made,) = annotate(folder, row("1.jpg", face), longer_side=800)
    found = pixels(folder, made)

    assert found.shape == (800, 800, 3)
    assert framed(found, face, PALETTE[1], scale=0.2)


def test_a_small_crop_is_enlarged_until_its_caption_can_be_read(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=48)
    (made,) = annotate(folder, row("1.jpg", Face(0, 0, 48, 48)))

    assert pixels(folder, made).shape == (480, 480, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_turned_by_exif_is_annotated_upright(folder: Folder, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (600, 480), GREEN)
    stored.paste((200, 30, 30), (0, 0, 100, 80))
    stored.save(folder.path / "turned.jpg", exif=exif, quality=95)
    with Image.open(folder.path / "turned.jpg") as turned:
        ImageOps.exif_transpose(turned).save(folder.path / "upright.png")
    turned_made, upright_made = (
        pixels(folder, made) for made in annotate(folder, row("turned.jpg"), row("upright.png"))
    )

    assert framed(turned_made, FACE, PALETTE[1])
    assert np.abs(turned_made.astype(int) - upright_made).max() < 30


def test_the_faces_of_a_file_stand_on_one_picture(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    other = Face(330, 300, 80, 90)
    (made,) = annotate(folder, row("1.jpg"), row("1.jpg", other, "sad", 1))
    found = pixels(folder, made)

    assert framed(found, FACE, PALETTE[1])
    assert framed(found, other, PALETTE[2])


# Captions


def test_a_caption_stands_above_its_box(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    (made,) = annotate(folder, row("1.jpg"))
    above = pixels(folder, made)[100:114, 104:150]

    assert has(above, PALETTE[1])
    assert has(above, "black")  # The text.


@pytest.mark.parametrize("face", [Face(0, 0, 480, 480), Face(380, 0, 100, 120), Face(-20, 400, 100, 120)])
def test_a_caption_stays_in_the_picture(folder: Folder, face: Face) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    (made,) = annotate(folder, row("1.jpg", face))
    found = pixels(folder, made)

    assert found.shape == (480, 480, 3)
    assert has_field(found, PALETTE[1])


def test_captions_leave_the_faces_of_neighbours_free(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    below, above = Face(200, 240, 80, 100), Face(200, 130, 80, 100)
    (made,) = annotate(folder, row("1.jpg", below), row("1.jpg", above, index=1))
    found = pixels(folder, made).astype(int)

    for face in (below, above):
        inside = found[int(face.y) + 4 : int(face.y) + 96, 204:276]
        assert np.abs(inside - GREEN).max() < 12


def test_a_crowd_has_a_legend_instead_of_captions(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    faces = [Face(12 + 48 * (number % 9), 12 + 48 * (number // 9), 10, 12) for number in range(81)]
    rows = [row("1.jpg", face, "sad", number) for number, face in enumerate(faces)]
    (made,) = annotate(folder, *rows, longer_side=960)
    found = pixels(folder, made)
    height, width = found.shape[:2]

    assert max(height, width) <= 960
    assert not has_field(found[:width], PALETTE[2])
    assert has_field(found[width:], PALETTE[2])  # Below the picture, which is square.
    assert framed(found, faces[40], PALETTE[2], scale=width / 480)


def test_no_face_is_noted_in_a_corner_only(folder: Folder) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    (made,) = annotate(folder, Row("1.jpg").without_label(Status.NO_FACE, "no face was found"))
    found = pixels(folder, made)
    changed = np.abs(found.astype(int) - GREEN).max(axis=-1) > 30

    assert has(found[440:, :120], GRAY)
    assert changed.any(axis=1).sum() < 40


@pytest.mark.parametrize(
    "face", [Face(900, 900, 50, 50), Face(-90, -90, 50, 50), Face(10, 10, 0, 0), Face(-1e12, 5, 1e15, 0.1)]
)
def test_a_box_that_does_not_fit_its_picture_does_no_harm(folder: Folder, face: Face) -> None:
    folder.picture("1.jpg", GREEN, side=480)
    (made,) = annotate(folder, row("1.jpg", face))

    assert made.target


@pytest.mark.parametrize("size", [(1, 1), (2000, 3), (3, 2000)])
def test_odd_shapes_do_no_harm(folder: Folder, size: tuple[int, int]) -> None:
    Image.new("RGB", size, GREEN).save(folder.path / "1.png")
    (made,) = annotate(folder, row("1.png", Face(0, 0, *size)))

    assert made.target


# Files


def test_pictures_keep_their_folders(folder: Folder) -> None:
    folder.picture("a/b/1.jpg")

    assert [made.target for made in annotate(folder, row("a/b/1.jpg"))] == ["a/b/1.jpg.annotated.jpg"]


def test_two_files_with_one_stem_are_both_kept(folder: Folder) -> None:
    folder.picture("a/1.jpg")
    folder.picture("a/1.png")
    annotate(folder, row("a/1.jpg"), row("a/1.png"))

    assert names(folder.path.parent / "annotated") == {"a/1.jpg.annotated.jpg", "a/1.png.annotated.jpg"}


def test_files_that_failed_are_reported_and_give_no_picture(folder: Folder) -> None:
    folder.picture("good.jpg")
    failed = Row("bad.jpg").without_label(Status.UNREADABLE, "the file is empty")
    made = annotate(folder, failed, row("good.jpg"))

    assert made[0] == Annotated("bad.jpg", reason="unreadable: the file is empty")
    assert names(folder.path.parent / "annotated") == {"good.jpg.annotated.jpg"}


@pytest.mark.parametrize("content", [None, b"", b"not a picture"])
def test_a_file_that_has_gone_or_broken_since_is_reported(folder: Folder, content: bytes | None) -> None:
    if content is not None:
        folder.file("1.jpg", content)
    (made,) = annotate(folder, row("1.jpg"))

    assert made.reason
    assert not made.target


def test_the_limit_on_pixels_holds(folder: Folder) -> None:
    folder.picture("1.jpg", side=100)
    settings = Settings(root=str(folder.path), max_pixels=9_999)
    (made,) = drawing.annotate([row("1.jpg")], CLASS_NAMES, settings, folder.path.parent / "annotated")

    assert made.reason.startswith(Status.TOO_LARGE)


def test_a_folder_that_is_not_empty_is_refused_at_once(folder: Folder) -> None:
    kept = folder.file("kept.txt", b"mine")

    with pytest.raises(LabelerError, match="not empty"):
        drawing.annotate([row("1.jpg")], CLASS_NAMES, Settings(), folder.path)
    assert kept.read_bytes() == b"mine"


def test_a_file_in_the_place_of_the_folder_is_refused(folder: Folder) -> None:
    path = folder.file("out", b"mine")

    with pytest.raises(OutputError, match="cannot use"):
        drawing.annotate([], CLASS_NAMES, Settings(), path)


def test_a_file_that_has_come_since_is_not_overwritten(folder: Folder) -> None:
    folder.picture("1.jpg")
    out = folder.path.parent / "annotated"
    pending = drawing.annotate([row("1.jpg")], CLASS_NAMES, Settings(root=str(folder.path)), out)
    (out / "1.jpg.annotated.jpg").write_bytes(b"mine")
    (made,) = pending

    assert "exists" in made.reason
    assert names(out) == {"1.jpg.annotated.jpg"}
    assert (out / "1.jpg.annotated.jpg").read_bytes() == b"mine"


def test_rows_of_a_file_that_are_not_adjacent_are_reported_and_the_first_picture_kept(folder: Folder) -> None:
    folder.picture("1.jpg")
    folder.picture("2.jpg")
    made = annotate(folder, row("1.jpg"), row("2.jpg"), row("1.jpg", index=1))

    assert [bool(one.target) for one in made] == [True, True, False]
    assert "exists" in made[2].reason


def test_a_full_disk_stops_the_run_and_leaves_no_half_picture(folder: Folder) -> None:
    folder.noise("1.jpg", seed=1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(OutputError, match="File too large"):
            annotate(folder, row("1.jpg"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert names(folder.path.parent / "annotated") == set()


def test_a_name_that_is_too_long_with_its_suffix_costs_that_file_only(folder: Folder) -> None:
    long = "x" * 250 + ".jpg"
    folder.picture(long)
    folder.picture("1.jpg")
    made = annotate(folder, row(long), row("1.jpg"))

    assert [bool(one.target) for one in made] == [False, True]


@pytest.mark.parametrize("name", ["../stolen.jpg", "a/../../stolen.jpg", "./../photos/../stolen.jpg"])
def test_a_name_that_climbs_stays_in_the_folder(folder: Folder, name: str) -> None:
    folder.picture("a/1.jpg")
    folder.picture("../stolen.jpg")
    before = names(folder.path.parent)
    annotate(folder, row(name))

    assert {new.partition("/")[0] for new in names(folder.path.parent) - before} == {"annotated"}


def test_absolute_names_below_the_root_are_named_as_relative_ones(folder: Folder) -> None:
    path = folder.picture("a/1.jpg")

    assert [made.target for made in annotate(folder, row(str(path)))] == ["a/1.jpg.annotated.jpg"]


def test_absolute_names_elsewhere_stay_in_the_folder(folder: Folder) -> None:
    path = folder.picture("../elsewhere.jpg").resolve()
    before = names(folder.path.parent)
    annotate(folder, row(str(path)))

    assert {new.partition("/")[0] for new in names(folder.path.parent) - before} == {"annotated"}


def test_originals_stay_as_they_were(folder: Folder) -> None:
    path = folder.noise("1.jpg", seed=1)
    before = path.read_bytes()
    annotate(folder, row("1.jpg"))

    assert path.read_bytes() == before


def test_nothing_of_the_original_but_its_pixels_is_passed_on(folder: Folder) -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    folder.picture("1.jpg", side=480, exif=exif)
    (made,) = annotate(folder, row("1.jpg"))

    with Image.open(folder.path.parent / "annotated" / made.target) as image:
        assert not image.getexif()


def test_pictures_are_drawn_one_at_a_time(folder: Folder) -> None:
    folder.picture("1.jpg")
    folder.picture("2.jpg")
    rows: Iterable[Row] = (row(name) for name in ("1.jpg", "2.jpg"))
    made = drawing.annotate(rows, CLASS_NAMES, Settings(root=str(folder.path)), folder.path.parent / "annotated")
    next(made)

    assert names(folder.path.parent / "annotated") == {"1.jpg.annotated.jpg"}


def test_what_classify_found_is_what_is_framed(folder: Folder, model: Path) -> None:
    folder.noise("1.jpg", seed=1)
    settings = Settings(model=str(model), root=str(folder.path))
    (found,) = pipeline.label([folder.path], settings)
    (made,) = annotate(folder, found)

    assert framed(pixels(folder, made), Face(0, 0, 48, 48), PALETTE[CLASS_NAMES.index(found.label)], scale=10)
