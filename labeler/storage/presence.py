"""Notice that a folder went away, or the file system that it was on: disks are pulled, network shares disconnect."""

from __future__ import annotations

import os
from collections.abc import Iterator

from labeler.errors import InputGoneError


class Presence:
    """The named folders, and the mount points below them, as they were when they were first seen.

    When a folder goes away, all its files look damaged. An unmounted folder still exists, but empty and on another
    file system. So the file system (st_dev) is remembered: of each named folder, and of each mount point.
    """

    def __init__(self) -> None:
        self._seen: dict[str, os.stat_result] = {}

    def note(self, folder: str, *, named: bool = False) -> os.stat_result:
        """Stat a folder, remember it if it is ``named`` or a mount point, and return what was found.

        Raises:
            InputGoneError: it is on another file system than before.
            OSError: it cannot be reached.
        """
        found = _look(folder)
        before = next((self._seen[path] for path in _upwards(folder) if path in self._seen), None)
        if folder in self._seen and before and before.st_dev != found.st_dev:
            raise _gone(folder)
        if named or before is None or before.st_dev != found.st_dev:
            self._seen.setdefault(folder, found)
        return found

    def knows(self, folder: str) -> bool:
        """Say whether a folder is remembered."""
        return folder in self._seen

    def confirm(self, folder: str, file: str = "") -> None:
        """Confirm that a listed folder, and each above it, is still there, after its ``file`` could not be read.

        Raises:
            InputGoneError: one of them is gone.
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
            raise _gone(folder)  # Only when the file is gone, too: some file systems renumber inodes.

    def confirm_all(self) -> None:
        """Confirm that all remembered folders are still there.

        Raises:
            InputGoneError: one of them is gone.
        """
        for folder, seen in list(self._seen.items()):  # Another thread may list meanwhile.
            if not _stands(folder, seen.st_dev):
                raise _gone(folder)


def _look(folder: str) -> os.stat_result:
    return os.stat(os.path.join(folder, ""))  # The slash makes an automounter mount it.


def _stands(folder: str, device: int) -> bool:
    try:
        return _look(folder).st_dev == device
    except PermissionError:  # It exists.
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
        f"the folder {folder} went away while its photos were read. What is done is kept: "
        "bring the folder back, then run the same command again to continue"
    )
