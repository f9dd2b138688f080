"""The registry of table formats: a name's suffix decides, or that it is a directory. The only place that lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from labeler.errors import LabelerError
from labeler.records import Row
from labeler.tables import parts
from labeler.tables.comma_separated import Csv
from labeler.tables.json_lines import JsonLines
from labeler.tables.run_record import RunRecord
from labeler.tables.text import Appendable

if TYPE_CHECKING:
    import pandas


class Format(Protocol):
    """How tables stand in files. All methods that read raise ValueError or OSError when the file is no such table."""

    @property
    def appendable(self) -> Appendable | None:
        """This format, if a table can grow at its end; None where an unfinished one has to be JSON Lines."""

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the names of the columns, whether or not they are those of a table of ours."""

    def read(self, path: Path) -> Iterator[Row]:
        """Yield all rows; raise ValueError, which says where, after the last sound one if the file is damaged."""

    def files(self, path: Path) -> Iterator[str]:
        """Yield the file of each row, as fast as the format allows; stop where the file is damaged."""

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:
        """Write a table made as ``record`` says. Memory does not grow with the number of rows."""

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:
        """Return the cells, file names still escaped; ``types`` are those pandas is to convert the columns to."""


def _parquet() -> Format:
    from labeler.tables.parquet import Parquet  # Deferred: it takes as long as starting Python, and few tables need it.

    return Parquet()


FORMATS: dict[str, Callable[[], Format]] = {".csv": Csv, ".jsonl": JsonLines, ".parquet": _parquet}

SUFFIXES = tuple(FORMATS)


def of(path: Path) -> Format:
    """Return the format of a table.

    Raises:
        LabelerError: its name has none of the suffixes.
    """
    if parts.is_directory(path):
        return parts.Parts()
    make = FORMATS.get(path.suffix.lower())
    if not make:
        raise LabelerError(f"cannot tell the format of {path}: a table's name ends in {', '.join(SUFFIXES)}")
    return make()
