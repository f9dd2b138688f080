"""Erase what the program keeps of photos: rows of a table, corrections, face crops, caches; never the photos."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from labeler import storage
from labeler.errors import LabelerError, OutputError, printable
from labeler.records import Row, Settings, Tally
from labeler.storage import atomic
from labeler.storage.address import below, is_remote
from labeler.storage.crops import Crops
from labeler.storage.lock import Lock
from labeler.tables import formats, reader, run_record, writer
from labeler.tables.review_log import Log
from labeler.tables.run_record import RunRecord, beside, cache_of

_KEPT = re.compile(
    r"thumbnails\.sqlite(-wal|-shm|-journal)?|\.?alike(-[0-9a-f]{16})?(\.part)?\.(codes|ranks)(\.aside\d*)?"
).fullmatch
"""What a review names the files that it keeps in a folder of `--cache`, which may hold other things, too."""


@dataclass(kw_only=True)
class Forgotten:
    """What was erased, or would be."""

    files: list[str]
    """The photos, by their names in the table."""
    rows: int = 0
    corrections: int = 0
    crops: list[str] = field(default_factory=list)
    """Paths of face crops."""
    cache: str = ""
    """The folder of hashes and thumbnails, all of it: what is whose in it nobody can tell. Empty if there is none."""
    kept: list[str] = field(default_factory=list)
    """Paths of the files that reviews kept in another folder, all of them for the same reason."""

    def as_json(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def forget(given: Sequence[str], table: Path, *, root: str = "", cache: str = "", dry_run: bool = False) -> Forgotten:
    """Erase photos, given by their names in the table or by their paths; with ``dry_run``, only say what would go.

    ``cache`` is the folder in which reviews kept thumbnails, if not that beside the table; `none` for none.

    The rows go last, since they tell what else belongs to a photo: killed at any moment, the same call completes it.

    Raises:
        LabelerError: there is no such table or folder, the table is unfinished, another program writes it, or it does
            not name a photo.
        OutputError: something cannot be erased.
    """
    reader.class_names(table)  # It refuses what is no table before a lock is made beside it.
    log = Log.of(table)
    with _locked(table), log.held():
        writer.settle(table)
        if run_record.is_begun(table):
            raise LabelerError(f"{table} has a run that was not completed; run the same classify command first")
        record = reader.record(table)
        found = _found(given, table, record, log, root or record.root)
        found.kept = [str(path) for path in _kept(cache)] if cache not in {"", "none"} else []
        if not dry_run:
            _erase(found, table, record, log)
    return found


def _found(given: Sequence[str], table: Path, record: RunRecord, log: Log, root: str) -> Forgotten:
    """Return what there is of the photos that are meant."""
    meant = {name: _meant(name, root) for name in given}
    wanted = set().union(*meant.values())
    rows = [row for row in reader.read(table) if row.file in wanted]
    events = [event.file for event in log.read() if event.file in wanted]
    known = {row.file for row in rows}.union(events)
    for name, names in meant.items():
        if not names & known:
            raise LabelerError(f"{table} names no photo {printable(name)}; nothing was erased")
        if len(names & known) > 1:
            raise LabelerError(
                f"{printable(name)} is the name of one photo of {table}, and the path of another; give a full path"
            )
    cache = cache_of(table)
    if cache.is_symlink():
        raise LabelerError(f"{cache} is a symbolic link; remove it and what it leads to, then do this again")
    return Forgotten(
        files=sorted(known),
        rows=len(rows),
        corrections=len(events),
        crops=[str(path) for path in _crops(rows, record)],
        cache=str(cache) if cache.exists() else "",
    )


def _meant(given: str, root: str) -> set[str]:
    """Return the names that a photo may have in a table: the given one, its path, its path below the root."""
    if is_remote(root):
        return {given, below(root, given)}
    path = os.path.abspath(given)
    relative = os.path.relpath(path, os.path.abspath(root))
    return {name.replace(os.sep, "/") for name in (given, path, relative)}


def _kept(cache: str) -> Iterator[Path]:
    """Yield the files that reviews kept in a folder."""
    try:
        names = sorted(os.listdir(cache))
    except OSError as exc:
        raise LabelerError(f"the folder {printable(cache)} cannot be read: {exc.strerror}; nothing was erased") from exc
    for path in (Path(cache, name) for name in names if _KEPT(name)):
        if path.is_symlink():
            raise LabelerError(f"{path} is a symbolic link; remove it and what it leads to, then do this again")
        yield path


def _crops(rows: Sequence[Row], record: RunRecord) -> Iterator[Path]:
    """Yield the crops that were kept of faces."""
    folder = record.settings.get("save_crops")
    if not isinstance(folder, str) or not folder or not os.path.isdir(folder):
        return
    crops = Crops(Settings(root=record.root, save_crops=folder))
    for row in rows:
        path = crops.path(row.file, row.face or 0)
        if path.is_file():
            yield path


def _erase(found: Forgotten, table: Path, record: RunRecord, log: Log) -> None:
    try:
        for path in (*found.crops, *found.kept):
            os.unlink(path)
        if found.cache:
            shutil.rmtree(found.cache)
        if found.corrections:
            log.erase(found.files)
        if found.rows:
            _rewrite(table, record, found.files)
    except OSError as exc:
        raise OutputError(f"cannot remove {exc.filename}: {exc.strerror}") from exc


def _rewrite(table: Path, record: RunRecord, files: Collection[str]) -> None:
    """Write the table without some files, or remove it if it has no others: without rows it may be no table.

    Its record goes first, since the same call mends it after a kill in between.
    """
    if all(row.file in files for row in reader.read(table)):
        beside(table, run_record.RECORD).unlink(missing_ok=True)
        table.unlink()
        return
    tally = Tally()

    def others() -> Iterator[Row]:
        for row in reader.read(table):
            if row.file not in files:
                tally.add(row)
                yield row

    with atomic.replacing(table) as unplaced:
        formats.of(table).write(unplaced, others(), record)
        if run_record.read(table):
            gone = {*files, *map(storage.at(record.root).locate, files)}
            inputs = tuple(name for name in record.inputs if name not in gone)
            left = replace(record, counts=tally.counts(), inputs=inputs, certificate=None)  # It was of other rows.
            run_record.write(table, left, "")


@contextmanager
def _locked(table: Path) -> Iterator[None]:
    """Keep other runs off the table inside the block."""
    try:
        lock = Lock(beside(table, ".lock"))
    except BlockingIOError as exc:
        raise LabelerError(f"another run is writing {table}; wait for it") from exc
    except OSError as exc:
        raise OutputError(f"cannot write {table}: {exc.strerror}") from exc
    try:
        yield
    finally:
        lock.release()
