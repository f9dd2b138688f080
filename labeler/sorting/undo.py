"""Undo a sort step by step, and keep what has changed since."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from labeler.records import Mode
from labeler.sorting.journal import Entry, Move, Outcome
from labeler.sorting.originals import is_apart
from labeler.storage import transfer
from labeler.storage.transfer import UnreadableError


def undone(entry: Entry, into: Path, original: Callable[[], Outcome | None]) -> Outcome | None:
    """Undo an entry of a journal; return None if nothing was left to undo.

    ``original`` tells why a copy has to be kept, see `originals.Originals.kept`. Nothing behind a symbolic link that
    leads out of the sorted folder is touched.

    Raises:
        OutputError: a file cannot be removed or moved back.
    """
    if not is_below(into, entry.target):
        return Outcome.CHANGED
    if entry.mode:
        return _taken_back(entry.move, os.path.join(into, entry.target), original)
    transfer.remove_if_empty(into / entry.target)
    return Outcome.CHANGED if os.path.isdir(into / entry.target) else None


def _taken_back(move: Move, target: str, original: Callable[[], Outcome | None]) -> Outcome | None:
    """Undo a move; return None if nothing was left to undo."""
    moved = move.mode is Mode.MOVE
    try:
        with transfer.writing(move.source if moved else target):
            try:
                transfer.discard(transfer.unfinished(target))
                return _moved_back(move.source, target) if moved else _removed(move, target, original)
            except OSError as exc:
                if moved and transfer.is_refused(exc, target, move.source):
                    return Outcome.REFUSED
                raise
    except UnreadableError:
        return Outcome.UNREADABLE


def _moved_back(source: str, target: str) -> Outcome | None:
    """Move a file back to its source, if nothing else is there now."""
    transfer.discard(transfer.unfinished(source))
    if not os.path.lexists(target):
        return None if os.path.lexists(source) else Outcome.MISSING
    if os.path.islink(target) or not os.path.isfile(target):
        return Outcome.CHANGED
    if not os.path.lexists(source):
        try:
            os.makedirs(os.path.dirname(source), exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            return Outcome.OCCUPIED
        transfer.move(target, source)
    elif transfer.spare(target, source):
        os.unlink(target)
    else:
        return Outcome.OCCUPIED
    return Outcome.UNDONE


def _removed(move: Move, target: str, original: Callable[[], Outcome | None]) -> Outcome | None:
    """Remove a copy or link, if it is as the sort made it and its original still exists."""
    if not os.path.lexists(target):
        return None
    if move.mode is not Mode.SYMLINK and (kept := original()):
        return kept
    if not _as_made(move, target):
        return Outcome.CHANGED
    os.unlink(target)
    return Outcome.UNDONE


def _as_made(move: Move, target: str) -> bool:
    """Return whether the target is still what the sort has put there."""
    if os.path.islink(target):
        return move.mode is Mode.SYMLINK and os.readlink(target) == move.source
    if move.mode is Mode.SYMLINK or not os.path.isfile(target):
        return False
    if not is_apart(move.source) and not transfer.apart(target, move.source):
        return False
    if move.mode is Mode.HARDLINK:
        return os.path.samefile(target, move.source)
    return transfer.digest(target) == move.sha256


def is_below(into: Path, target: str) -> bool:
    """Return whether a target's folder, with symbolic links resolved, is in the sorted folder."""
    return Path(os.path.realpath((into / target).parent)).is_relative_to(os.path.realpath(into))
