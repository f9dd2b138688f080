"""What decoders say about a picture on stderr, and which of it means that a part of the image data is lost.

Decoders go on after damage and return a picture all the same: only their warnings tell it from a sound one. Most of
their other warnings are about sound pictures: odd headers, colour profiles, chunks or tags that they do not know.
"""

from __future__ import annotations

import re

_JPEG = re.compile(
    r"Corrupt JPEG data: (?!bad ICC marker)"  # Premature end of a segment, bad Huffman code, lost restart marker, ...
    r"|Premature end of JPEG file"
    r"|Inconsistent progression sequence for component"
)
"""libjpeg-turbo's warnings (jerror.h, JWRN_*) but those about headers. `Invalid SOS parameters for sequential JPEG` is
one of these: "there are some baseline files out there with all zeroes in these bytes" (jdhuff.c).

libjpeg prints the first warning of a picture only: one about its header hides those about its data."""

_TIFF = re.compile(r"Fax\w*Decode\w*: |JPEGLib: ")
"""libtiff's errors after which it goes on. Others fail the picture; those of a directory's tags lose no pixels."""

_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_NO_SEGMENTS = frozenset(range(0xC0)) | frozenset(range(0xD0, 0xDA))
"""Bytes that begin no segment with a length after 0xFF in a header: no markers, restarts, start and end of image."""


def told(said: str, content: bytes) -> str:
    """Return the line that means damage, of what decoders ``said`` while they read a file; empty if there is none.

    libpng is not asked: it refuses damaged image data, and its warnings are about other chunks.
    """
    lines = (line for line in said.splitlines() if _JPEG.match(line) or _TIFF.match(line))
    return next((line for line in lines if not _is_filling(line, content)), "")


def _is_filling(line: str, content: bytes) -> bool:
    """Say whether bytes that a JPEG decoder passed over were never image data.

    Those in a header are not. Nor are zeros before the end of the image, which some cameras fill up with. All others
    are what is left because a damaged code has made the decoder lose its place.
    """
    found = _EXTRANEOUS.match(line)
    if not found:
        return False
    scan = _first_scan(content)
    if scan < 0:
        return True
    count, marker = int(found[1]), int(found[2], 16)
    end = content.find(bytes((0xFF, _END_OF_IMAGE)), scan)
    return marker == _END_OF_IMAGE and not any(content[max(end - count, 0) : max(end, 0)])


def _first_scan(content: bytes) -> int:
    """Return where the first scan of a JPEG begins; -1 when something else than segments comes before it."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == _START_OF_SCAN:
            return at
        if marker in _NO_SEGMENTS:
            return -1
        at += 1 if marker == 0xFF else 2 + (content[at + 2] << 8 | content[at + 3])
    return -1
