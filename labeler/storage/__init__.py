"""Where files lie. Only this module decides which store an address leads to; all others use the `Store` protocol."""

from __future__ import annotations

from labeler.errors import needs
from labeler.storage.address import OBJECT_STORES, is_remote, parse
from labeler.storage.local import Local
from labeler.storage.shards import Shards
from labeler.storage.store import Store


def at(address: str) -> Shards:
    """Return the store at an address, a folder of this machine or a place of a remote store; it reads shards, too.

    Raises:
        LabelerError: the address leads nowhere, or what reads such a store is not installed.
    """
    return Shards(_files(address))


def _files(address: str) -> Store:
    if not is_remote(address):
        return Local(address)
    # Deferred: a run on local files loads neither obstore nor pyarrow.
    if parse(address).scheme in OBJECT_STORES:
        with needs("remote", "obstore", "arro3"):
            from labeler.storage.remote import Remote
        return Remote(address)
    with needs("remote", "fsspec"):
        from labeler.storage.generic import Generic
    return Generic(address)
