"""Find lost image data by the warnings that decoders write to stderr.

Decoders continue after damage and return an image all the same: only their warnings tell it from a sound one. Most
other warnings are about sound files: odd headers, colour profiles, unknown chunks or tags.
"""

from __future__ import annotations

import re

_JPEG = re.compile(
    r"Corrupt JPEG data: (?!bad ICC marker)"  # Premature end of a segment, bad Huffman code, lost restart marker, ...
    r"|Premature end of JPEG file"
    r"|Inconsistent progression sequence for component"
)
"""libjpeg-turbo's warnings (jerror.h, JWRN_*) without those about headers, such as `Invalid SOS parameters for
sequential JPEG`: "there are some baseline files out there with all zeroes in these bytes" (jdhuff.c).

libjpeg prints only the first warning of an image: one about its header hides those about its data."""

_TIFF = re.compile(r"Fax\w*Decode\w*: |JPEGLib: ")
"""libtiff's errors after which it continues. Other errors fail the image; those about a directory's tags lose no
pixels."""

_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_NO_SEGMENTS = frozenset(range(0xC0)) | frozenset(range(0xD0, 0xDA))
"""Bytes after 0xFF that begin no segment with a length: non-markers, restart markers (RSTn), start and end of image."""


def told(said: str, content: bytes) -> str:
    """Return the first line that means damage, of what decoders ``said`` about a file; empty if there is none.

    libpng's lines do not count: it refuses damaged image data, and its warnings are about other chunks.
    """
    lines = (line for line in said.splitlines() if _JPEG.match(line) or _TIFF.match(line))
    return next((line for line in lines if not _is_filling(line, content)), "")


def _is_filling(line: str, content: bytes) -> bool:
    """Say whether the extraneous bytes that a JPEG decoder skipped were never image data.

    Bytes in a header were not, nor were zeros before the end of the image, with which some cameras pad a file. All
    others are left over because a damaged Huffman code made the decoder lose its place.
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
    """Return the offset of the first scan (SOS marker) of a JPEG; -1 if anything but segments comes before it."""
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == _START_OF_SCAN:
            return at
        if marker in _NO_SEGMENTS:
            return -1
        at += 1 if marker == 0xFF else 2 + (content[at + 2] << 8 | content[at + 3])
    return -1
