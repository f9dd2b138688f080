"""Place the pictures of an export as files, never over an existing one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from labeler.exports.item import Item, Plan
from labeler.images.picture import ImageError
from labeler.records import Mode, Status
from labeler.storage import transfer
from labeler.storage.local import Local

_LINK = {Mode.SYMLINK: transfer.symlink, Mode.HARDLINK: transfer.hardlink}


class Placing:
    """Puts pictures into the folder of an export. A run that was killed has left whole ones, which are kept."""

    def __init__(self, plan: Plan, read: Callable[[Item], bytes]) -> None:
        self._out = Local(str(plan.out))
        self._original, self._mode, self._read = plan.original, plan.mode, read

    def place(self, item: Item, path: str) -> None:
        """Write an item's picture, or link its photo, at a path below the folder.

        Raises:
            ImageError: its photo cannot be read.
            LabelerError: the file system has no such links.
            OutputError: the disk is full, or refuses the name.
        """
        target = self._out.locate(path)
        if os.path.lexists(target):
            return
        if item.square or self._mode is Mode.COPY:
            content = self._read(item)
            with transfer.writing(target):
                self._out.write(path, content)
        elif self._mode:
            self._link(_LINK[self._mode], self._original(item.file), target)

    def _link(self, link: Callable[[str, str], None], photo: str, target: str) -> None:
        if not os.path.isfile(photo):
            raise ImageError(Status.UNREADABLE, "there is no such file")
        with transfer.writing(target):
            try:
                link(photo, target)
            except FileNotFoundError:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                link(photo, target)
