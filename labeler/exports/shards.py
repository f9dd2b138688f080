"""Files that pictures are packed into: one series for each subset, each file complete or absent.

A run that was killed leaves complete files; the next run keeps them, and reads no picture that they hold.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self

from labeler.errors import LabelerError, OutputError
from labeler.exports.annotation import subset_of
from labeler.exports.item import Item, Plan
from labeler.images.picture import ImageError
from labeler.records import Status
from labeler.storage import atomic

_ADVICE = ". Make room, then run the same command again: complete files are kept"


class Shard(AbstractContextManager["Shard"], Protocol):
    """One file while it is written."""

    def add(self, item: Item, content: bytes | None) -> None:
        """Write an item; ``content`` is the file of its picture, None where that stays in place."""


class Shards(ABC):
    """A format that packs pictures into files of its own, in the order of the items."""

    packs: ClassVar = True
    crops: ClassVar = True
    split: ClassVar[tuple[float, ...]] = ()
    most_bytes: ClassVar[int]
    """Upper limit on the pictures' bytes in a file; a picture that is larger has a file of its own."""
    most_items: ClassVar[int]
    """Upper limit on the items of a file."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._series: dict[str, _Series] = {}
        self._open = ExitStack()

    @abstractmethod
    def place(self, subset: str, number: int) -> Path:
        """Return the path of a subset's file."""

    @abstractmethod
    def key(self, item: Item) -> str:
        """Return what an item is known by in a file, unique in the export."""

    @abstractmethod
    def keys(self, path: Path) -> Iterator[str]:
        """Yield the keys of a complete file's items, in their order; no picture is read."""

    @abstractmethod
    def begin(self, path: Path) -> Shard:
        """Return a new file to write into."""

    def path(self, item: Item) -> str:
        """Return the picture's name; it lies in no file of its own."""
        return item.name

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def add(self, item: Item) -> None:
        """Write an item into the file of its subset that is at hand.

        Raises:
            ImageError: its picture cannot be read; nothing of it is written.
            OutputError: the file cannot be written.
        """
        subset = subset_of(item)
        if subset not in self._series:
            self._series[subset] = self._open.enter_context(_Series(self, subset))
        self._series[subset].add(item)


class _Series:
    """The files of one subset."""

    def __init__(self, form: Shards, subset: str) -> None:
        self._form, self._subset = form, subset
        self._number = self._items = self._bytes = 0
        self._open = ExitStack()
        self._shard: Shard | None = None
        self._kept = self._kept_keys()
        self._next = next(self._kept, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._kept.close()
        self._open.__exit__(kind, error, traceback)
        if self._next is not None and error is None:
            raise LabelerError(f"{self._path} holds pictures that are not in this export; choose another --out")

    def add(self, item: Item) -> None:
        if self._next is None:
            self._write(item, item.content() if item.content else None)
        elif self._next == self._form.key(item):
            self._next = next(self._kept, None)
        else:  # The run that wrote the file left this item out. The reason is found again by reading it.
            if item.content:
                item.content()
            raise ImageError(Status.UNREADABLE, "it could not be read when the export was begun")

    def _kept_keys(self) -> Generator[str]:
        """Yield the keys in complete files; then `_number` is that of the first file to write."""
        while self._path.exists():
            try:
                yield from self._form.keys(self._path)
            except (OSError, ValueError) as exc:
                raise OutputError(f"{self._path} cannot be read: {exc}. Remove it, then run the command again") from exc
            self._number += 1

    @property
    def _path(self) -> Path:
        return self._form.place(self._subset, self._number)

    def _write(self, item: Item, content: bytes | None) -> None:
        size = len(content or b"")
        full = self._items >= self._form.most_items or self._bytes + size > self._form.most_bytes
        if self._shard and full:
            self._open.close()
            self._shard = None
            self._number += 1
        if not self._shard:
            self._items = self._bytes = 0
            beside = self._open.enter_context(atomic.replacing(self._path, _ADVICE))
            beside.parent.mkdir(parents=True, exist_ok=True)
            self._shard = self._open.enter_context(self._form.begin(beside))
        self._shard.add(item, content)
        self._items += 1
        self._bytes += size
