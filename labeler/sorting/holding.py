"""Lock a sorted folder for one sort or undo at a time; remove it again when nothing was sorted into it."""

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
"""Name of the lock file in the sorted folder. It is hidden, so that `classify` passes it over."""


@contextmanager
def held(into: Path, *, making: bool) -> Iterator[None]:
    """Hold the lock of a sorted folder inside the block; with ``making``, create the folder first.

    A folder that a sort creates is announced in its journal at once. Both are removed again if the journal announces
    nothing else.

    Raises:
        LabelerError: another sort or undo holds the lock.
        OutputError: the folder cannot be created, or nothing can be written there.
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
    """Create the journal, or repair that of an earlier sort; announce the folder itself if it is new.

    Raises:
        OutputError: it cannot be written.
    """
    path = os.path.join(into, journal.NAME)
    with transfer.writing(into):
        journal.begin(path)
        journal.append(path, [journal.MADE] if new else [])


def _locked(into: Path, *, making: bool) -> tuple[Lock, bool]:
    """Return the lock, and whether the folder was created for it."""
    while True:
        new = making and not into.is_dir()
        if new:
            into.mkdir(exist_ok=True)
        try:
            return Lock(into / NAME), new
        except BlockingIOError as exc:
            raise LabelerError(
                f"another sort or undo is running in {into}. Run the same command again when it has ended"
            ) from exc
        except FileNotFoundError:  # An undo that has just ended removed the folder.
            if not making:
                raise


def _forgotten(into: Path) -> bool:
    """Remove a journal that announces nothing but the folder; return whether it was one."""
    path = os.path.join(into, journal.NAME)
    try:
        if not journal.tells_of_nothing(path):
            return False
        os.unlink(path)
    except OSError:  # There is no journal, or it cannot be reached any more.
        return False
    return True
