"""What all stores at an address have in common, whichever library asks them: names, walks, reading ahead."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Self

import pyarrow as pa

from labeler.batches import REMOTE_BATCH_S
from labeler.storage import address as addresses
from labeler.storage.read_ahead import ReadAhead
from labeler.storage.store import Content, Listed
from labeler.storage.walks import Walks


class Addressed(ABC):
    """The files below one address. See `Store`. Picklable; connects when it is first used."""

    batch_s = REMOTE_BATCH_S

    def __init__(self, address: str) -> None:
        self.address = address
        self.unreadable: dict[str, str] = {}
        self._at = addresses.parse(address)
        self._reading = ReadAhead(self._get)
        self._walks = Walks(self._pages)

    def __reduce__(self) -> tuple[type[Self], tuple[str]]:
        return type(self), (self.address,)

    @abstractmethod
    def _pages(self, folder: str) -> Iterator[pa.Table]:
        """Yield the files below a folder, in any order; see `listing.COLUMNS`."""

    @abstractmethod
    def _get(self, name: str, limit: int) -> Content:
        """Ask for a file. See `Store.read`."""

    @abstractmethod
    def confirm_all(self) -> None:
        """See `Store.confirm_all`: the store still answers."""

    def again(self) -> Self:
        """See `Store.again`: it lists nothing twice."""
        return self

    def locate(self, name: str) -> str:
        """See `Store.locate`."""
        if addresses.is_remote(name) or not name:
            return name or self.address
        return str(self._at._replace(name=f"{self._at.name}/{name}" if self._at.name else name))

    def walk(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
        """See `Store.walk` and `Walks`."""
        return self._walks.names(folders, skips)

    def listed(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[Listed]:
        """See `Store.listed`."""
        return self._walks.listed(folders, skips)

    def read(self, name: str, limit: int) -> Content:
        """See `Store.read`. No request where it was asked for ahead."""
        return self._reading.read(name, limit)

    def expect(self, folder: str) -> None:  # noqa: B027 - there is nothing to do, whatever the store is
        """See `Store.expect`: a prefix is no thing of its own, and of a folder the walk asks anyway."""

    def confirm(self, files: Iterable[str]) -> None:
        """See `Store.confirm`: the store still answers."""
        if any(True for _ in files):
            self.confirm_all()
