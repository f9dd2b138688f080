"""Read byte ranges of files in few requests, ahead of their turn: a remote store answers after milliseconds."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from operator import attrgetter
from typing import NamedTuple

from labeler.member import Member
from labeler.storage.store import FileError, Part, Store

GROUP_BYTES, GROUP_MEMBERS = 1 << 23, 2048
"""Upper limits on members that are read together."""

_RANGE_BYTES = 1 << 21
"""Upper limit on the bytes of a range with several members: several requests at a time come sooner than a large one."""

_GROUPS, _AT_ONCE = 2, 32
"""Upper limits on the groups that are on their way, and on the requests at the same time."""

_GAP = 1 << 14
"""Bytes between two members that are read along, beside as many as are wanted: less than a request is worth."""

_AHEAD = 3
"""Blocks that are asked for beyond the one that is read, while one follows another."""

KEPT_BYTES = 1 << 26
"""Upper limit on the bytes of blocks that are kept."""

CHANGED = "the shard changed while it was read"


class Blocks:
    """One file, read in blocks from its beginning on; the last ones are kept, at most ``kept_bytes``.

    ``ahead`` says that requests take their time: the blocks that follow are then asked for meanwhile.
    """

    def __init__(self, store: Store, name: str, block_bytes: int, *, ahead: bool, kept_bytes: int = 0) -> None:
        self._store, self.name, self._block_bytes = store, name, block_bytes
        self._most = max(_AHEAD + 2 if ahead else 2, kept_bytes // block_bytes)
        self._blocks: OrderedDict[int, Future[Part] | Part] = OrderedDict()
        self._pool = ThreadPoolExecutor(_AHEAD + 1, "blocks") if ahead else None
        self._furthest = -1
        self._current = (0, b"")
        """First byte and bytes of the block that was read last."""
        first = self._block(0)
        self.size, self.version = first.size, first.version

    def read(self, start: int, length: int) -> bytes:
        """Return bytes from a place; fewer at the end of the file.

        Raises:
            FileError: they cannot be read, or the file has changed since it was opened.
        """
        begin = start - self._current[0]
        if begin >= 0 and begin + length <= len(self._current[1]):
            return self._current[1][begin : begin + length]
        stop = min(start + length, self.size)
        numbers = range(start // self._block_bytes, -(-stop // self._block_bytes))
        pieces = [self._content(number) for number in numbers]
        skipped = start - numbers.start * self._block_bytes
        return b"".join(pieces)[skipped : skipped + stop - start] if pieces else b""

    def holds(self, start: int, length: int) -> bool:
        """Say whether bytes are kept, so that reading them asks for nothing."""
        numbers = range(start // self._block_bytes, -(-(start + length) // self._block_bytes))
        return all(number in self._blocks for number in numbers)

    def close(self) -> None:
        """Stop asking for more."""
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _content(self, number: int) -> bytes:
        found = self._block(number)
        if found.version != self.version:
            raise FileError(CHANGED, found.version)
        self._current = number * self._block_bytes, found.data
        return found.data

    def _block(self, number: int) -> Part:
        if self._pool and number == self._furthest + 1 and number:
            for following in range(number, number + 1 + _AHEAD):
                if following * self._block_bytes < self.size and following not in self._blocks:
                    self._blocks[following] = self._pool.submit(self._get, following)
        self._furthest = max(self._furthest, number)
        coming = self._blocks.get(number)
        found = coming.result() if isinstance(coming, Future) else coming or self._get(number)
        self._blocks[number] = found
        self._blocks.move_to_end(number)
        while len(self._blocks) > self._most:
            self._blocks.popitem(last=False)
        return found

    def _get(self, number: int) -> Part:
        return self._store.read_range(self.name, number * self._block_bytes, self._block_bytes)


class Ranges:
    """Members of tars in the order in which they were announced: those that lie together are got by one request.

    Two groups of members are on their way or here at a time.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool: ThreadPoolExecutor | None = None
        self._groups: Iterator[list[Member]] = iter(())
        self._coming: deque[dict[str, _Range]] = deque()

    def expect(self, members: Iterable[Member]) -> None:
        """Announce the members that will be read next; forget those announced before."""
        for one in {one for group in self._coming for one in group.values()}:
            one.part.cancel()
        self._coming.clear()
        self._groups = _grouped(members)
        self._fill()

    def read(self, member: Member) -> Part:
        """Return the bytes of a member, with the version and size of its shard.

        Raises:
            FileError: they cannot be read.
        """
        if not any(member in group for group in self._coming):
            return self._store.read_range(member.shard.name, *member.at)
        while member not in self._coming[0]:  # Announced, and not wanted after all.
            self._coming.popleft()
        self._fill()
        start, coming = self._coming[0][member]
        found = coming.result()
        begin = member.at[0] - start
        return found._replace(data=found.data[begin : begin + member.at[1]])

    def _fill(self) -> None:
        while len(self._coming) < _GROUPS and (group := next(self._groups, None)):
            self._coming.append({})
            self._pool = self._pool or ThreadPoolExecutor(_AT_ONCE, "ranges")
            for some in _adjacent(group):
                start, length = some[0].at[0], sum(some[-1].at) - some[0].at[0]
                coming = self._pool.submit(self._store.read_range, some[0].shard.name, start, length)
                self._coming[-1].update(dict.fromkeys(some, _Range(start, coming)))


class _Range(NamedTuple):
    """Some bytes of a shard that were asked for."""

    start: int
    part: Future[Part]


def _grouped(members: Iterable[Member]) -> Iterator[list[Member]]:
    """Yield members in groups, each of one shard, that are read together."""
    group: list[Member] = []
    size = 0
    for member in members:
        full = size + member.at[1] > GROUP_BYTES or len(group) == GROUP_MEMBERS
        if group and (full or member.shard != group[0].shard):
            yield group
            group, size = [], 0
        group.append(member)
        size += member.at[1]
    if group:
        yield group


def _adjacent(group: Iterable[Member]) -> Iterator[list[Member]]:
    """Yield the members of a group that lie so close together in their shard that one request costs less than two."""
    some: list[Member] = []
    wanted = end = 0
    for member in sorted(group, key=attrgetter("at")):
        start, size = member.at
        length = max(start + size, end) - some[0].at[0] if some else 0
        if some and (length > _RANGE_BYTES or length > 2 * (wanted + size) + _GAP):
            yield some
            some, wanted, end = [], 0, 0
        some.append(member)
        wanted += size
        end = max(end, start + size)
    if some:
        yield some
