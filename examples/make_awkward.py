"""Make the awkward pictures of examples/photos/awkward out of the good ones.

Run it as ``python examples/make_awkward.py [TARGET]``. The same Pillow writes the same bytes every time.
Files in TARGET that bear one of the names below are replaced.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

PHOTOS = Path(__file__).resolve().parent / "photos"
ORIENTATION_TAG = 0x0112
TURN_RIGHT_TO_VIEW = 6


def rotated_by_exif() -> bytes:
    """Return a picture stored lying on its side, with the EXIF note by which phones say how to turn it."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = TURN_RIGHT_TO_VIEW
    stored = face("hopper").transpose(Image.Transpose.ROTATE_90)
    return encoded(stored, "JPEG", quality=88, exif=exif)


def grayscale() -> bytes:
    """Return a JPEG with one channel instead of three."""
    return encoded(face("collins").convert("L"), "JPEG", quality=88)


def cmyk() -> bytes:
    """Return a JPEG in the four colours of a printing press."""
    return encoded(face("collins").convert("CMYK"), "JPEG", quality=88)


def sixteen_bit() -> bytes:
    """Return a PNG with 65,536 shades of gray instead of 256."""
    shades = np.asarray(face("photographer").convert("L"), dtype=np.uint16) * 257
    return encoded(Image.fromarray(shades), "PNG")


def truncated() -> bytes:
    """Return the first half of a JPEG, as a broken download leaves it."""
    whole = (PHOTOS / "faces" / "hopper.jpg").read_bytes()
    return whole[: len(whole) // 2]


def oddly_named() -> bytes:
    """Return a good picture: only its name has spaces and accents."""
    return (PHOTOS / "faces" / "collins.jpg").read_bytes()


def text() -> bytes:
    """Return what is no picture at all, whatever its name says."""
    return b"This is a text file. Somebody named it .jpg.\n"


def empty() -> bytes:
    """Return nothing, as a full memory card leaves it."""
    return b""


VARIANTS: dict[str, Callable[[], bytes]] = {
    "sixteen_bit.png": sixteen_bit,
    "cmyk.jpg": cmyk,
    "empty.jpg": empty,
    "grayscale.jpg": grayscale,
    "rotated_by_exif.jpg": rotated_by_exif,
    "text.jpg": text,
    "truncated.jpg": truncated,
    "été à la mer.jpg": oddly_named,
}


def face(name: str) -> Image.Image:
    """Return one of the face crops that the awkward pictures are made of."""
    with Image.open(PHOTOS / "faces" / f"{name}.jpg") as image:
        return image.copy()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return the picture as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def main(target: Path) -> None:
    """Write every variant into the folder ``target``, which is created when missing."""
    target.mkdir(parents=True, exist_ok=True)
    for name, make in VARIANTS.items():
        (target / name).write_bytes(make())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PHOTOS / "awkward")
