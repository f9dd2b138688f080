"""Where files lie. What an address leads to is decided here; everything else asks the `Store`."""

from __future__ import annotations

from labeler.storage.local import Local
from labeler.storage.store import Store


def at(address: str) -> Store:
    """Return the store at an address: a folder of this machine."""
    return Local(address)
