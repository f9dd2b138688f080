"""The photos that a sort copies: files of this machine, or what a store reads, which is read some at a time."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice

from labeler import storage
from labeler.errors import LabelerError
from labeler.executors.threads import Ahead, ahead
from labeler.member import INSIDE
from labeler.records import Mode
from labeler.sorting.journal import Entry, Move, Outcome
from labeler.storage import transfer
from labeler.storage.address import is_remote, parse
from labeler.storage.store import FileError, Store
from labeler.storage.transfer import UnreadableError

BATCH = 32
"""Moves per batch: their intents are synced to the disk together, because a sync takes milliseconds."""

_BATCH_BYTES = 1 << 26
"""Bytes of what a store reads for a batch, about, which are in memory; one photo is always read."""

_MOST_BYTES = 1 << 30
"""Upper limit on a photo that a store reads."""

_STORES = 8
"""Buckets whose connections are kept."""


def is_apart(source: str) -> bool:
    """Say whether a photo is no file of this machine: an object at an address, or a member of a shard."""
    return is_remote(source) or (INSIDE.search(source) is not None and not os.path.isfile(source))


class Originals:
    """Reads photos, and says whether they are there; those at an address by one connection for each bucket."""

    def __init__(self) -> None:
        self._store = lru_cache(_STORES)(storage.at)
        self._contents: dict[str, bytes] = {}

    def batches(self, moves: Iterable[Move]) -> Iterator[list[Move]]:
        """Yield moves, some at a time, as their intents are written: with the hash of a copy, or why it is not made."""
        rest = iter(moves)
        while taken := list(islice(rest, BATCH)):
            self._announce(move.source for move in taken if move.outcome is Outcome.PLANNED)
            batch: list[Move] = []
            for move in taken:
                batch.append(self._ready(move))
                if sum(map(len, self._contents.values())) > _BATCH_BYTES:
                    yield batch
                    batch = []
                    self._contents.clear()
            if batch:
                yield batch
            self._contents.clear()

    def content(self, move: Move) -> bytes | None:
        """Return the content of a photo of this batch that lies apart; None of a file of this machine."""
        return self._contents.get(move.source)

    def kept(self, entry: Entry) -> Outcome | None:
        """Return why a copy has to be kept, None where its original is there."""
        if not is_apart(entry.source):
            return None if os.path.isfile(entry.source) else Outcome.ONLY
        store, name = self._place(entry.source)
        version = store.version(name)
        return None if version else Outcome.ONLY if version is None else Outcome.UNREACHED

    def _ready(self, move: Move) -> Move:
        if move.outcome is not Outcome.PLANNED:
            return move
        if is_apart(move.source):
            return self._read(move)
        if not os.path.isfile(move.source):
            return move._replace(outcome=Outcome.MISSING)
        try:
            return move._replace(sha256=transfer.digest(move.source) if move.mode is Mode.COPY else "")
        except UnreadableError:
            return move._replace(outcome=Outcome.UNREADABLE)

    def _read(self, move: Move) -> Move:
        store, name = self._place(move.source)
        try:
            content = store.read(name, _MOST_BYTES).data
        except FileError:
            return move._replace(outcome=Outcome.MISSING if store.version(name) is None else Outcome.UNREADABLE)
        self._contents[move.source] = content
        return move._replace(sha256=hashlib.sha256(content).hexdigest())

    def _announce(self, sources: Iterable[str]) -> None:
        names: dict[str, list[str]] = {}
        for address, name in map(_divided, filter(is_remote, sources)):
            names.setdefault(address, []).append(name)
        for address, some in names.items():
            self._store(address).ahead(some, _MOST_BYTES)

    def _place(self, source: str) -> tuple[Store, str]:
        address, name = _divided(source)
        return self._store(address), name


def _divided(source: str) -> tuple[str, str]:
    """Return the address of the store that reads a photo which lies apart, and its name there."""
    if is_remote(source):
        at = parse(source)
        return str(at._replace(name="")), at.name
    shard = INSIDE.search(source)
    assert shard
    folder = os.path.dirname(source[: shard.end() - 1])
    return folder, os.path.relpath(source, folder)


def refuse_links(place: str, mode: Mode) -> None:
    """Refuse to sort what lies apart otherwise than by copies.

    Raises:
        LabelerError: that is wanted.
    """
    if mode is not Mode.COPY and is_apart(place):
        shown = parse(place).place if is_remote(place) else place
        raise LabelerError(
            f"{shown} is no file of this machine, and can only be copied from there: --mode {mode} is not possible. "
            "Leave it out"
        )


def checked(entries: Iterable[Entry], *, remote: bool) -> Iterator[tuple[Entry, Callable[[], Outcome | None]]]:
    """Yield entries of a journal with `Originals.kept` of each; if they are ``remote``, many are asked ahead."""
    with ahead(Originals().kept, threaded=remote, waiting=remote) as working:
        found: Ahead[Entry, Outcome | None] = working
        yield from found.of(entries)
