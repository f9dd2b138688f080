"""Whether folders are still where they were, on the file system that they were on: disks are pulled, shares go away."""

from __future__ import annotations

import os
from collections.abc import Iterator

from labeler.errors import InputGoneError


class Presence:
    """What was there when it was first looked at: the folders that were named, and what is mounted below them.

    A folder that goes takes all its files with it, which then look broken. An unmounted one is still there, but empty
    and on another file system, so that is what is remembered: of each folder that was named, and of each whose file
    system is not that of the folder above.
    """

    def __init__(self) -> None:
        self._seen: dict[str, os.stat_result] = {}

    def note(self, folder: str, *, named: bool = False) -> os.stat_result:
        """Look at a folder, remember what has to be, and return what was found.

        Raises:
            InputGoneError: it is not what it was before.
            OSError: it cannot be looked at.
        """
        found = _look(folder)
        before = next((self._seen[path] for path in _upwards(folder) if path in self._seen), None)
        if folder in self._seen and before and before.st_dev != found.st_dev:
            raise _gone(folder)
        if named or before is None or before.st_dev != found.st_dev:
            self._seen.setdefault(folder, found)
        return found

    def knows(self, folder: str) -> bool:
        """Say whether a folder is one of those that are remembered."""
        return folder in self._seen

    def confirm(self, folder: str, file: str = "") -> None:
        """Confirm that a folder which was listed is still there, and each above it; one of its files cannot be read.

        Raises:
            InputGoneError: it is not.
        """
        device = None
        for path in reversed(list(_upwards(folder))):
            seen = self._seen.get(path)
            device = seen.st_dev if seen else device
            if device is not None and not _stands(path, device):
                raise _gone(path)
        if not _can_be_listed(folder):
            raise _gone(folder)
        seen = self._seen.get(folder)
        if seen and file and not os.path.lexists(file) and _look(folder).st_ino != seen.st_ino:
            raise _gone(folder)  # Only when the file has gone, too: some file systems number their folders anew.

    def confirm_all(self) -> None:
        """Confirm that everything that is remembered is still there.

        Raises:
            InputGoneError: something is not.
        """
        for folder, seen in self._seen.items():
            if not _stands(folder, seen.st_dev):
                raise _gone(folder)


def _look(folder: str) -> os.stat_result:
    return os.stat(os.path.join(folder, ""))  # The slash has an automounter mount it.


def _stands(folder: str, device: int) -> bool:
    try:
        return _look(folder).st_dev == device
    except PermissionError:  # It is there.
        return True
    except OSError:
        return False


def _can_be_listed(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            next(entries, None)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def _upwards(path: str) -> Iterator[str]:
    yield path
    while (above := os.path.dirname(path)) != path:
        path = above
        yield path


def _gone(folder: str) -> InputGoneError:
    return InputGoneError(
        f"the folder {folder} went away while its pictures were read; what is done is kept: "
        "bring it back, then run the same command to continue"
    )
