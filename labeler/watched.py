"""How long work tells of its progress: items pass through a function that may count and show them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Watched(Protocol):
    """Yields items, and shows how many of perhaps ``total`` there were so far, and what is done with them."""

    def __call__(self, items: Iterable[Item], doing: str, total: int | None = None, /) -> Iterable[Item]:
        """Return an iterable of the items."""


def unwatched(items: Iterable[Item], doing: str, total: int | None = None, /) -> Iterable[Item]:  # noqa: ARG001
    """Return the items, and show nothing; it is a `Watched`."""
    return items
