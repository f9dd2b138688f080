"""What a network is shown: a face with its margin, from the original pixels, or a whole image as a square."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from numpy.typing import NDArray
from PIL import Image

from labeler.images.crop import crop, sides
from labeler.images.decode import FULL, decode
from labeler.images.picture import Picture
from labeler.labeling import Looker
from labeler.records import Face, Faces, Resize, Settings, View

LIMIT = 10**8

PHOTO = ROOT / "examples" / "photos" / "no_face" / "coffee.jpg"
FACE = ROOT / "examples" / "photos" / "portraits" / "hopper.jpg"


def picture(pixels: NDArray[np.uint8]) -> Picture:
    return Picture(pixels, pixels.shape[1], pixels.shape[0])


def noise(width: int, height: int) -> Picture:
    return picture(np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8))


def whole(found: Picture) -> Face:
    return Face(0.0, 0.0, float(found.width), float(found.height))


def shown(found: Picture, resize: Resize, side: int, crop_pct: float = 1.0) -> NDArray[np.uint8]:
    return crop(found, whole(found), View(side, resize=resize, crop_pct=crop_pct))


def test_of_a_stripe_crop_shows_the_middle_fit_shows_bars_and_stretch_shows_all() -> None:
    stripe = np.zeros((32, 96, 3), np.uint8)
    stripe[:, :32], stripe[:, 32:64], stripe[:, 64:] = 60, 120, 240
    found = picture(stripe)

    assert (shown(found, Resize.CROP, 32) == 120).all()
    assert (shown(found, Resize.CROP, 16, 0.5) == 120).all()
    fitted = shown(found, Resize.FIT, 96)
    assert (fitted[:32] == 0).all()
    assert (fitted[32:64] == stripe).all()
    assert (fitted[64:] == 0).all()
    stretched = shown(found, Resize.STRETCH, 30)[0, :, 0].tolist()
    assert stretched == [60] * 10 + [120] * 10 + [240] * 10


def test_a_standing_image_gets_its_bars_left_and_right() -> None:
    fitted = shown(picture(np.full((64, 33, 3), 200, np.uint8)), Resize.FIT, 64)

    assert fitted[0, :, 0].tolist() == [0] * 15 + [200] * 33 + [0] * 16


@pytest.mark.parametrize("way", Resize)
def test_a_square_image_is_shown_the_same_whatever_the_way(way: Resize) -> None:
    found = noise(100, 100)

    assert (shown(found, way, 48) == shown(found, Resize.STRETCH, 48)).all()


@pytest.mark.parametrize(("kept", "scaled"), [(1.0, 96), (0.75, 128)])
def test_crop_is_that_of_pillow_with_its_box_filter(kept: float, scaled: int) -> None:
    """Where the scale is a whole number both are means of the same pixels; Pillow rounds twice, once for each axis."""
    found = noise(576, 384)
    factor = 384 // scaled
    resized = Image.fromarray(found.pixels).resize((576 // factor, scaled), Image.Resampling.BOX)
    left, top = (resized.width - 96) // 2, (scaled - 96) // 2
    expected = np.asarray(resized.crop((left, top, left + 96, top + 96)), np.int16)

    assert np.abs(shown(found, Resize.CROP, 96, kept) - expected).max() <= 1


def test_fit_is_that_of_pillow_with_its_box_filter() -> None:
    found = noise(384, 192)
    expected = np.zeros((96, 96, 3), np.int16)
    expected[24:72] = np.asarray(Image.fromarray(found.pixels).resize((96, 48), Image.Resampling.BOX))

    assert np.abs(shown(found, Resize.FIT, 96) - expected).max() <= 1


def test_of_a_photo_crop_is_close_to_what_networks_for_imagenet_are_trained_with() -> None:
    """Those shrink with a triangle of twice the width, so that edges are softer: 2 levels of 255 on average."""
    found = decode(PHOTO.read_bytes(), FULL, FULL, LIMIT)
    with Image.open(PHOTO) as image:
        shorter = min(image.size)
        size = (round(image.width * 256 / shorter), round(image.height * 256 / shorter))
        resized = image.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    left, top = (resized.width - 224) // 2, (resized.height - 224) // 2
    expected = np.asarray(resized.crop((left, top, left + 224, top + 224)), np.float64)

    assert np.abs(shown(found, Resize.CROP, 224, 0.875) - expected).mean() < 2


@pytest.mark.parametrize("way", Resize)
def test_of_a_large_jpeg_a_fraction_is_decoded_that_keeps_the_pixels_of_the_square(way: Resize, tmp_path: Path) -> None:
    with Image.open(PHOTO) as image:
        image.resize((2400, 1600)).save(tmp_path / "large.jpg", quality=92)
    view = View(224, resize=way, crop_pct=0.875)
    look = Looker(Settings(root=str(tmp_path), faces=Faces.WHOLE), view=view)
    content = (tmp_path / "large.jpg").read_bytes()
    rows, columns = look.decode(content).pixels.shape[:2]
    full = decode(content, FULL, FULL, LIMIT)
    ((face, pixels),) = look("large.jpg").faces

    assert sides(view) <= rows < 1600
    assert (face.width, face.height) == (2400, 1600)
    assert np.abs(pixels - crop(full, whole(full), view).astype(np.float64)).mean() < 2
    assert columns < 2400


def test_a_margin_is_a_share_of_the_longer_side_on_each_side_of_the_box() -> None:
    found = noise(400, 300)
    margined = crop(found, Face(150, 100, 80, 100, 0.9), View(96, margin=0.5))

    assert (margined == crop(found, Face(90, 50, 200, 200, 0.9), View(96))).all()


def test_a_margin_beyond_the_image_shows_what_there_is() -> None:
    found = noise(200, 200)
    margined = crop(found, Face(50, 50, 100, 100, 0.9), View(100, margin=2.0))

    assert (margined == crop(found, whole(found), View(100))).all()


@pytest.fixture(scope="module")
def small_face() -> bytes:
    """A JPEG of 12 megapixels with one face of some 200 pixels."""
    with Image.open(FACE) as portrait:
        face = portrait.convert("RGB").resize((450, 527), Image.Resampling.BICUBIC)
    sheet = Image.new("RGB", (4000, 3000), (90, 110, 90))
    sheet.paste(face, (1800, 1300))
    stream = io.BytesIO()
    sheet.save(stream, "JPEG", quality=95)
    return stream.getvalue()


@pytest.mark.parametrize(("side", "is_finer"), [(64, False), (224, True)])
def test_a_small_face_is_cut_from_the_pixels_that_the_network_needs(
    small_face: bytes, side: int, *, is_finer: bool
) -> None:
    look = Looker(Settings(), view=View(side))
    coarse = look.decode(small_face)
    ((face, pixels),) = look.look(coarse, content=small_face).faces
    full = decode(small_face, FULL, FULL, LIMIT)
    expected = full if is_finer else coarse

    assert 100 < max(face.width, face.height) < 300
    assert max(coarse.pixels.shape) < 2400
    assert (pixels == crop(expected, face, View(side))).all()
    assert not (pixels == crop(coarse if is_finer else full, face, View(side))).all()
