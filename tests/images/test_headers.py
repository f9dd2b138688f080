"""Headers: what OpenCV must not be given is not recognised, so that Pillow reads it."""

from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from labeler.images import headers


def png(**options: object) -> bytes:
    content = BytesIO()
    Image.new("RGB", (30, 20), "red").save(content, "PNG", **options)  # type: ignore[arg-type]
    return content.getvalue()


def test_a_png_says_its_size() -> None:
    assert headers.read(png()) == (30, 20, False)


@pytest.mark.parametrize("kind", [b"IDAT", b"IEND"])
def test_a_chunk_that_claims_gigabytes_is_not_believed(kind: bytes) -> None:
    """OpenCV 5.0.0 takes 4 GB for it."""
    at = png().index(kind) - 4

    assert headers.read(png()[:at] + b"\xff\xff\xff\x00" + png()[at + 4 :]) is None


@pytest.mark.parametrize("kind", [b"acTL", b"fcTL", b"fdAT"])
def test_an_animation_is_left_to_pillow(kind: bytes) -> None:
    """A damaged one crashes OpenCV 5.0.0."""
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("green", "blue")]
    animated = png(save_all=True, append_images=frames)

    assert kind in animated
    assert headers.read(animated) is None


def test_a_part_of_an_animation_is_enough() -> None:
    at = png().index(b"IDAT") - 4

    assert headers.read(png()[:at] + b"\0\0\0\0fcTL\0\0\0\0" + png()[at:]) is None


@pytest.mark.parametrize("length", [0, 8, 20, 40, -1, -12])
def test_a_png_that_is_cut_short_is_left_to_pillow(length: int) -> None:
    assert headers.read(png()[:length]) is None or length == -1
