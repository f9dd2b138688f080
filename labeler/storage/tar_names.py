"""The names of the files in a tar: below the shard's own name, each once, and none that leads out of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labeler.member import Member, Shard
from labeler.storage import tar

_IRREGULAR = re.compile(r"(?:^|/)[./]|\0|^$")
"""Matches in a name that has an empty or a hidden part, ``.`` or ``..``."""


def named(shard: Shard, entries: Iterator[tar.Entry]) -> Iterator[Member]:
    """Yield the files in a tar, each by a name of its own; hidden ones are left out, as in folders.

    At damage the last one has the shard's name and a slash, see `damaged`.
    """
    places: dict[bytes, tuple[int, int]] = {}
    taken: dict[str, int] = {}
    prefix = f"{shard.name}/"
    try:
        for entry in entries:
            name, problem = _cleaned(entry.name)
            at = places.get(entry.link, (0, 0)) if entry.link else (entry.start, entry.size)
            if entry.link and entry.link not in places:
                problem = "a link to a file that is not in the shard before it"
            places[entry.name] = at
            if name:
                yield Member(prefix + _distinct(name, taken), shard, at, entry.problem or problem)
    except tar.DamageError as exc:
        yield damaged(shard, f"the shard is damaged: {exc}; it has {len(places):,} files before that")


def damaged(shard: Shard, reason: str) -> Member:
    """Return what stands for a shard that cannot be read to its end; it sorts where the members do, before them."""
    return Member(f"{shard.name}/", shard, (0, 0), reason)


def _cleaned(name: bytes) -> tuple[str, str]:
    """Return a name without empty parts, as text, and what is wrong with it; an empty name for a hidden file."""
    text = name.decode("utf-8", "surrogateescape")
    if not _IRREGULAR.search(text):  # The fast path.
        return text, ""
    parts = [part for part in text.replace("\0", "").split("/") if part not in {"", "."}]
    problem = ""
    if ".." in parts:
        problem = "its name leads out of the shard"
        parts = ["(..)" if part == ".." else part for part in parts]
    return ("", "") if any(part.startswith(".") for part in parts) else ("/".join(parts), problem)


def _distinct(name: str, taken: dict[str, int]) -> str:
    """Return the name or, where that is taken already, ``a~2.jpg`` for ``a.jpg``, ``a~3.jpg``..."""
    if name not in taken:
        taken[name] = 1
        return name
    folder, slash, file = name.rpartition("/")
    stem, dot, suffix = file.rpartition(".")
    while True:
        taken[name] += 1
        own = f"{stem}~{taken[name]}{dot}{suffix}" if stem else f"{file}~{taken[name]}"
        if (found := f"{folder}{slash}{own}") not in taken:
            taken[found] = 1
            return found
