"""Bytes to upright RGB pixels, or a reason."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from conftest import Folder, read_image
from PIL import Image, ImageOps

from labeler.images.crop import crop, fingerprint
from labeler.images.picture import ImageError, Picture, Pixels
from labeler.records import Face, Status, View

LIMIT = 1_000_000


def gradient(width: int, height: int) -> Image.Image:
    """A smooth picture without any symmetry: red grows to the right, green downwards."""
    across = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, axis=0)
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, axis=1)
    return Image.fromarray(np.dstack([across, down, np.full_like(across, 40)]))


def close(pixels: Pixels, reference: Image.Image, tolerance: int = 12) -> bool:
    expected = np.asarray(reference.convert("RGB"), dtype=int)
    return pixels.shape == expected.shape and int(abs(pixels.astype(int) - expected).max()) <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
def test_every_exif_orientation_is_turned_upright(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {"quality": 95}
    gradient(90, 60).save(path, exif=exif, **options)  # type: ignore[arg-type]
    picture = read_image(str(path), 64, 64, LIMIT)
    reference = ImageOps.exif_transpose(Image.open(path))

    assert (picture.width, picture.height) == reference.size
    assert close(picture.pixels, reference)


@pytest.mark.parametrize(("width", "height"), [(801, 800), (800, 801)])
def test_a_nearly_square_reduced_jpeg_keeps_its_true_size(tmp_path: Path, width: int, height: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    gradient(width, height).save(path, exif=exif)
    picture = read_image(str(path), 64, 64, LIMIT)

    assert (picture.width, picture.height) == (height, width)


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_the_same_rgb(tmp_path: Path, mode: str) -> None:
    original = gradient(64, 64)
    suffix = ".tif" if mode in {"CMYK", "I;16"} else ".png"
    path = tmp_path / f"picture{suffix}"
    converted = (
        Image.fromarray(np.asarray(original.convert("L"), dtype=np.uint16) * 257)
        if mode == "I;16"
        else original.convert(mode)
    )
    converted.save(path)
    expected = original.convert("L") if mode == "I;16" else converted

    assert close(read_image(str(path), 64, 64, LIMIT).pixels, expected, tolerance=2)


def test_a_cmyk_jpeg_has_its_true_colours(tmp_path: Path) -> None:
    path = tmp_path / "print.jpg"
    gradient(64, 64).convert("CMYK").save(path, quality=95)

    assert close(read_image(str(path), 64, 64, LIMIT).pixels, Image.open(path))


def test_a_large_jpeg_is_decoded_reduced_and_says_its_full_size(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    gradient(1000, 800).save(path)
    picture = read_image(str(path), 64, 64, LIMIT)

    assert (picture.pixels.shape, picture.width, picture.height) == ((100, 125, 3), 1000, 800)


def test_the_reduction_leaves_the_side_that_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "wide.jpg"
    gradient(1000, 100).save(path)

    assert read_image(str(path), 64, 64, LIMIT).pixels.shape == (100, 1000, 3)


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "really_a_png.jpg"
    gradient(64, 64).save(path, format="PNG")

    assert close(read_image(str(path), 64, 64, LIMIT).pixels, gradient(64, 64))


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    first, second = Image.new("RGB", (64, 64), (255, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 255))
    first.save(path, save_all=True, append_images=[second])

    assert close(read_image(str(path), 64, 64, LIMIT).pixels, first)


def jpeg() -> bytes:
    content = io.BytesIO()
    gradient(200, 200).save(content, "JPEG")
    return content.getvalue()


def png() -> bytes:
    content = io.BytesIO()
    gradient(200, 200).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        pytest.param(b"", Status.UNREADABLE, "empty", id="empty"),
        pytest.param(b"just some words", Status.UNSUPPORTED, "not an image", id="text"),
        pytest.param(np.random.default_rng(1).bytes(5000), Status.UNSUPPORTED, "not an image", id="random bytes"),
        pytest.param(jpeg()[:-2000], Status.UNREADABLE, "truncated", id="half a JPEG"),
        pytest.param(jpeg()[:-1], Status.UNREADABLE, "truncated", id="a JPEG without its last byte"),
        pytest.param(png()[:300], Status.UNREADABLE, "", id="half a PNG"),
        pytest.param(jpeg()[:25], Status.UNREADABLE, "", id="a JPEG's first bytes"),
    ],
)
def test_a_broken_file_gives_a_status_and_a_reason(folder: Folder, content: bytes, status: Status, reason: str) -> None:
    path = folder.file("bad.jpg", content)
    with pytest.raises(ImageError) as caught:
        read_image(str(path), 64, 64, LIMIT)

    assert caught.value.status is status
    assert reason in caught.value.reason


def test_a_png_whose_end_was_never_written_is_refused(folder: Folder) -> None:
    content = io.BytesIO()
    gradient(64, 64).convert("L").save(content, "PNG")
    half = len(content.getvalue()) // 2
    path = folder.file("sparse.png", content.getvalue()[:half] + bytes(half))  # As an interrupted copy leaves it.
    with pytest.raises(ImageError) as caught:
        read_image(str(path), 64, 64, LIMIT)

    assert caught.value.status is Status.UNREADABLE


def test_a_png_with_a_wrong_checksum_is_refused_though_pillow_reads_it(folder: Folder) -> None:
    content = bytearray(png())
    content[-14] ^= 1  # In the checksum of the last pixels.
    Image.open(io.BytesIO(content)).load()
    with pytest.raises(ImageError, match="checksum"):
        read_image(str(folder.file("a.png", bytes(content))), 64, 64, LIMIT)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"large{suffix}"
    gradient(101, 100).save(path)
    with pytest.raises(ImageError) as caught:
        read_image(str(path), 64, 64, max_pixels=10_000)

    assert caught.value.status is Status.TOO_LARGE


def test_a_fifo_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(ImageError, match="not a regular file"):
        read_image(str(tmp_path / "pipe.jpg"), 64, 64, LIMIT)


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        read_image(str(tmp_path / "gone.jpg"), 64, 64, LIMIT)


def test_an_image_error_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ImageError(Status.TOO_LARGE, "why")))

    assert (error.status, error.reason) == (Status.TOO_LARGE, "why")


@pytest.mark.parametrize(("width", "height"), [(64, 64), (48, 48), (500, 300), (1000, 20), (1, 1), (1, 900)])
def test_a_crop_has_the_side_asked_for(width: int, height: int) -> None:
    picture = Picture(np.asarray(gradient(width, height)), width, height)

    assert crop(picture, Face(0, 0, width, height), View(64)).shape == (64, 64, 3)


@pytest.mark.parametrize(("longer", "rows"), [(64, 100), (200, 200), (800, 800)])
def test_the_longer_side_decides_the_reduction_too(tmp_path: Path, longer: int, rows: int) -> None:
    path = tmp_path / "large.jpg"
    gradient(800, 800).save(path)

    assert len(read_image(str(path), 64, longer, LIMIT).pixels) == rows


def test_a_face_gets_the_square_around_its_box() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:60, 40:80] = 255
    picture = Picture(pixels, 100, 100)

    assert (crop(picture, Face(50, 20, 20, 40), View(64)) == 255).all()


def test_beyond_the_edge_a_crop_is_reflected() -> None:
    picture = Picture(np.asarray(gradient(100, 100)), 100, 100)
    face = crop(picture, Face(-4, 30, 40, 40), View(40))

    assert (face[:, :4] == face[:, 7:3:-1]).all()


def test_far_beyond_the_edge_the_part_inside_is_stretched() -> None:
    """A reflection of half a face is a face with two mouths, or two noses."""
    picture = Picture(np.asarray(gradient(100, 100)), 100, 100)
    face = crop(picture, Face(-20, 30, 40, 40), View(40))

    assert (face == crop(Picture(picture.pixels[30:70, :20], 20, 40), Face(0, 0, 20, 40), View(40))).all()


def test_a_crop_is_cut_where_the_box_is_even_when_the_picture_was_reduced() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[50:75, 25:50] = 255
    picture = Picture(pixels, width=400, height=400)

    assert (crop(picture, Face(100, 200, 100, 100), View(64)) == 255).all()


def test_shrinking_averages_areas_so_that_no_pixel_is_skipped() -> None:
    checks = np.indices((640, 640)).sum(axis=0) % 2 * 255
    pixels = np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8)
    small = crop(Picture(pixels, 640, 640), Face(0, 0, 640, 640), View(64))

    assert abs(small.astype(int) - 127).max() <= 1


def test_equal_pixels_have_equal_fingerprints_and_others_do_not() -> None:
    pixels = np.asarray(gradient(64, 64))
    other = pixels.copy()
    other[5, 5, 0] ^= 1

    assert fingerprint(pixels) == fingerprint(pixels.copy())
    assert fingerprint(pixels) != fingerprint(other)


def test_a_face_of_a_tenth_of_a_pixel_in_the_corner_of_a_scaled_picture_is_cut_out() -> None:
    scaled = Picture(np.full((33, 50, 3), 7, np.uint8), 101, 65)  # 65 / 101 * 50 is 32.2 rows.
    assert crop(scaled, Face(100.9, 64.9, 0.1, 0.1), View(64)).mean() == 7
    assert crop(Picture(scaled.pixels[:32], 101, 65), Face(100.9, 64.9, 0.1, 0.1), View(64)).mean() == 7
