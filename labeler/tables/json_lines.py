"""Tables as JSON Lines: one object a line, its keys the columns in order; UTF-8.

The example to follow for another format: a class with the methods of `formats.Format`, which `formats.FORMATS` names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from labeler.records import SCHEMA_VERSION, Row
from labeler.tables import text
from labeler.tables.cells import Layout, cells, layout_of, row_of, unescape
from labeler.tables.run_record import RunRecord

if TYPE_CHECKING:
    import pandas

_BEGIN = '{"file": "'
"""What each line begins with that was written here."""

_parse = json.JSONDecoder().raw_decode


class JsonLines:
    """One object a line, its keys the columns in order; UTF-8."""

    @property
    def appendable(self) -> JsonLines:
        """Return this format: it can grow."""
        return self

    def header(self, *layout: object) -> bytes:  # noqa: ARG002 - lines name the columns
        """Return nothing."""
        return b""

    def encode(
        self,
        rows: Iterable[Row],
        class_names: Sequence[str],
        schema: int = SCHEMA_VERSION,
        keep: Sequence[str] = (),
        top: int = 0,
    ) -> bytes:
        """Return one line a row."""
        lines = (json.dumps(cells(row, class_names, schema, keep, top), ensure_ascii=False) for row in rows)
        return "".join(line + "\n" for line in lines).encode()

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the keys of the first line."""
        try:
            with path.open("rb") as stream:
                first = json.loads(stream.readline(text.LONGEST_RECORD))
        except RecursionError as exc:
            raise ValueError("its first line is nested too deeply") from exc
        return tuple(first) if isinstance(first, dict) else ()

    def read(self, path: Path) -> Iterator[Row]:
        """Yield all rows; raise ValueError after the last sound one if the file is damaged."""
        return text.read(path, self.decode, 0)

    def files(self, path: Path) -> Iterator[str]:
        """Yield the file of each line; of a line that was written here, nothing more is parsed."""
        with path.open("rb") as stream, suppress(ValueError, TypeError, LookupError, RecursionError):
            for line in map(bytes.decode, text.lines(stream)):
                ours = line.startswith(_BEGIN)
                yield unescape(_parse(line, len(_BEGIN) - 1)[0] if ours else json.loads(line)["file"])

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:
        """Write a table, some thousand rows at a time."""
        text.write(path, self, rows, record)

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:
        """Return the values."""
        import pandas  # Deferred: it takes 0.8 s, and `classify` does without.

        with path.open(encoding="utf-8") as lines:  # `read_json` parses the column of a class `modified` as times.
            return pandas.DataFrame(map(json.loads, lines), columns=list(types))

    def decode(self, stream: IO[bytes]) -> Iterator[tuple[Row, int]]:
        """Yield each sound row and the offset of its end; stop before the first torn one."""
        end = 0
        keys: list[str] = []
        layout = Layout(())
        for line in text.lines(stream):
            end += len(line)
            try:
                found = json.loads(line)
                if not keys:
                    keys = list(found)
                    layout = layout_of(keys)
                if list(found) != keys:
                    return
                row = row_of(list(found.values()), layout.schema, len(layout.keep), layout.top)
            except (ValueError, TypeError, AttributeError, RecursionError):
                return
            yield row, end
