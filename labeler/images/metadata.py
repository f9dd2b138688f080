"""Remove EXIF, GPS, XMP and other metadata from image files, with the pixels untouched."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from labeler.images import pillow

_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
"""Ends entropy-coded JPEG data: any marker but a stuffed byte and the restart markers (ITU T.81, B.1.1)."""

_SOS, _EOI, _APP0, _APP2, _APP14, _COM = 0xDA, 0xD9, 0xE0, 0xE2, 0xEE, 0xFE

_PNG_KEPT = frozenset({b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"pHYs", b"bKGD"})
"""Ancillary PNG chunks that decide how pixels look; critical ones begin with a capital letter (W3C PNG, 5.4)."""

_WEBP_METADATA = 0x0C
"""Flags of the chunk VP8X: the file has EXIF (8), XMP (4)."""


def stripped(content: bytes) -> bytes | None:
    """Return an upright JPEG, PNG or WebP file without metadata; colour profiles stay.

    None for other formats, for an orientation that turns the image (it would be lost), and for what is damaged: such
    a file has to be encoded anew.
    """
    strip = next((strip for signature, strip in _FORMATS.items() if content.startswith(signature)), None)
    try:
        return b"".join(strip(content)) if strip and pillow.orientation(content) == 1 else None
    except Exception:  # noqa: BLE001 - Pillow raises almost anything on damaged files, and so do we.
        return None


def _jpeg(content: bytes) -> Iterator[bytes]:
    """Yield the marker segments that decoding needs; what follows the end of the image holds previews, with EXIF."""
    yield content[:2]
    at = 2
    while True:
        if content[at] != 0xFF:
            raise ValueError("no marker")
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == _EOI:
            yield content[at : at + 2]
            return
        end = at + 2 + struct.unpack_from(">H", content, at + 2)[0]
        if marker == _SOS:
            found = _MARKER.search(content, end)
            if not found:
                raise ValueError("no end")
            end = found.start()
        if _is_kept(marker, content[at + 4 : at + 16]):
            yield content[at:end]
        at = end


def _is_kept(marker: int, begin: bytes) -> bool:
    if marker == _APP2:
        return begin.startswith(b"ICC_PROFILE\0")
    return marker in {_APP0, _APP14} or not (_APP0 <= marker <= _APP0 + 15 or marker == _COM)


def _png(content: bytes) -> Iterator[bytes]:
    yield content[:8]
    at, kind = 8, b""
    while kind != b"IEND":
        length = struct.unpack_from(">I", content, at)[0]
        kind = content[at + 4 : at + 8]
        if not kind[:1].isalpha() or at + 12 + length > len(content):
            raise ValueError("no chunk")
        if kind[:1].isupper() or kind in _PNG_KEPT:
            yield content[at : at + 12 + length]
        at += 12 + length


def _webp(content: bytes) -> Iterator[bytes]:
    if content[8:12] != b"WEBP":
        raise ValueError("another format")
    kept = [b"WEBP"]
    at, end = 12, min(8 + struct.unpack_from("<I", content, 4)[0], len(content))
    while at + 8 <= end:
        kind, length = struct.unpack_from("<4sI", content, at)
        chunk = content[at : at + 8 + length + length % 2]
        if kind == b"VP8X":
            chunk = chunk[:8] + bytes([chunk[8] & ~_WEBP_METADATA]) + chunk[9:]
        if kind not in {b"EXIF", b"XMP "}:
            kept.append(chunk)
        at += 8 + length + length % 2
    body = b"".join(kept)
    yield struct.pack("<4sI", b"RIFF", len(body)) + body


_FORMATS = {b"\xff\xd8\xff": _jpeg, b"\x89PNG\r\n\x1a\n": _png, b"RIFF": _webp}
