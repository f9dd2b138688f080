"""One sort or undo at a time in a sorted folder, which goes again when nothing was sorted into it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labeler.errors import LabelerError
from labeler.sorting import journal
from labeler.storage import transfer
from labeler.storage.lock import Lock

NAME = ".labeler-sort.lock"
"""The lock's file in the sorted folder. Hidden, so that `classify` does not see it."""


@contextmanager
def held(into: Path, *, making: bool) -> Iterator[None]:
    """Let no other sort or undo work in a sorted folder; make it first, if so.

    A folder that a sort has made is announced in its journal at once: it goes with the journal, when that tells of
    nothing else.

    Raises:
        LabelerError: another one works there.
        OutputError: the folder cannot be made, or nothing can be written there.
    """
    with transfer.writing(into):
        lock, new = _locked(into, making=making)
    try:
        if new:
            begin(into, new=True)
        yield
    finally:
        unused = _forgotten(into)
        lock.release()
        if unused:
            transfer.remove_if_empty(into)


def begin(into: Path, *, new: bool) -> None:
    """Make a journal, and announce the folder itself if it is new; make ready what an earlier sort has left.

    Raises:
        OutputError: it cannot be written.
    """
    path = os.path.join(into, journal.NAME)
    with transfer.writing(into):
        journal.begin(path)
        journal.append(path, [journal.MADE] if new else [])


def _locked(into: Path, *, making: bool) -> tuple[Lock, bool]:
    """Return the lock, and whether the folder was made for it."""
    while True:
        new = making and not into.is_dir()
        if new:
            into.mkdir(exist_ok=True)
        try:
            return Lock(into / NAME), new
        except BlockingIOError as exc:
            raise LabelerError(
                f"another sort or undo is at work in {into}. Run the same command again when it has ended"
            ) from exc
        except FileNotFoundError:  # An undo that ended just now has removed the folder.
            if not making:
                raise


def _forgotten(into: Path) -> bool:
    """Remove a journal that tells of nothing but the folder, if it is one; say whether that was so."""
    path = os.path.join(into, journal.NAME)
    try:
        if not journal.tells_of_nothing(path):
            return False
        os.unlink(path)
    except OSError:  # There is none, or it cannot be reached any more.
        return False
    return True
