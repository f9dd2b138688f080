"""The names of a walk with the members of each shard in its place: a shard is a folder that comes after the files."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future
from heapq import heappop, heappush

from labeler.member import Member, NoShardError, is_parquet, is_shard
from labeler.storage.shards import Shards
from labeler.storage.store import Listed, key

_KEPT = 100_000
"""Upper limit on the members of listings that are kept for a second pass; those of two shards always are."""


class Listings:
    """The members of shards, each listed in a thread of its own, and kept for a while: the names are counted as well.

    A thread does not hold up the end of the process: a large shard of a remote store takes its time.
    """

    def __init__(self, store: Shards) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._listings: OrderedDict[str, Future[list[Member]]] = OrderedDict()

    def of(self, shard: str) -> Future[list[Member]]:
        """Return the members of a shard to come; see `Shards.members`."""
        with self._lock:
            if shard not in self._listings:
                self._listings[shard] = Future()
                threading.Thread(target=self._list, args=(shard, self._listings[shard]), daemon=True).start()
                self._forget()
            return self._listings[shard]

    def _list(self, shard: str, listing: Future[list[Member]]) -> None:
        try:
            listing.set_result(self.store.members(shard))
        except BaseException as exc:  # noqa: BLE001 - it is raised where the result is awaited
            listing.set_exception(exc)

    def _forget(self) -> None:
        done = {shard: listing for shard, listing in self._listings.items() if listing.done()}
        kept = sum(0 if listing.exception() else len(listing.result()) for listing in done.values())
        for shard, listing in done.items():
            if kept <= _KEPT or len(self._listings) <= 2:
                return
            kept -= 0 if listing.exception() else len(listing.result())
            del self._listings[shard]


class Expansion:
    """One pass over names in ascending order of `key`; so are those that it yields.

    While the members of a shard are given out, those of the next one are listed. ``wants`` says which are photos;
    ``named`` are shards that the user named, so that it matters if they are none.

    Attributes:
        passed_over: How many members, and Parquet files without images, were left out.
    """

    def __init__(self, listings: Listings, wants: Callable[[str], bool], named: Collection[str]) -> None:
        self.passed_over = 0
        self._listings, self._wants, self._named = listings, wants, frozenset(named)
        self._pending: list[tuple[str, str]] = []
        """Shards whose members come later: a heap of the keys at which they begin, with their names."""

    def __call__(self, names: Iterable[str]) -> Iterator[str]:
        """Yield the names, and those of members."""
        last = ""
        for name in names:
            while self._pending and self._pending[0][0] < key(name):
                last = heappop(self._pending)[1]
                yield from self._members(last)
            if is_shard(name):
                heappush(self._pending, (key(f"{name}/"), name))
            elif last and name.startswith(f"{last}/"):  # Only a remote store has a folder with a file's name.
                self.passed_over += 1
            else:
                yield name
        while self._pending:
            yield from self._members(heappop(self._pending)[1])

    def _members(self, shard: str) -> Iterator[Member]:
        try:
            found = self._listings.of(shard).result()
        except NoShardError:
            found = self._listings.store.not_one(shard) if shard in self._named else []
            self.passed_over += not found
        if self._pending:
            self._listings.of(self._pending[0][1])
        for member in found:
            if member.problem or is_parquet(shard) or self._wants(member):
                yield member
            else:
                self.passed_over += 1


def in_place(pages: Iterable[Listed]) -> Iterator[Listed]:
    """Yield a listing with each shard in the place of its members, for which it stands: behind the files of its folder.

    So the names are in ascending order of `key` once each shard has been replaced by its members.
    """
    pending: list[tuple[str, str, int, str]] = []
    for page in pages:
        if not pending and not any(map(is_shard, page.names)):
            yield page
            continue
        placed = Listed([], [], [])
        for name, size, version in zip(page.names, page.sizes, page.versions, strict=True):
            while pending and pending[0][0] < key(name):
                placed.append(*heappop(pending)[1:])
            if is_shard(name):
                heappush(pending, (key(f"{name}/"), name, size, version))
            else:
                placed.append(name, size, version)
        if placed.names:
            yield placed
    if pending:
        names, sizes, versions = zip(*(entry[1:] for entry in sorted(pending)), strict=True)
        yield Listed(list(names), list(sizes), list(versions))
