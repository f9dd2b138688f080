r"""Names and texts that every reader of an export understands, whatever a photo is called.

Pictures that the export places get a name that text files carry and importers find. Where a name of the user's has to
be written that a format cannot carry, it is written as in a table: a byte that is no UTF-8 as ``\xNN``, see
`cells.escape`. Only JSON carries all names, so a photo that stays in place has its true name there.
"""

from __future__ import annotations

import os
import re

from labeler.storage.names import hashed
from labeler.tables.cells import escape

ODD = r"[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ud800-\udfff\ufffe\uffff]|^[.\s]|\s$"
"""Matches in a part of a name that some importer does not find: control characters and line breaks, a backslash (taken
for a slash), bytes that are no UTF-8, a dot in front (hidden), spaces at its ends (cut off)."""

_ODD = re.compile(ODD)

_SUFFIXES = "jpg jpeg jpe jfif png webp bmp gif tif tiff heic heif avif jp2 ppm pgm pbm"
_SUFFIX = re.compile(rf"\.({_SUFFIXES.replace(' ', '|')})", re.IGNORECASE)

_TAGGED = re.compile(rf".*-({_SUFFIXES.replace(' ', '|')}|[0-9a-f]{{16}})", re.IGNORECASE | re.DOTALL)
"""What the names end with that `name` has changed, before their suffix."""

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MARKUP = re.compile('[&<>"\t\n\r]')


def name(wanted: str, usual: str, odd: re.Pattern[str] = _ODD) -> str:
    """Return a picture's name as importers find it, unique even without its suffix; unique if the wanted ones are.

    Most importers call a picture by its name without the suffix: ``a.jpg`` and ``a.png`` would be one. So a picture
    without the ``usual`` suffix has its own in the name, ``a-png.png``. A part that is ``odd`` gets its hash.
    """
    *folders, last = wanted.split("/")
    stem, suffix = os.path.splitext(last)
    if not _SUFFIX.fullmatch(suffix):
        last = _plain(last)
    elif odd.search(stem):
        last = _plain(last) + suffix
    elif suffix != usual or _TAGGED.fullmatch(stem):
        last = f"{stem}-{suffix[1:]}{suffix}"
    return "/".join([*(_plain(part) if odd.search(part) else part for part in folders), last])


def _plain(part: str) -> str:
    return hashed(part).replace(".", "_").lstrip("_")


def stem(name: str) -> str:
    """Return a name without its suffix."""
    return os.path.splitext(name)[0]


def carried(text: str) -> str:
    r"""Return a text as it is read from an element or an attribute in XML, whose markup `xml` adds."""
    if _NOT_XML.search(text):
        return _NOT_XML.sub(lambda match: rf"\x{ord(match[0]):02x}", escape(text))
    return text


def xml(text: str) -> str:
    r"""Return a text for an element or an attribute in XML; what XML 1.0 cannot carry is written as ``\xNN``."""
    text = carried(text)
    if _MARKUP.search(text):
        text = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", text)
    return text
