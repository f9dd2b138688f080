"""The cells of a table: a row to the values of its columns, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from labeler.records import (
    COLUMNS_AFTER_BY_SCHEMA,
    COLUMNS_BEFORE,
    SCHEMA_VERSION,
    Row,
    Status,
    columns,
    top_columns,
    unusable_class_names,
    unusable_kept_names,
)

STRINGS = ("file", "label", "version", "status", "reason")
INTEGERS = ("face", "image_width", "image_height")

_ABSENT = frozenset({None, ""})
_NO_IMAGE = ("", "", "")
_STATUSES = {str(status): status for status in Status}
_BEGIN_FORMULAS = frozenset("=+-@\t\r'")


class Layout(NamedTuple):
    """What the columns of a table are, besides those that every table has."""

    class_names: tuple[str, ...]
    """The model's classes; with ``top`` they stand in the run record, for no column is called so."""
    schema: int = SCHEMA_VERSION
    keep: tuple[str, ...] = ()
    """Columns that were carried over from a list of files; they come last, and hold text."""
    top: int = 0
    """How many of the most probable classes a row names; 0 where each class has a column."""

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the columns that hold text."""
        return (*STRINGS, *top_columns(self.top)[::2], *self.keep)


def cells(
    row: Row, class_names: Sequence[str], schema: int = SCHEMA_VERSION, keep: Sequence[str] = (), top: int = 0
) -> dict[str, Any]:
    """Return a row as a mapping from column to value; a kept value that it lacks is empty."""
    between = top_columns(top) if top else class_names
    values = (row.further if top else row.probabilities) or (None,) * len(between)
    image = {"image_width": row.image_width, "image_height": row.image_height, "version": row.version}
    return {
        "file": escape(row.file),
        "face": row.face,
        "x": row.x,
        "y": row.y,
        "width": row.width,
        "height": row.height,
        "face_score": row.face_score,
        "label": row.label,
        "score": row.score,
        **dict(zip(between, values, strict=True)),
        **(image if schema > 1 else {}),
        "status": str(row.status),
        "reason": row.reason,
        **(dict(zip(keep, row.kept or ("",) * len(keep), strict=True)) if keep else {}),
    }


def by_column(
    rows: Sequence[Row],
    class_names: Sequence[str],
    schema: int = SCHEMA_VERSION,
    keep: Sequence[str] = (),
    top: int = 0,
) -> list[Sequence[Any]]:
    """Return the values of each column of some rows, at least one; those of a row are the same as of `cells`.

    Where columns are wanted, mappings in between would take ten times as long.
    """
    file, *before, probabilities, status, reason, width, height, version, _, kept, further = zip(*rows, strict=True)
    no_shares, nothing = (None,) * (2 * top - 2 if top else len(class_names)), ("",) * len(keep)
    return [
        list(map(escape, file)),
        *before,
        *zip(*(shares or no_shares for shares in (further if top else probabilities)), strict=True),
        *((width, height, version) if schema > 1 else ()),
        status,
        reason,
        *(zip(*(values or nothing for values in kept), strict=True) if keep else ()),
    ]


def escape(name: str) -> str:
    r"""Return a file name as valid Unicode: a byte that is not UTF-8 becomes ``\xNN``.

    A backslash that could be mistaken for such an escape becomes ``\x5c``, so that `unescape` is exact.
    """
    if "\\x" in name:
        name = re.sub(r"\\(?=x[0-9a-f]{2})", r"\\x5c", name)
    if name.isascii():
        return name
    return re.sub("[\udc80-\udcff]", lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}", name)


def unescape(name: str) -> str:
    """Return the file name that `escape` made this of."""

    def byte(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code + 0xDC00) if code >= 0x80 else chr(code)

    return re.sub(r"\\x([0-9a-f]{2})", byte, name) if "\\x" in name else name


def inert(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before a character that begins one.

    See "CSV Injection" of the OWASP. An apostrophe that stands there already gets another, so that `alive` is exact.
    """
    return "'" + text if text[:1] in _BEGIN_FORMULAS else text


