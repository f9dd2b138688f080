"""Metadata leaves a file, its pixels stay."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from labeler.images.metadata import stripped

SECRET = b"51.5007 N"
ORIENTATION, DESCRIPTION, GPS = 0x0112, 0x010E, 0x8825


def pictured(form: str, *, orientation: int = 1, **options: object) -> bytes:
    """Return a file whose EXIF, XMP and comments hold the secret, and that has a colour profile."""
    pixels = np.random.default_rng(1).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION], exif[DESCRIPTION] = orientation, SECRET.decode()
    exif.get_ifd(GPS)[1] = SECRET.decode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, exif=exif, icc_profile=profile, **options)  # type: ignore[arg-type]
    return file.getvalue()


def png_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return info


FILES = {
    "jpeg": pictured("JPEG", comment=SECRET, xmp=SECRET),
    "progressive jpeg": pictured("JPEG", progressive=True, comment=SECRET, xmp=SECRET),
    "jpeg with a preview behind it": pictured("JPEG") + pictured("JPEG", comment=SECRET),
    "png": pictured("PNG", pnginfo=png_text()),
    "webp": pictured("WEBP", xmp=SECRET),
    "lossless webp": pictured("WEBP", lossless=True, xmp=SECRET),
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_nothing_but_the_picture_stays(content: bytes) -> None:
    bare = stripped(content)

    assert SECRET in content
    assert bare is not None
    assert SECRET not in bare
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(bare)) as after:
        assert not after.getexif()
        assert after.info.get("icc_profile") == before.info["icc_profile"]
        assert "comment" not in after.info
        assert "xmp" not in after.info
        assert np.array_equal(np.asarray(before), np.asarray(after))
        after.load()
    assert stripped(bare) == bare


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_has_to_be_encoded_anew(form: str, orientation: int) -> None:
    assert stripped(pictured(form, orientation=orientation)) is None


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_file_that_is_cut_off_or_garbled_is_encoded_anew_or_holds_no_metadata(content: bytes) -> None:
    for length in range(0, len(content), 7):
        assert SECRET not in (stripped(content[:length]) or b"")
    garbled = bytearray(content)
    for at in range(4, len(content), 11):
        garbled[at] ^= 0xFF
        stripped(bytes(garbled))  # It never raises.


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP"])
def test_other_formats_have_to_be_encoded_anew(form: str, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a", form)

    assert stripped((tmp_path / "a").read_bytes()) is None
