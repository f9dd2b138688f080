"""How a table was made: the run record that stands beside it, and that of a table which is not complete."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

from labeler.errors import LabelerError, one_line
from labeler.inference.bundle import FLOAT32
from labeler.records import COLUMNS_AFTER_BY_SCHEMA, SCHEMA_VERSION
from labeler.storage import atomic
from labeler.tables.cells import Layout

RECORD, PART, PART_RECORD, COMPLETE = ".run.json", ".part", ".part.run.json", ".complete"
"""What stands beside a table: its record, what becomes the next table, the record of that, and the next table when it
is complete and has not taken its place."""

PLAN, SUCCESS = "_plan.json", "_SUCCESS"
"""What stands in a table that is a directory, see `tables.parts`: how it is made, and that it is finished."""

_OUTDATED = frozenset({"began", "redo_began"})
"""What a record of version 1 of the schema said besides."""

_LONGEST_RECORD = 1 << 26
"""Bytes of a run record; one that names 100,000 inputs has a tenth of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What stands in ``<table>.run.json``: how the table was made. An unfinished table has a record of its own."""

    version: str
    schema_version: int
    model: str
    model_sha256: str
    class_names: tuple[str, ...]
    root: str
    inputs: tuple[str, ...]
    settings: dict[str, Any]
    finished: bool = False
    counts: dict[str, int] = field(default_factory=dict)
    model_file: str = ""
    """Name of the model's file, which says whose weights labelled; empty in records of earlier versions."""
    model_figures: dict[str, Any] = field(default_factory=dict)
    redo: tuple[str, ...] | None = None
    """What is made again of the finished table that stood there when this one was begun, all other rows of which are
    taken over. None when the table is made anew, whatever stands there."""
    seconds: float | None = None
    """Duration of the run that labelled every file of the table; None where several runs did."""
    certificate: dict[str, Any] | None = None
    """How right the labels are by a blind sample, see `certify.certified`; None where there was none."""
    calibrated: dict[str, Any] | None = None
    """What `certify.rewrite` did to the scores after they were classified; None where they are the model's."""
    keep: tuple[str, ...] = ()
    """The columns of a list of files that the table carries."""

    @property
    def top(self) -> int:
        """Return how many of the most probable classes a row names; 0 where each class has a column."""
        found = self.settings.get("top", 0)  # Absent in the records of versions that knew no other.
        return found if isinstance(found, int) else 0

    @property
    def layout(self) -> Layout:
        """Return what the columns of the table are."""
        return Layout(self.class_names, self.schema_version, self.keep, self.top)


def read(path: Path) -> RunRecord | None:
    """Return the run record of a finished table, if there is one.

    A run that is killed when its table has taken its place, and its record has not, leaves the record of the part and
    no part: see `writer`.

    Raises:
        LabelerError: it cannot be understood.
    """
    if has_placed_record(path):
        return _read(beside(path, PART_RECORD))
    record = _read(beside(path, RECORD)) or _read(path / SUCCESS, "record")
    # Version 1 of the schema kept one record for both: true here unless a table is begun that takes nothing over.
    true = record and (record.finished or record.redo is not None or not is_begun(path))
    return record if true else None


def unfinished(path: Path) -> RunRecord | None:
    """Return the record of a run that ended before its table was complete, if there is one.

    Raises:
        LabelerError: it cannot be understood.
    """
    if not is_begun(path):
        return None
    record = _read(beside(path, PART_RECORD))
    if record:
        return record
    earlier = _read(beside(path, RECORD))
    return earlier if earlier and not earlier.finished else None  # Version 1 of the schema kept one record for both.


def is_begun(path: Path) -> bool:
    """Say whether rows of another table than the one that stands there were begun, or wait to take its place."""
    return beside(path, PART).exists() or beside(path, COMPLETE).exists()


def has_placed_record(path: Path) -> bool:
    """Say whether a table has taken its place and its record has not: a run was killed between the two.

    Raises:
        LabelerError: the record cannot be understood.
    """
    record = None if is_begun(path) else _read(beside(path, PART_RECORD))
    return bool(record and record.finished)