def alive(text: str) -> str:
    """Return the text that `inert` made this of."""
    return text.removeprefix("'")


def layout_of(names: Sequence[str]) -> Layout:
    """Return what these columns are: `reason` ends those of the table itself, for no other may be called so.

    With `top`, they do not tell the classes.

    Raises:
        ValueError: they are no table's.
    """
    end = names.index("reason") + 1 if "reason" in names else 0
    own, keep = tuple(names[:end]), tuple(names[end:])
    for schema, after in COLUMNS_AFTER_BY_SCHEMA.items():
        between = own[len(COLUMNS_BEFORE) : -len(after)]
        top = len(between) // 2 + 1
        class_names, top = ((), top) if between == top_columns(top) else (between, 0)
        unusable = unusable_class_names(class_names) or unusable_kept_names(keep, between)
        if own == columns(class_names, schema, top=top) and not unusable:
            return Layout(class_names, schema, keep, top)
    raise ValueError("its columns are not those of a table")


def row_of(values: Sequence[Any], schema: int = SCHEMA_VERSION, kept: int = 0, top: int = 0) -> Row:
    """Return the row of the values of all columns, in their order; an absent one is None or an empty string.

    The last values, of which there are ``kept``, are those of the columns that were carried over from a list. For
    ``top`` see `Layout`.

    One function for all formats, without helpers: tables of millions of rows are read by it.

    Raises:
        ValueError: it is none: a value is missing, of another kind, not finite or out of place.
    """
    if kept:
        return row_of(values[:-kept], schema, 0, top)._replace(kept=tuple(map(_kept_text, values[-kept:])))
    try:
        file, face, x, y, width, height, face_score, label, score = values[: len(COLUMNS_BEFORE)]
        between = values[len(COLUMNS_BEFORE) : -len(COLUMNS_AFTER_BY_SCHEMA[schema])]
        image_width, image_height, version, status, reason = values[-5:] if schema > 1 else (*_NO_IMAGE, *values[-2:])
        cells = (x, y, width, height, face_score, score)
        numbers = [None if cell is None or cell == "" else float(cell) for cell in cells]
        names, shares = _top(between) if top else ((), () if between[0] in _ABSENT else tuple(map(float, between)))
        row = Row(
            unescape(file),
            None if face in _ABSENT else int(face),
            numbers[0],
            numbers[1],
            numbers[2],
            numbers[3],
            numbers[4],
            label or "",
            numbers[5],
            () if top else shares,
            _STATUSES[status],
            reason or "",
            None if image_width in _ABSENT else int(image_width),
            None if image_height in _ABSENT else int(image_height),
            version or "",
            None,
            (),
            tuple(chain.from_iterable(zip(names, shares, strict=True))) if top else (),
        )
        texts = row.file + row.label + row.reason + row.version
        if not texts.isascii():
            row.file.encode("utf-8", "surrogateescape")
            (row.label + row.reason + row.version).encode()
        total = sum(filter(None, numbers), sum(shares))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as exc:
        raise ValueError(f"no row of a table: {exc}") from exc
    if total - total != 0 or "\0" in row.file or min(row.face or 0, row.image_width or 0, row.image_height or 0) < 0:
        raise ValueError("no row of a table: no file is called so, a negative face or size, or a number without end")
    return row


def _top(values: Sequence[Any]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Return the most probable classes beside the label and their probabilities; nothing where there are none."""
    if not values or values[0] in _ABSENT:
        return (), ()
    return tuple(map(_text, values[::2])), tuple(map(float, values[1::2]))


def _kept_text(value: Any) -> str:
    return "" if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"no row of a table: {value!r} is no text")  # noqa: TRY004 - the table is wrong, not a type
    value.encode()
    return value
