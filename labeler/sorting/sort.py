"""Sort photos into one folder per label: plan the moves, carry out the plan, undo it.

No photo is ever lost, changed or overwritten. A write-ahead journal in the sorted folder announces each step before it
is taken. After a kill at any moment, sorting again completes the sort, and `undo` rolls it back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import groupby
from operator import attrgetter
from pathlib import Path, PurePosixPath

from labeler import storage
from labeler.errors import LabelerError
from labeler.records import Mode, Row
from labeler.sorting import holding, journal, ledger
from labeler.sorting.folders import Folders
from labeler.sorting.journal import Entry, Move, Outcome
from labeler.sorting.ledger import Entries, Plan
from labeler.sorting.originals import BATCH, Originals, checked, refuse_links
from labeler.sorting.plan import Destinations, check
from labeler.sorting.undo import is_below, undone
from labeler.storage import transfer
from labeler.storage.address import absolute, is_remote
from labeler.storage.transfer import UnreadableError
from labeler.tables import decided
from labeler.watched import Watched, unwatched

__all__ = ["Mode", "Move", "Outcome", "Plan", "apply", "held", "plan", "undo"]

PLACE: dict[Mode, Callable[[Move, str], None]] = {
    Mode.COPY: lambda move, target: transfer.copy(move.source, target, move.sha256),
    Mode.MOVE: lambda move, target: transfer.move(move.source, target),
    Mode.SYMLINK: lambda move, target: transfer.symlink(move.source, target),
    Mode.HARDLINK: lambda move, target: transfer.hardlink(move.source, target),
}

_is_plain = re.compile(r"(?!\.{1,2}(?:/|\Z))[^/]+(?:/(?!\.{1,2}(?:/|\Z))[^/]+)*").fullmatch
"""Matches names that `os.path.abspath` would leave unchanged; it takes three times as long."""


def held(into: Path, root: str) -> AbstractContextManager[None]:
    """Create the sorted folder, if it does not exist, and lock it against other sorts: from planning until the end.

    Raises:
        LabelerError: another sort or undo holds the lock, ``into`` contains ``root`` or cannot be a folder.
        OutputError: the folder cannot be created.
    """
    check(root, into)
    return holding.held(into, making=True)


def plan(
    rows: Iterable[Row],
    root: str,
    into: Path,
    mode: Mode = Mode.COPY,
    *,
    flat: bool = False,
    class_names: Iterable[str] = (),
    watched: Watched = unwatched,
) -> Plan:
    """Return one move for each file, in the table's order; write nothing.

    A file with several faces (adjacent rows) goes where its largest face goes. ``into`` may lie below ``root``, which
    may be only the common parent of the inputs. A file in ``into`` is never sorted again, so a second classify that
    finds the sorted files does no harm.

    Raises:
        LabelerError: ``into`` contains ``root``, cannot be a folder, or holds these files sorted in another way; or the
            files lie at an address, and are not to be copied.
        OutputError: the temporary folder has no room for the plan.
    """
    check(root, into)
    refuse_links(root, mode)
    root = absolute(root)
    store = storage.at(root)
    folders = Folders(class_names)
    with ledger.stored():
        destinations = Destinations(root, into, mode, flat, _announced(into, watched))
        for file, faces in groupby(watched(rows, "planning"), key=attrgetter("file")):
            path = store.locate(file)
            refuse_links(path, mode)
            destinations.add(path if _is_plain(file) else absolute(path), folders.of(decided.face_of(faces)))
    return destinations.plan


def apply(moves: Iterable[Move], into: Path) -> Iterator[Move]:
    """Carry out a plan lazily; yield each move with its outcome, in order.

    Raises:
        OutputError: a file cannot be written. The same sort again continues.
        LabelerError: the file system does not support links of this kind.
    """
    begun = False
    photos = Originals()
    _clear(into)
    for batch in photos.batches(moves):
        with transfer.writing(into):
            if not begun and any(move.outcome is Outcome.PLANNED for move in batch):
                new = not into.is_dir()
                into.mkdir(exist_ok=True)
                holding.begin(into, new=new)
                begun = True
            journal.append(_journal(into), _intents(batch, into))
        for move in batch:
            yield _carried_out(move, os.path.join(into, move.target), photos.content(move))


@contextmanager
def undo(into: Path, watched: Watched = unwatched) -> Iterator[Undo]:
    """Lock a sorted folder inside the block, and yield the moves of its journal.

    Raises:
        LabelerError: there is no journal in ``into``, it is damaged, or another sort or undo holds the lock.
        OutputError: nothing can be written there.
    """
    if not any(os.path.lexists(into / name) for name in (journal.NAME, holding.NAME)):
        raise _no_sort(into)
    with holding.held(into, making=False):
        if not os.path.lexists(_journal(into)):
            raise _no_sort(into)
        with ledger.stored():
            entries = Entries(_announced(into, watched))
        yield Undo(into, entries)


class Undo:
    """The moves to undo, newest first. Iterating undoes them, and yields each with its outcome.

    The journal is removed when all moves are undone. Until then it holds the moves that were kept, and undo can be
    repeated.
    """

    def __init__(self, into: Path, entries: Entries) -> None:
        self._into, self._entries = into, entries

    def __len__(self) -> int:
        return self._entries.files

    def __iter__(self) -> Iterator[Move]:
        """Roll the journal back; yield each move with its outcome: undone, or why it was kept.

        Raises:
            OutputError: a file cannot be removed or moved back.
        """
        complete = True
        with ledger.stored():
            remote = any(is_remote(entry.source) for entry in journal.last(_journal(self._into), 1))
            for entry, original in checked(reversed(self._entries), remote=remote):
                outcome = undone(entry, self._into, original)
                if outcome and outcome.notable:
                    self._entries.keep(entry)
                    complete = complete and not entry.mode
                if outcome and entry.mode:
                    yield entry.move._replace(outcome=outcome)
            left = [journal.MADE] if journal.MADE in self._entries else []
            with transfer.writing(self._into):
                journal.keep(_journal(self._into), left if complete else self._entries.kept())


def _no_sort(into: Path) -> LabelerError:
    return LabelerError(f"there is no sort to undo in {into}. Name the folder that was given to --into")


def _journal(into: Path) -> str:
    return os.path.join(into, journal.NAME)


def _announced(into: Path, watched: Watched) -> Iterator[Entry]:
    """Yield the entries of the journal; none if there is no journal."""
    try:
        yield from watched(journal.read(_journal(into)), "reading the journal")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        raise LabelerError(f"{_journal(into)} cannot be read: {exc.strerror}") from exc


def _clear(into: Path) -> None:
    """Remove, where possible, the unfinished copies that a kill has left of the last files announced."""
    with suppress(OSError):
        for entry in journal.last(_journal(into), BATCH):
            if is_below(into, entry.target):
                transfer.discard(transfer.unfinished(os.path.join(into, entry.target)))


def _intents(batch: Sequence[Move], into: Path) -> list[Entry]:
    """Return the entries of the folders that the planned moves need, then those of the moves."""
    planned = [move for move in batch if move.outcome is Outcome.PLANNED]
    parents = (parent for move in planned for parent in reversed(PurePosixPath(move.target).parents))
    folders = [str(parent) for parent in dict.fromkeys(parents) if not os.path.isdir(into / parent)]
    return [
        *(Entry(target=folder) for folder in folders),
        *(Entry(target=move.target, source=move.source, mode=move.mode, sha256=move.sha256) for move in planned),
    ]


def _carried_out(move: Move, target: str, content: bytes | None) -> Move:
    """Carry out a planned move, of a file or of the ``content`` of an object, and return it with its outcome."""
    if move.outcome is not Outcome.PLANNED:
        return move
    try:
        with transfer.writing(target):
            return move._replace(outcome=_placed(move, target, content))
    except UnreadableError:
        return move._replace(outcome=Outcome.UNREADABLE)


def _placed(move: Move, target: str, content: bytes | None) -> Outcome:
    """Place a planned file."""
    try:
        transfer.discard(transfer.unfinished(target))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if content is None:
            _place(move, target)
        else:
            transfer.put(content, target, move.sha256)
    except OSError as exc:
        if transfer.is_refused(exc, move.source if content is None else os.curdir, target):
            return Outcome.BLOCKED
        raise
    return Outcome.SORTED


def _place(move: Move, target: str) -> None:
    """Place a file; finish a move that a kill has left in both places."""
    try:
        PLACE[move.mode](move, target)
    except FileExistsError:
        if move.mode is not Mode.MOVE or not transfer.spare(move.source, target):
            raise
        os.unlink(move.source)