def write(path: Path, record: RunRecord, advice: str, suffix: str = RECORD) -> None:
    """Write the run record of a table, or of its part.

    Raises:
        OutputError: it cannot be written; ``advice`` says what to do.
    """
    atomic.write(beside(path, suffix), json.dumps(asdict(record), indent=2) + "\n", advice)


def refuse_other(out: Path | str, earlier: RunRecord, record: RunRecord) -> None:
    """Refuse to go on with a table that was begun differently.

    Raises:
        LabelerError: the model, the root or a setting is not the same.
    """
    differences = [
        f"{name} was {then}, is {now}"
        for name, then, now in (
            ("the model", _short(earlier), _short(record)),
            ("the root folder", earlier.root, record.root),
            ("the calibration", _calibration(earlier), _calibration(record)),
            ("--prior", _prior(earlier), _prior(record)),
            ("--keep", ",".join(earlier.keep) or "none", ",".join(record.keep) or "none"),
            ("--top", earlier.top, record.top),
            *(
                (f"--{name}".replace("_", "-"), earlier.settings.get(name), now)
                for name, now in record.settings.items()
                if name not in {"prior", "top"}
            ),
        )
        if then != now
    ]
    if differences:
        raise LabelerError(
            f"{out} was begun differently ({'; '.join(differences)}). "
            "Use the same model and settings, choose another --out, or start anew with --overwrite"
        )


def beside(path: Path, suffix: str) -> Path:
    """Return the name of a file that belongs to a table."""
    return path.with_name(path.name + suffix)


def cache_of(table: Path) -> Path:
    """Return the folder of hashes and thumbnails that belongs to a table: what is in it can be made again."""
    return beside(table, ".cache")


def of_json(found: Any) -> RunRecord:
    """Return a run record from what was read as JSON.

    Raises:
        ValueError, TypeError, AttributeError: it is no run record of this version.
    """
    known = {name: found[name] for name in found if name not in _OUTDATED}
    several = ("class_names", "inputs", "redo", "keep")
    tuples = {name: tuple(found[name]) for name in several if found.get(name) is not None}
    record = RunRecord(**known | tuples)
    _check_kinds(record)
    return record


def _read(file: Path, inside: str = "") -> RunRecord | None:
    """Return the record in a JSON file, or that under a name ``inside`` it; None where there is no file."""
    try:
        with file.open(encoding="utf-8") as stream:
            found = json.loads(stream.read(_LONGEST_RECORD))
        return of_json(found[inside] if inside else found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError) as exc:
        raise LabelerError(f"{file} is not a run record of this version of labeler: {one_line(exc)}") from exc


def _check_kinds(record: RunRecord) -> None:
    kinds: dict[str, type | UnionType] = {
        **dict.fromkeys(("version", "model", "model_sha256", "model_file", "root"), str),
        **dict.fromkeys(("settings", "counts", "model_figures"), dict),
        "schema_version": int,
        "finished": bool,
        "seconds": int | float | None,
        "certificate": dict | None,
        "calibrated": dict | None,
    }
    wrong = [name for name, kind in kinds.items() if not isinstance(getattr(record, name), kind)]
    texts = (*record.class_names, *record.inputs, *record.keep, *(record.redo or ()))
    if wrong or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{wrong[0] if wrong else 'a class name, input or kept column'} is of another kind")
    if record.schema_version not in COLUMNS_AFTER_BY_SCHEMA:
        raise ValueError(f"its table has the schema {record.schema_version}, this version knows up to {SCHEMA_VERSION}")


def _calibration(record: RunRecord) -> str:
    return f"that of {record.calibrated.get('cards')} cards" if record.calibrated else "the model's own"


def _prior(record: RunRecord) -> str:
    found = record.settings.get("prior")
    return ", ".join(map(str, found)) if isinstance(found, list) else "trained"


def _short(record: RunRecord) -> str:
    weights = ", its weights in float32" if record.model_file == FLOAT32 else ""
    return f"{record.model} ({record.model_sha256[:12]}{weights})"
