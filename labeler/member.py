"""The photos inside a shard: names that also say where in the shard the bytes lie."""

from __future__ import annotations

import re
from typing import NamedTuple

SUFFIXES = (".tar", ".parquet")
"""Suffixes, in lower case, of the files that are taken for shards."""

COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Suffixes of shards whose members cannot be read one by one."""

INSIDE = re.compile(r"\.(?:tar|parquet)/", re.IGNORECASE)
"""Matches where the name of a shard may end within the name of a member; a folder may be called so, too."""


class NoShardError(Exception):
    """A Parquet file without a column of images: a table, such as those of this program."""


class Shard(NamedTuple):
    """A shard as it was when its members were listed."""

    name: str
    version: str
    size: int = 0
    """In bytes; of a Parquet file, which is opened at its end."""


class Member(str):
    """The name of a photo in a shard, ``shard.tar/photo.jpg``; compares and hashes as that text.

    Attributes:
        shard: The shard, by its name relative to the store, whatever the text is relative to.
        at: The place: first byte and number of bytes in a tar; row group, and row in that, of a Parquet file.
        problem: Why it cannot be read; empty where it can.
        block: The members that are decoded together, a row group, have the same number; None for those of a tar.
    """

    __slots__ = ("at", "block", "problem", "shard")

    shard: Shard
    at: tuple[int, int]
    problem: str
    block: int | None

    def __new__(
        cls, name: str, shard: Shard, at: tuple[int, int], problem: str = "", block: int | None = None
    ) -> Member:
        """Return a member of this name."""
        member = super().__new__(cls, name)
        member.shard, member.at, member.problem, member.block = shard, at, problem, block
        return member

    def __reduce__(self) -> tuple[type[Member], tuple[str, Shard, tuple[int, int], str, int | None]]:
        return Member, (str(self), self.shard, self.at, self.problem, self.block)

    def named(self, name: str) -> Member:
        """Return the same member by another name."""
        return Member(name, self.shard, self.at, self.problem, self.block)


def is_shard(name: str) -> bool:
    """Say whether a file is taken for a shard, by its suffix."""
    return name[-8:].lower().endswith(SUFFIXES)


def is_parquet(name: str) -> bool:
    """Say whether a shard is a Parquet file, by its suffix."""
    return name[-8:].lower() == ".parquet"
