"""A store whose files may be shards: names of members, such as ``shard.tar/photo.jpg``, are read as those of files."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from labeler.member import COMPRESSED, INSIDE, Member, NoShardError, Shard, is_parquet
from labeler.storage import tar
from labeler.storage.address import is_remote
from labeler.storage.ranges import CHANGED, KEPT_BYTES, Blocks, Ranges
from labeler.storage.store import Content, FileError, Listed, Part, Store, key
from labeler.storage.tar_names import damaged, named

if TYPE_CHECKING:
    from labeler.storage.parquet_shard import Rows

_LOCAL_BLOCK, _REMOTE_BLOCK = 1 << 16, 1 << 22
"""Bytes that are read at a time to list the members of a tar: from a disk, large photos are jumped over."""

_COMPRESSION = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
"""What gzip, bzip2, xz and zstd begin with; a photo may be called like a compressed tar."""

_INDEXED = 200_000
"""Upper limit on the members of the shards whose members are remembered by name; those of one always are."""


class Shards:
    """The files of a store, and the members of those that are shards. See `Store`. Picklable, as the store is."""

    def __init__(self, files: Store) -> None:
        self.address = files.address
        self._files = files
        self._is_remote = is_remote(files.address)
        self._ranges = Ranges(files)
        self._lock = threading.RLock()
        """Held while what is kept of a shard is looked at: pages show photos in several threads."""
        self._blocks: Blocks | None = None
        """Of the shard that was streamed last."""
        self._rows: Rows | None = None
        """Of the Parquet file that was read last."""
        self._groups: dict[Shard, list[int]] = {}
        """Row groups of Parquet files that were announced, in the order in which they will be read."""
        self._known: dict[str, bool] = {}
        """Files that are shards, by where they lie."""
        self._index: dict[str, dict[str, Member]] = {}
        self._last_version: tuple[str, str | None] = ("", None)

    def __reduce__(self) -> tuple[type[Shards], tuple[Store]]:
        return Shards, (self._files,)

    @property
    def unreadable(self) -> dict[str, str]:
        """See `Store.unreadable`."""
        return self._files.unreadable

    @property
    def batch_s(self) -> float:
        """See `Store.batch_s`."""
        return self._files.batch_s

    def again(self) -> Shards:
        """See `Store.again`."""
        return Shards(self._files.again())

    def members(self, shard: str) -> list[Member]:
        """Return the photos and other files in a shard, in ascending order of `key`.

        Raises:
            NoShardError: it is a Parquet file without images.
        """
        return sorted(self._scanned(shard, 0), key=key)

    def streamed(self, shard: str) -> Iterator[Member]:
        """Yield the photos and other files in a shard in their order there, for one process that reads them all.

        What was read to find them is kept for a while (64 MB): read each member, or a few hundred, before the next.

        Raises:
            NoShardError: it is a Parquet file without images.
        """
        return self._scanned(shard, KEPT_BYTES)

    def not_one(self, shard: str) -> list[Member]:
        """Return what stands for a file that was taken for a shard and is none."""
        return [damaged(Shard(shard, self._files.version(shard) or ""), "a Parquet file without a column of images")]

    def _scanned(self, shard: str, kept_bytes: int) -> Iterator[Member]:
        try:
            if is_parquet(shard):
                from labeler.storage import parquet_shard  # Deferred: pyarrow takes 0.1 s to import.

                found: Iterator[Member] = parquet_shard.members(self._files, shard)
            else:
                found = self._tar(shard, kept_bytes)
            self._known[self.locate(shard)] = True
            yield from found
        except FileError as exc:
            yield damaged(Shard(shard, exc.version), exc.reason)

    def _tar(self, shard: str, kept_bytes: int) -> Iterator[Member]:
        block_bytes = _REMOTE_BLOCK if self._is_remote else _LOCAL_BLOCK
        kept_bytes = kept_bytes if self._is_remote else 0  # The system keeps what it read from a disk.
        blocks = Blocks(self._files, shard, block_bytes, ahead=self._is_remote, kept_bytes=kept_bytes)
        if kept_bytes:
            self._blocks = blocks
        try:
            yield from named(Shard(shard, blocks.version), tar.entries(blocks.read, blocks.size))
        finally:
            blocks.close()

    def locate(self, name: str) -> str:
        """See `Store.locate`."""
        return self._files.locate(name)

    def walk(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[str]:
        """See `Store.walk`: shards are files."""
        return self._files.walk(folders, skips)

    def listed(self, folders: Iterable[str], skips: Callable[[str], bool]) -> Iterator[Listed]:
        """See `Store.listed`: shards are files."""
        return self._files.listed(folders, skips)

    def read(self, name: str, limit: int) -> Content:
        """See `Store.read`."""
        member = self._member(name)
        if member is not None:
            return self._content(member, limit)
        found = self._files.read(name, limit)
        if name.endswith(COMPRESSED) and found.data.startswith(_COMPRESSION):
            raise FileError("a compressed tar: unpack it, or pack it again as a plain .tar", found.version)
        return found

    def read_range(self, name: str, start: int, length: int) -> Part:
        """See `Store.read_range`: of a file."""
        return self._files.read_range(name, start, length)

    def ahead(self, names: Iterable[str], limit: int) -> None:
        """See `Store.ahead`."""
        if not self._is_remote:
            return self._files.ahead(names, limit)
        found = [(name, self._member(name)) for name in names]
        members = [member for _, member in found if member is not None]
        self._ranges.expect(one for one in members if _is_in_tar(one) and not self._kept(one))
        with self._lock:
            self._groups = _groups(members)
            if self._rows:
                self._rows.expect(self._groups.get(self._rows.shard, ()))
        return self._files.ahead([name for name, member in found if member is None], limit)

    def version(self, name: str) -> str | None:
        """See `Store.version`: that of a member is that of its shard."""
        shard = self._shard_of(name)
        if not shard:
            return self._files.version(name)
        if not self._is_remote or self._last_version[0] != shard:  # Rows of a shard are asked for one after another.
            self._last_version = shard, self._files.version(shard)
        return self._last_version[1]

    def write(self, name: str, content: bytes) -> None:
        """See `Store.write`."""
        self._files.write(name, content)

    def write_new(self, name: str, content: bytes) -> bool:
        """See `Store.write_new`."""
        return self._files.write_new(name, content)

    def expect(self, folder: str) -> None:
        """See `Store.expect`."""
        self._files.expect(folder)

    def confirm(self, files: Iterable[str]) -> None:
        """See `Store.confirm`: of a member, the folder of its shard."""
        self._files.confirm(self._shard_of(file) or file for file in files)

    def confirm_all(self) -> None:
        """See `Store.confirm_all`."""
        self._files.confirm_all()

    def _content(self, member: Member, limit: int) -> Content:
        shard, (start, size) = member.shard, member.at
        if member.problem:
            raise FileError(member.problem, shard.version)
        if is_parquet(shard.name):
            return self._row(member, limit)
        if size > limit:
            raise FileError(f"{size:,} bytes; the limit is {limit:,}", shard.version, size)
        if kept := self._kept(member):
            with self._lock:
                return Content(kept.read(start, size), shard.version)
        found = self._ranges.read(member) if size else Part(b"", shard.version, 0)
        if found.version != shard.version:
            raise FileError(CHANGED, found.version)
        if len(found.data) < size:
            raise FileError("the shard ends within it", found.version)
        return Content(found.data, found.version)

    def _row(self, member: Member, limit: int) -> Content:
        from labeler.storage.parquet_shard import Rows  # Deferred: pyarrow takes 0.1 s to import.

        with self._lock:
            if not self._rows or self._rows.shard != member.shard:
                self._rows = Rows(self._files, member.shard)
                self._rows.expect(self._groups.get(member.shard, ()))
            return self._rows.read(*member.at, limit)

    def _kept(self, member: Member) -> Blocks | None:
        """Return what keeps the bytes of a tar's member since it was streamed; None where they have to be asked for."""
        kept = self._blocks
        ours = kept and (kept.name, kept.version) == member.shard[:2] and kept.holds(*member.at)
        return kept if ours else None

    def _member(self, name: str) -> Member | None:
        """Return the member of a shard that a name means; None for a file's name.

        A name of no member of its shard has a problem.
        """
        if isinstance(name, Member):
            return name
        shard = self._shard_of(name)
        if not shard:
            return None
        with self._lock:
            found = self._index[shard] if shard in self._index else self._remembered(shard)
        if member := found.get(name):
            return member
        return Member(name, Shard(shard, self.version(name) or ""), (0, 0), "there is no such file in the shard")

    def _remembered(self, shard: str) -> dict[str, Member]:
        """Remember where the members of a shard lie, and forget shards that were remembered before, if need be."""
        found: dict[str, Member] = {}
        with suppress(NoShardError):
            found.update((member, member) for member in self.streamed(shard))
        while self._index and sum(map(len, self._index.values())) + len(found) > _INDEXED:
            del self._index[next(iter(self._index))]
        self._index[shard] = found
        return found

    def _shard_of(self, name: str) -> str:
        """Return the shard that a name lies in; empty for a file of its own."""
        for found in INSIDE.finditer(name):
            shard = name[: found.end() - 1]
            if self._is_shard(shard):
                return shard
        return ""

    def _is_shard(self, name: str) -> bool:
        """Say whether there is a file of this name: a folder may be called like a shard."""
        place = self.locate(name)
        if place not in self._known:
            try:
                self._files.read_range(name, 0, 1)
            except FileError:
                return False  # Not remembered: it may come back.
            self._known[place] = True
        return True


def _is_in_tar(member: Member) -> bool:
    """Say whether a member is a range of bytes."""
    return bool(member.at[1]) and not member.problem and not is_parquet(member.shard.name)


def _groups(members: Iterable[Member]) -> dict[Shard, list[int]]:
    """Return the row groups of each Parquet file that hold some of these members."""
    found: dict[Shard, dict[int, None]] = {}
    for member in members:
        if member.block is not None and not member.problem:
            found.setdefault(member.shard, {})[member.block] = None
    return {shard: list(groups) for shard, groups in found.items()}
