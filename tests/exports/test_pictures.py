"""The picture files of an export: what they show, how they are encoded, what is refused."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import Folder
from PIL import Image

from labeler import storage
from labeler.exports.item import Item
from labeler.exports.pictures import Pictures, suffix
from labeler.images.crop import cut
from labeler.images.decode import decode
from labeler.images.picture import ImageError
from labeler.records import Face
from labeler.storage.local import version_of

LARGE = 10**8
ORIENTATION = 0x0112


def item_of(path: Path, width: int, height: int, square: Face | None = None, **changes: object) -> Item:
    about = {"name": path.name, "file": path.name, "label": "happy", "version": version_of(path.stat())}
    return Item(number=0, width=width, height=height, faces=(), square=square, **{**about, **changes})  # type: ignore[arg-type]


def read(path: Path, item: Item, **options: bool) -> bytes:
    return Pictures(storage.at(str(path.parent)), LARGE, **options).read(item)


def opened(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def test_a_photo_of_a_common_format_keeps_its_pixels_and_loses_its_metadata(folder: Folder) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret"
    path = folder.picture("a.jpg", exif=exif)
    content = read(path, item_of(path, 48, 48))

    assert b"secret" not in content
    assert np.array_equal(np.asarray(opened(content)), np.asarray(opened(path.read_bytes())))
    assert read(path, item_of(path, 48, 48), keep_metadata=True) == path.read_bytes()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_a_turned_photo_is_encoded_upright_in_its_format(name: str, folder: Folder) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = folder.path / name
    Image.linear_gradient("L").resize((60, 30)).convert("RGB").save(path, exif=exif)
    image = opened(read(path, item_of(path, 30, 60)))

    assert (image.size, image.format) == ((30, 60), opened(path.read_bytes()).format)
    assert image.getexif().get(ORIENTATION, 1) == 1
    upright = decode(path.read_bytes(), LARGE, LARGE, LARGE).pixels
    assert np.abs(np.asarray(image.convert("RGB")).astype(int) - upright).max() < 12


@pytest.mark.parametrize(("name", "form"), [("a.tiff", "PNG"), ("a.gif", "PNG"), ("a.bmp", "PNG"), ("a.jp2", "JPEG")])
def test_an_odd_format_becomes_a_common_one(name: str, form: str, folder: Folder) -> None:
    path = folder.noise(name, 1)
    image = opened(read(path, item_of(path, 48, 48)))

    assert image.format == form
    assert suffix(name) == {"PNG": ".png", "JPEG": ".jpg"}[form]
    if form == "PNG":
        assert np.array_equal(np.asarray(image), np.asarray(opened(path.read_bytes()).convert("RGB")))


def test_a_file_is_in_the_format_that_its_suffix_says(folder: Folder) -> None:
    path = folder.picture("a.png")
    os.rename(path, folder.path / "really_a_png.jpg")

    assert (
        opened(read(folder.path / "really_a_png.jpg", item_of(folder.path / "really_a_png.jpg", 48, 48))).format
        == "JPEG"
    )


def test_a_crop_has_the_pixels_of_the_photo(folder: Folder) -> None:
    path = folder.noise("a.png", 3, side=200)
    face = Face(20, 40, 30, 50)
    image = opened(read(path, item_of(path, 50, 50, face)))

    assert image.format == "PNG"
    assert np.array_equal(np.asarray(image), cut(decode(path.read_bytes(), 1, 1, LARGE), face))


def test_crops_of_many_threads_are_those_of_one(folder: Folder) -> None:
    paths = [folder.noise(f"{number}.jpg", number, side=160) for number in range(4)]
    wanted = [item_of(path, 20, 20, Face(x, x, 20, 20)) for path in paths for x in range(0, 120, 20)]
    pictures = Pictures(storage.at(str(folder.path)), LARGE)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(pictures.read, wanted))

    assert found == [Pictures(storage.at(str(folder.path)), LARGE).read(item) for item in wanted]
    assert len(set(found)) == len(found)


def test_a_photo_that_has_another_size_by_now_is_refused(folder: Folder) -> None:
    path = folder.noise("a.jpg", 1, side=48)
    for item in (item_of(path, 100, 100, version="1-1"), item_of(path, 20, 20, Face(90, 90, 20, 20))):
        with pytest.raises(ImageError, match="another size"):
            read(path, item)
    assert read(path, item_of(path, 48, 48, version="1-1"))  # Only its time differs: it was copied.


def test_a_box_that_no_face_of_the_photo_has_is_refused(folder: Folder) -> None:
    path = folder.noise("a.png", 1)
    for box in (Face(-1e6, -1e6, 2e6 + 48, 2e6 + 48), Face(9, 9, 0.5, 0.5)):  # Of a table that was damaged.
        with pytest.raises(ImageError, match="another size"):
            read(path, item_of(path, 9, 9, box))


@pytest.mark.parametrize("square", [None, Face(1, 1, 9, 9)])
@pytest.mark.parametrize(("name", "content"), [("gone.jpg", None), ("empty.jpg", b""), ("text.jpg", b"no picture")])
def test_a_photo_that_cannot_be_read_says_why(
    name: str, content: bytes | None, square: Face | None, folder: Folder
) -> None:
    if content is not None:
        folder.file(name, content)
    item = Item(number=0, name=name, file=name, label="x", width=9, height=9, faces=(), square=square)
    with pytest.raises(ImageError):
        Pictures(storage.at(str(folder.path)), LARGE).read(item)


def test_a_photo_with_too_many_pixels_is_refused(folder: Folder) -> None:
    path = folder.noise("a.tif", 1)
    with pytest.raises(ImageError, match="pixels"):
        Pictures(storage.at(str(folder.path)), 100).read(item_of(path, 48, 48))
