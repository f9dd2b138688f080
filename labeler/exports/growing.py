"""Text files that grow as items come, and take their place when the export ends."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from labeler.errors import OutputError
from labeler.exports.item import Item, Plan
from labeler.storage.atomic import replacing
from labeler.storage.names import ADVICE

Write = Callable[[str], object]


class Growing(ABC):
    """A format whose pictures the export places, with text files beside them."""

    packs: ClassVar = False
    crops: ClassVar = False
    split: ClassVar[tuple[float, ...]] = ()

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._beside = os.path.join(plan.out, ".export.part")
        self._open = ExitStack()

    @abstractmethod
    def begin(self, opened: ExitStack) -> None:
        """Open the files that grow; those that ``opened`` has entered take their place at the end."""

    @abstractmethod
    def path(self, item: Item) -> str:
        """See `Format.path`."""

    @abstractmethod
    def add(self, item: Item) -> None:
        """See `Format.add`."""

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self.begin(opened)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError):
            os.unlink(self._beside)
        self._open.__exit__(kind, error, traceback)

    def place(self, name: str, content: str) -> None:
        """Write a small file whole or not at all, without fsync, as pictures are placed: there may be millions.

        All go through one name in the folder of the export, so that a killed run leaves no more than that.
        """
        path = os.path.join(self._plan.out, name)
        try:
            with open(self._beside, "w", encoding="utf-8", newline="") as file:
                file.write(content)
            try:
                os.replace(self._beside, path)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.replace(self._beside, path)
        except OSError as exc:
            raise OutputError(f"cannot write {path}: {exc.strerror or exc}{ADVICE}") from exc


@contextmanager
def growing(path: Path) -> Iterator[Write]:
    """Yield what writes to a file that takes its place when the block succeeds.

    Raises:
        OutputError: it cannot be written; an OSError of what is written in the block becomes this.
    """
    with replacing(path, ADVICE) as beside:
        beside.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("w", encoding="utf-8", newline="") as stream:
            yield stream.write
