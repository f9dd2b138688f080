"""Sort files into one folder per label: plan the moves, carry out that very plan, take it back.

The promise: a file of the user's is never lost, changed or overwritten. Each step is announced in a journal in the
sorted folder before it is taken. After a kill at any moment, sorting again completes it and `undo` plays it back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePosixPath

from labeler import journal, placing, restoring
from labeler.destinations import Destinations, check, folder_name
from labeler.errors import LabelerError
from labeler.journal import Entry, Move, Outcome
from labeler.placing import UnreadableError
from labeler.records import Mode, Row, Status

__all__ = ["Mode", "Move", "Outcome", "apply", "plan", "undo"]

BATCH = 32
"""How many intents are written, and waited for until they are on the disk, at a time."""

PLACE: dict[Mode, Callable[[Move, str], None]] = {
    Mode.COPY: lambda move, target: placing.copy(move.source, target, move.sha256),
    Mode.MOVE: lambda move, target: placing.move(move.source, target),
    Mode.SYMLINK: lambda move, target: placing.symlink(move.source, target),
    Mode.HARDLINK: lambda move, target: placing.hardlink(move.source, target),
}


def plan(rows: Iterable[Row], root: str, into: Path, mode: Mode = Mode.COPY, *, flat: bool = False) -> list[Move]:
    """Return one move for each file, in the table's order; write nothing.

    A file with several faces (adjacent rows) goes where its largest face goes. ``into`` may lie below ``root``,
    which may be just the common parent of what was classified: a file that stands in ``into`` is never
    sorted again, so a second classify that finds the sorted files does no harm.

    Raises:
        LabelerError: ``into`` contains ``root``, cannot be a folder, or holds these files sorted in another way.
    """
    check(root, into)
    root = os.path.abspath(root)
    destinations = Destinations(root, into, mode, flat, _entries(into) or [])
    moves: dict[str, Move] = {}
    for file, faces in groupby(rows, key=lambda row: row.file):
        source = os.path.abspath(os.path.join(root, file))
        if source not in moves:
            moves[source] = destinations.move(source, _folder(min(faces, key=lambda row: row.face or 0)))
    return list(moves.values())


def apply(moves: Sequence[Move], into: Path) -> Iterator[Move]:
    """Carry out a plan; yield each move with its outcome, in order. What is not consumed is not done.

    Raises:
        OutputError: something cannot be written. The sort can be repeated, and then continues.
        LabelerError: a hard link is impossible here.
    """
    if any(move.outcome is Outcome.PLANNED for move in moves):
        _begin(into)
    for start in range(0, len(moves), BATCH):
        batch = [_ready(move) for move in moves[start : start + BATCH]]
        with placing.writing(into):
            journal.append(_journal(into), _intents(batch, into))
        for move in batch:
            yield _carried_out(move, os.path.join(into, move.target))


def undo(into: Path) -> Iterator[Move]:
    """Play the journal back, newest first; yield each move that was undone, or why it had to be kept.

    The journal goes when all is undone. Until then it holds what had to be kept, and `undo` can be repeated.

    Raises:
        LabelerError: there is no journal in ``into``, or it is damaged.
        OutputError: something cannot be removed or put back.
    """
    entries = _entries(into)
    if entries is None:
        raise LabelerError(f"{into} holds no sort to undo. Name the folder that was given to --into")
    kept: list[Entry] = []
    for entry in reversed(entries):
        outcome = restoring.undone(entry, into)
        if outcome and outcome.notable:
            kept.append(entry)
        if outcome and entry.mode:
            yield replace(entry.move, outcome=outcome)
    complete = not any(entry.mode for entry in kept)
    with placing.writing(into):
        journal.keep(_journal(into), [] if complete else kept[::-1])
    if complete and Entry("") in entries:
        placing.remove_if_empty(into)


def _folder(row: Row) -> str:
    """Return the name of the folder for a row."""
    if row.failed:
        return "failed"
    return Status.NO_FACE.value if row.status is Status.NO_FACE else folder_name(row.label)


def _journal(into: Path) -> str:
    return os.path.join(into, journal.NAME)


def _entries(into: Path) -> list[Entry] | None:
    """Return what the journal holds, None when there is no journal."""
    try:
        return journal.read(_journal(into))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise LabelerError(f"{_journal(into)} cannot be read: {exc.strerror}") from exc


def _begin(into: Path) -> None:
    """Make the sorted folder and its journal, or make ready what an earlier sort has left."""
    new = not into.is_dir()
    with placing.writing(into):
        into.mkdir(exist_ok=True)
        journal.begin(_journal(into))
        journal.append(_journal(into), [Entry("")] if new else [])
        placing.sync(str(into))


def _ready(move: Move) -> Move:
    """Return the move as its intent is written: with the copy's hash, or not to be done after all."""
    if move.outcome is not Outcome.PLANNED:
        return move
    if not os.path.isfile(move.source):
        return replace(move, outcome=Outcome.MISSING)
    try:
        return replace(move, sha256=placing.digest(move.source) if move.mode is Mode.COPY else "")
    except UnreadableError:
        return replace(move, outcome=Outcome.UNREADABLE)


def _intents(batch: Sequence[Move], into: Path) -> list[Entry]:
    """Return the entries of the planned moves, after those of the folders they need."""
    planned = [move for move in batch if move.outcome is Outcome.PLANNED]
    parents = (parent for move in planned for parent in reversed(PurePosixPath(move.target).parents))
    folders = [str(parent) for parent in dict.fromkeys(parents) if not os.path.isdir(into / parent)]
    return [
        *(Entry(folder) for folder in folders),
        *(Entry(move.target, move.source, move.mode, move.sha256) for move in planned),
    ]


def _carried_out(move: Move, target: str) -> Move:
    """Do what the move says and return it with its outcome."""
    if move.outcome not in (Outcome.PLANNED, Outcome.THERE):
        return move
    try:
        with placing.writing(target):
            return replace(move, outcome=_placed(move, target))
    except UnreadableError:
        return replace(move, outcome=Outcome.UNREADABLE)


def _placed(move: Move, target: str) -> Outcome:
    """Place a planned file; of one that is there already, remove what a kill has left beside it."""
    try:
        placing.discard(placing.unfinished(target))
        if move.outcome is Outcome.THERE:
            return move.outcome
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _place(move, target)
    except OSError as exc:
        if placing.is_refused(exc, move.source, target):
            return Outcome.BLOCKED
        raise
    return Outcome.SORTED


def _place(move: Move, target: str) -> None:
    """Place the file; finish a move that a kill has left in both places."""
    try:
        PLACE[move.mode](move, target)
    except FileExistsError:
        if move.mode is not Mode.MOVE or not placing.spare(move.source, target):
            raise
        os.unlink(move.source)
