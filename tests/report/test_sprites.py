"""Faces of a page: read once, cut out, put into one image; whatever cannot be read is said."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from conftest import Folder
from PIL import Image

from labeler.records import Row, Settings
from labeler.report import sprites
from labeler.report.sprites import SIDE, Sprite


def face(file: str, x: float = 0, side: float = 48, width: int = 48, number: int = 0) -> Row:
    return Row(file, number, x, 0, side, side, 0.9, "happy", 0.8, (0.8, 0.2), image_width=width, image_height=48)


def drawn(definition: str) -> Image.Image:
    (content,) = re.findall(r"data:image/webp;base64,([^\"]+)", definition)
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_each_face_is_one_cell_of_one_image(folder: Folder) -> None:
    folder.picture("red.png", (250, 0, 0))
    folder.picture("blue.png", (0, 0, 250))
    rows = [face("red.png"), face("blue.png"), face("red.png")]
    sprite = Sprite("happy", rows, sprites.read(rows, Settings(root=str(folder.path))))
    image = drawn(sprite.definition())

    assert image.size == (2 * SIDE, SIDE)
    assert np.allclose(image.getpixel((SIDE // 2, SIDE // 2)), (250, 0, 0), atol=12)
    assert np.allclose(image.getpixel((SIDE + SIDE // 2, SIDE // 2)), (0, 0, 250), atol=12)
    assert f'viewBox="{SIDE} 0 {SIDE} {SIDE}"' in sprite.view(rows[1])


def test_a_face_is_cut_out_of_a_large_photo(folder: Folder) -> None:
    pixels = np.zeros((1000, 2000, 3), np.uint8)
    pixels[400:600, 1200:1400] = (0, 200, 0)
    Image.fromarray(pixels).save(folder.path / "wide.jpg", quality=95)
    row = Row("wide.jpg", 0, 1200, 400, 200, 200, 0.9, "happy", 0.8, image_width=2000, image_height=1000)
    album = sprites.read([row], Settings(root=str(folder.path)))

    assert np.allclose(album.faces["wide.jpg", 0].mean(axis=(0, 1)), (0, 200, 0), atol=12)


@pytest.mark.parametrize("size", [(2000, 1000), (None, None)], ids=["known", "of the first schema"])
def test_a_small_face_of_a_large_photo_is_sharp(folder: Folder, size: tuple[int | None, int | None]) -> None:
    pixels = np.full((1000, 2000, 3), 128, np.uint8)
    pixels[400:500:2, 1200:1300] = 255
    Image.fromarray(pixels).save(folder.path / "wide.jpg", quality=95)
    row = Row("wide.jpg", 0, 1200, 400, 100, 100, image_width=size[0], image_height=size[1])
    album = sprites.read([row], Settings(root=str(folder.path)))

    assert album.faces["wide.jpg", 0].std() > 30


def test_a_photo_without_a_box_is_shown_whole_and_not_stretched(folder: Folder) -> None:
    Image.new("RGB", (200, 50), (250, 0, 0)).save(folder.path / "wide.png")
    album = sprites.read([Row("wide.png")], Settings(root=str(folder.path)))
    cell = album.faces["wide.png", None]

    assert (cell.shape, tuple(cell[2, SIDE // 2]), tuple(cell[SIDE // 2, 2])) == (
        (SIDE, SIDE, 3), (128, 128, 128), (250, 0, 0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param(face("gone.jpg"), "unreadable: No such file or directory", id="gone"),
        pytest.param(face("text.jpg"), "unsupported: ", id="no image"),
        pytest.param(face("small.png", x=1e300), "another size", id="box outside"),
        pytest.param(face("small.png", side=1e300), "another size", id="box without end"),
        pytest.param(face("small.png", side=-5.0), "another size", id="box of no size"),
        pytest.param(face("a\0b.png"), "unreadable: ", id="impossible name"),
    ],
)
def test_a_face_that_cannot_be_shown_says_why(folder: Folder, row: Row, reason: str) -> None:
    folder.file("text.jpg")
    folder.picture("small.png")
    sprite = Sprite("happy", [row], sprites.read([row], Settings(root=str(folder.path))))

    assert sprite.definition() == ""
    assert reason in sprite.view(row)


def test_a_file_that_has_changed_since_is_named(folder: Folder) -> None:
    folder.picture("a.png")
    album = sprites.read([face("a.png")._replace(version="1-1")], Settings(root=str(folder.path)))

    assert album.changed == {"a.png"}


def test_a_sprite_of_noise_keeps_to_its_size(folder: Folder) -> None:
    rows = [face(str(folder.noise(f"{seed}.png", seed, side=128)), side=128, width=128) for seed in range(40)]
    definition = Sprite("happy", rows, sprites.read(rows, Settings(root=""))).definition()

    assert len(definition) < 40 * sprites.BYTES_PER_FACE * 4 / 3 + 1000


def test_every_face_has_its_text_with_and_without_its_picture(folder: Folder) -> None:
    folder.picture("a.png")
    rows = [face("a.png"), face("gone.png", number=2)]
    sprite = Sprite("happy", rows, sprites.read(rows, Settings(root=str(folder.path))))

    for shown in (sprites.strip(rows, sprite), sprites.strip(rows, None)):
        assert re.sub(r"<[^>]*>", "", shown).count("0.80 happy") == 2
        assert "gone.png</bdi>, face 3" in shown
