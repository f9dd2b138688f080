"""A table that is a directory: numbered Parquet parts, for runs that are large, sharded or remote.

``_plan.json`` says how it is made and how many units there are, ``parts/<unit>.parquet`` holds the rows of a unit, and
``_SUCCESS`` is put last. Each is written once, whole or not at all. See `labeler.parts` for how they are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeler.errors import LabelerError
from labeler.records import Row
from labeler.tables.run_record import PLAN, SUCCESS, RunRecord

if TYPE_CHECKING:
    import pandas

    from labeler.tables.parquet import Parquet

MANIFEST, PARTS = "_manifest", "parts"
"""The folders in the directory."""

_SUFFIX = ".parquet"


def part(unit: int) -> str:
    """Return the name of the part that holds the rows of a unit."""
    return f"{PARTS}/{unit:08}{_SUFFIX}"


def unit_of(name: str) -> int | None:
    """Return the unit of a part, None of any other name."""
    digits = name.removeprefix(f"{PARTS}/").removesuffix(_SUFFIX)
    return int(digits) if digits.isdecimal() and part(int(digits)) == name else None


def is_directory(path: Path) -> bool:
    """Say whether a path is a directory of parts, finished or not."""
    return (path / PLAN).is_file()


def is_finished(path: Path) -> bool:
    """Say whether all parts are there."""
    return (path / SUCCESS).is_file()


def files(path: Path) -> list[Path]:
    """Return the parts of a finished directory, in order of units.

    Raises:
        ValueError: the directory does not say how many there are.
    """
    found = json.loads((path / SUCCESS).read_text("utf-8"))
    if not isinstance(found, dict) or not isinstance(found.get("units"), int):
        raise ValueError(f"{SUCCESS} does not say how many parts there are")  # noqa: TRY004 - as of a damaged table
    return [path / part(unit) for unit in range(found["units"])]


def success(record: Mapping[str, Any], units: int, plan: str, labels: Mapping[str, int]) -> bytes:
    """Return the content of ``_SUCCESS``: the run record, the number of parts, their plan, and faces by label."""
    return (json.dumps({"units": units, "plan": plan, "labels": labels, "record": record}, indent=2) + "\n").encode()


class Parts:
    """A directory of Parquet parts. See `formats.Format`. It is never changed, and nothing else is written like it."""

    appendable = None

    def columns(self, path: Path) -> tuple[str, ...]:
        """Return the names of the columns, those of the first part."""
        return _parquet().columns(files(path)[0])

    def read(self, path: Path) -> Iterator[Row]:
        """Yield the rows of all parts."""
        for one in files(path):
            yield from _parquet().read(one)

    def files(self, path: Path) -> Iterator[str]:
        """Yield the file of each row."""
        for one in files(path):
            yield from _parquet().files(one)

    def write(self, path: Path, rows: Iterable[Row], record: RunRecord) -> None:  # noqa: ARG002 - the seam's
        """Refuse: parts are written once, unit by unit.

        Raises:
            LabelerError: always.
        """
        raise LabelerError(
            f"{path} is a directory of parts, which are never changed; make one file of it first: labeler merge {path} "
            "--out labels.parquet"
        )

    def frame(self, path: Path, types: Mapping[str, str]) -> pandas.DataFrame:
        """Return the values of all parts; a text that is absent is empty, as in a `Row`."""
        import pandas  # Deferred: it takes 0.8 s, and `classify` does without.

        return pandas.concat([_parquet().frame(one, types) for one in files(path)], ignore_index=True)


def _parquet() -> Parquet:
    from labeler.tables import parquet  # Deferred: see `formats`.

    return parquet.Parquet()
