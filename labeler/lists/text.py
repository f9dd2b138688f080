"""Lists that are text: a name a line, CSV, JSON Lines. Read a line at a time, whatever their length."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import IO, Any

from labeler.lists.column import column_of
from labeler.lists.entry import DamagedError, Entry, Wanted
from labeler.tables.cells import alive, layout_of, unescape

LONGEST_LINE = 1 << 24
"""Upper limit on the bytes of a line."""

_SEPARATORS = ",;\t"


def plain(stream: IO[bytes], wanted: Wanted) -> Iterator[Entry]:  # noqa: ARG001 - the seam's
    """Yield each line but blank ones, and those that begin with ``#``."""
    for number, line in _lines(stream):
        name = line.decode("utf-8", "surrogateescape").removesuffix("\n").removesuffix("\r")
        if name.strip() and not name.startswith("#"):
            yield Entry(number, name)


def comma_separated(stream: IO[bytes], wanted: Wanted) -> Iterator[Entry]:
    """Yield each record of a CSV file, whose first one names the columns; blank lines are passed over.

    It is separated by commas, semicolons or tabs, whichever the first line has most of. A table of ours gives the names
    that it means.
    """
    begin = end = 0

    def texts() -> Iterator[str]:
        nonlocal end
        for end, line in _lines(stream):  # noqa: B007 - read below
            yield line.decode("utf-8", "surrogateescape")

    lines = texts()
    first = next(lines, "")
    records = csv.reader(chain([first], lines), delimiter=max(_SEPARATORS, key=first.count), strict=True)
    header: list[str] | None = None
    own, kept, ours = 0, list[int](), False
    while True:
        begin = end + 1 if header is not None else 1
        try:
            cells = next(records, None)
        except csv.Error as exc:
            raise DamagedError(begin, str(exc)) from exc
        if cells is None:
            return
        if header is None:
            header = cells
            own, kept = header.index(column_of(header, wanted)), [header.index(name) for name in wanted.keep]
            ours = _is_ours(list(map(alive, header)))
        elif len(cells) == len(header):
            name, values = cells[own], tuple(cells[at] for at in kept)
            yield Entry(begin, unescape(alive(name)), tuple(map(alive, values))) if ours else Entry(begin, name, values)
        elif cells:
            raise DamagedError(begin, f"it has {len(cells)} cells, and the first line has {len(header)}")


def json_lines(stream: IO[bytes], wanted: Wanted) -> Iterator[Entry]:
    """Yield each object; numbers are kept as they are written."""
    own, ours = "", False
    for number, line in _lines(stream):
        if not line.strip():
            continue
        try:
            found = json.loads(line, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError) as exc:
            raise DamagedError(number, f"it is no JSON: {exc}") from exc
        if not isinstance(found, dict):
            raise DamagedError(number, "it is no JSON object")
        if not own:
            own, ours = column_of(list(found), wanted), _is_ours(list(found))
        name = found.get(own)
        if not isinstance(name, str):
            raise DamagedError(number, f"`{own}` is no text")
        yield Entry(number, unescape(name) if ours else name, tuple(_text(found.get(column)) for column in wanted.keep))


def _lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line, with its end, after its number; a byte-order mark is left out.

    Raises:
        DamagedError: a line is too long, or it is no UTF-8 text.
    """
    for number, line in enumerate(iter(partial(stream.readline, LONGEST_LINE + 1), b""), 1):
        if number == 1:
            if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DamagedError(number, "it is UTF-16; save the list as UTF-8")
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > LONGEST_LINE:
            raise DamagedError(number, f"it has more than {LONGEST_LINE:,} bytes")
        if b"\0" in line:
            raise DamagedError(number, "it holds a NUL byte: a list has a name a line, in UTF-8")
        yield number, line


def _is_ours(columns: Sequence[str]) -> bool:
    """Say whether a list is a table of ours, whose file names are escaped."""
    try:
        layout_of(columns)
    except ValueError:
        return False
    return True


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
