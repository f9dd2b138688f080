"""What a user wants exported, and the plan that comes of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError
from labeler.exports import croissant, subsets
from labeler.exports.format import Format
from labeler.exports.formats import FORMATS
from labeler.exports.item import Plan
from labeler.records import Faces, Mode
from labeler.storage import transfer
from labeler.storage.address import absolute, is_remote, parse
from labeler.tables import reader
from labeler.tables.reviews import path_of as reviews_of
from labeler.tables.run_record import RunRecord


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """What to export, and how."""

    table: Path
    to: str
    """The name of a format, see `FORMATS`."""
    out: Path
    root: str = ""
    """Where the files of the table are; empty for where they were."""
    split: tuple[float, ...] = ()
    """The shares of train, val and test; empty for what the format has by itself."""
    group_by: str = ""
    """A regular expression: files for which it finds the same text are in one subset."""
    seed: int = 0
    crops: bool | None = None
    """Whether each picture is the crop of one face; None for what suits the format."""
    mode: Mode | None = Mode.COPY
    """How pictures get into the export; None where they stay in place."""
    per_class: int = 0
    """Upper limit on the pictures of a class, chosen at random; 0 for all."""
    min_score: float = 0.0
    """Lower limit on the score of a face."""
    keep_metadata: bool = False
    """Whether EXIF and the like stay in photos that are copied."""
    max_pixels: int = 100_000_000
    """Upper limit on the pixels of a photo that is read."""
    reviews: bool = True
    """Whether corrections count."""


def plan(wanted: ExportSettings) -> Plan:
    """Return what the settings come to.

    Raises:
        LabelerError: they contradict each other, the table cannot be read, or its files are not where they were.
    """
    form = FORMATS.get(wanted.to)
    if not form:
        raise LabelerError(f"there is no format {wanted.to}; name one of these: {', '.join(FORMATS)}")
    record = reader.record(wanted.table)
    in_place = wanted.to == croissant.TABLE
    if in_place:
        _check_in_place(wanted)
    mode = None if in_place else wanted.mode
    crops = _crops(wanted, form, record, mode)
    split = shares(wanted)
    if form.packs and mode not in {None, Mode.COPY}:
        raise LabelerError(f"{wanted.to} packs the pictures: --mode {mode} is not possible. Leave it out")
    found = Plan(
        out=wanted.out,
        table=wanted.table,
        record=record,
        root=absolute(_root(wanted, record, reads=mode is not None or len(split) > 1)),
        subsets=subsets.names(split),
        crops=crops,
        format=wanted.to,
        suffix=".png" if crops else ".jpg",
        mode=mode,
        reviews=wanted.reviews and not in_place,
    )
    if is_remote(found.root) and mode not in {None, Mode.COPY}:
        raise LabelerError(
            f"the photos lie at {parse(found.root).place}, where no link leads to: --mode {mode} is not possible. "
            "Leave it out, or use --mode none"
        )
    form(found)  # It refuses what it cannot do, before anything is made.
    return found


def shares(wanted: ExportSettings) -> tuple[float, ...]:
    """Return the shares of the subsets that a user wants, else those of the format; none for one undivided set."""
    return wanted.split or FORMATS[wanted.to].split


def identity(wanted: ExportSettings, planned: Plan) -> dict[str, Any]:
    """Return all that decides the content of an export, for JSON.

    Raises:
        LabelerError: the table cannot be read.
    """
    try:
        digest = _digest(wanted.table)
        reviews = reviews_of(wanted.table)
        corrected = transfer.digest(str(reviews)) if planned.reviews and reviews.exists() else None
    except transfer.UnreadableError as exc:
        raise LabelerError(f"cannot read {exc}") from exc
    return {
        "format": wanted.to,
        "table": wanted.table.name,
        "SHA-256 of the table": digest,
        "SHA-256 of the reviews": corrected,
        "photos": planned.root,
        "--split": ",".join(f"{share:g}" for share in shares(wanted)) or "1",
        "--group-by": wanted.group_by,
        "--seed": wanted.seed,
        "--crops": planned.crops,
        "--mode": planned.mode or "none",
        "--per-class": wanted.per_class,
        "--min-score": wanted.min_score,
        "--keep-metadata": wanted.keep_metadata,
    }


def _digest(table: Path) -> str:
    """Return the SHA-256 of a table; of a directory of parts, that of its files' own."""
    if not table.is_dir():
        return transfer.digest(str(table))
    parts = sorted(path for path in table.rglob("*") if path.is_file())
    return hashlib.sha256("".join(transfer.digest(str(path)) for path in parts).encode()).hexdigest()


def _crops(wanted: ExportSettings, form: type[Format], record: RunRecord, mode: Mode | None) -> bool:
    """Say whether the pictures are crops: by default where the format wants it, and photos need not stay whole."""
    if wanted.crops and mode is None:
        raise LabelerError("a crop is a new file: --crops and --mode none are not possible together. Leave one out")
    if wanted.crops is not None:
        return wanted.crops
    whole = record.settings.get("faces") == Faces.WHOLE
    return form.crops and (mode is Mode.COPY or (mode is not None and whole))


def _check_in_place(wanted: ExportSettings) -> None:
    given = {
        "--split": len(wanted.split) > 1,
        "--crops": wanted.crops,
        "--per-class": wanted.per_class,
        "--min-score": wanted.min_score,
    }
    for name, value in given.items():
        if value:
            raise LabelerError(f"croissant describes the table as it is: {name} is not possible. Leave it out")


def _root(wanted: ExportSettings, record: RunRecord, *, reads: bool) -> str:
    """Return the folder of the photos, which has to be there only where they are looked at."""
    if reads or not (wanted.root or record.root):
        return reader.root(wanted.table, wanted.root)
    return wanted.root or record.root
