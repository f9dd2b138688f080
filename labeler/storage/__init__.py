"""Where files lie. Only this module decides which store an address leads to; all others use the `Store` protocol."""

from __future__ import annotations

from labeler.storage.local import Local
from labeler.storage.store import Store


def at(address: str) -> Store:
    """Return the store at an address: a folder of this machine."""
    return Local(address)
