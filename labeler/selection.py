"""Select photos by glob pattern, as a random sample, or the first few."""

from __future__ import annotations

import hashlib
import heapq
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from labeler.errors import LabelerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The choices `--include`, `--exclude`, `--sample` and `--limit`, applied in this order. The default selects all.

    A name is relative to the root, with forward slashes.
    """

    include: tuple[str, ...] = ()
    """Glob patterns of which a name must match one; empty for any name. For their syntax see `_expression`."""
    exclude: tuple[str, ...] = ()
    """Glob patterns of which a name must match none."""
    limit: int = 0
    """Number of photos to take, the first ones; 0 for all."""
    sample: int = 0
    """Size of the random sample; 0 for all."""
    seed: int = 0
    """Seed of the sample; with one seed, a smaller sample is part of a larger one."""

    def __post_init__(self) -> None:
        """Refuse choices that can only be a mistake.

        Raises:
            LabelerError: both a limit and a sample are given, or a pattern cannot match.
        """
        if self.limit and self.sample:
            raise LabelerError("--limit takes the first photos and --sample random ones; give one of them")
        for pattern in (*self.include, *self.exclude):
            if pattern.startswith(("/", "./", "../")) or not pattern:
                raise LabelerError(f"no name matches {pattern!r}: patterns are relative to the input, like 'a/*.jpg'")
            _expression(pattern)

    def __bool__(self) -> bool:
        """Say whether the selection may leave names out."""
        return bool(self.include or self.exclude or self.limit or self.sample)

    def matches(self, name: str) -> bool:
        """Say whether the patterns select a name."""
        return (not self.include or _any(self.include, name)) and not _any(self.exclude, name)

    def excludes_folder(self, name: str) -> bool:
        """Say whether the patterns exclude everything below a folder, so that it need not be listed."""
        return _any([one for one in self.exclude if one == "**" or one.endswith(("/", "/**"))], name + "/")

    def rank(self, name: str) -> int:
        """Return the BLAKE2b hash (64 bits) of seed and name; the names with the lowest ranks are the sample."""
        content = f"{self.seed}/{name}".encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")

    def highest_rank(self, names: Iterable[str]) -> int:
        """Return the highest rank in the sample (hash sampling). Takes memory for the sample, not for the names."""
        return max(heapq.nsmallest(self.sample, map(self.rank, names)), default=0)

    def as_json(self) -> dict[str, Any]:
        """Return the choices that were made, and the seed."""
        return {name: value for name, value in asdict(self).items() if value or name == "seed"}

    def __str__(self) -> str:
        """Return the choices as options of the command line."""
        asked = [f"--include {pattern}" for pattern in self.include] + [f"--exclude {one}" for one in self.exclude]
        asked += [f"--sample {self.sample} --seed {self.seed}"] if self.sample else []
        asked += [f"--limit {self.limit}"] if self.limit else []
        return " ".join(asked)


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(_expression(pattern).fullmatch(name) for pattern in patterns)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Translate a glob to a regular expression: `*`, `?` and `[...]` match within a part of the path, `**` any parts.

    Raises:
        LabelerError: a character range runs backwards.
    """
    *folders, last = f"{pattern}**".split("/") if pattern.endswith("/") else pattern.split("/")
    above = "".join("(?:.*/)?" if part == "**" else f"{_part(part)}/" for part in folders)
    try:
        return re.compile(above + (".*" if last == "**" else _part(last)), re.DOTALL)
    except re.error as exc:
        raise LabelerError(f"the pattern {pattern!r} is not a valid glob: {exc}") from exc


def _part(glob: str) -> str:
    return "".join(map(_token, re.findall(r"\*+|\[!?\]?[^\]]*\]|.", glob, re.DOTALL)))


def _token(token: str) -> str:
    if token.startswith("*"):
        return "[^/]*"
    if token == "?":
        return "[^/]"
    if len(token) == 1:
        return re.escape(token)
    signs = re.sub(r"([\\^\[\]&~|])", r"\\\1", token[1:-1].removeprefix("!"))
    return f"(?!/)[{'^' if token[1] == '!' else ''}{signs}]"
