"""What a format of exports does: say where pictures lie, and write what stands beside them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import ClassVar, Protocol, Self

from labeler.exports.item import Item, Plan


class Format(AbstractContextManager["Format"], Protocol):
    """One kind of data set. Its files are written as items come, in bounded memory.

    They take their place when the block ends, and only if it succeeds (`storage.atomic`). What a run that was killed
    has left is either kept, where it is complete, or replaced by the same content.
    """

    packs: ClassVar[bool]
    """Whether the format packs the pictures' bytes into files of its own; else the export places them one by one."""
    crops: ClassVar[bool]
    """Whether its pictures are face crops where the user says nothing."""
    split: ClassVar[tuple[float, ...]]
    """The shares of the subsets where the user says nothing; none for one undivided set."""

    def __init__(self, plan: Plan) -> None: ...

    def __enter__(self) -> Self: ...

    def path(self, item: Item) -> str:
        """Return where an item's picture lies below the folder of the export, with forward slashes."""

    def add(self, item: Item) -> None:
        """Write what stands about an item; items come in the order of their numbers, each when its picture is placed.

        Raises:
            OutputError: a file cannot be written.
        """
