"""Which of the pictures that were found are wanted: by pattern, by chance, or the first few."""

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
    """What `--include`, `--exclude`, `--sample` and `--limit` leave of the names, in this order. Empty for all.

    A name is relative to the root, with forward slashes.
    """

    include: tuple[str, ...] = ()
    """Patterns of which a name must match one; none for any name. For patterns see `_expression`."""
    exclude: tuple[str, ...] = ()
    """Patterns of which a name must match none."""
    limit: int = 0
    """So many of the first; 0 for all."""
    sample: int = 0
    """So many by chance; 0 for all."""
    seed: int = 0
    """Decides which; of one seed, a smaller sample is part of a larger one."""

    def __post_init__(self) -> None:
        """Refuse what can only be a mistake.

        Raises:
            LabelerError: there is a limit and a sample, or a pattern that cannot match.
        """
        if self.limit and self.sample:
            raise LabelerError("--limit takes the first files and --sample any; give one of them")
        for pattern in (*self.include, *self.exclude):
            if pattern.startswith(("/", "./", "../")) or not pattern:
                raise LabelerError(f"no file is called {pattern!r}: patterns are relative to the input, like 'a/*.jpg'")
            _expression(pattern)

    def __bool__(self) -> bool:
        """Say whether anything may be left out."""
        return bool(self.include or self.exclude or self.limit or self.sample)

    def matches(self, name: str) -> bool:
        """Say whether the patterns let a name through."""
        return (not self.include or _any(self.include, name)) and not _any(self.exclude, name)

    def excludes_folder(self, name: str) -> bool:
        """Say whether nothing below a folder can match, so that it need not be listed."""
        return _any([one for one in self.exclude if one == "**" or one.endswith(("/", "/**"))], name + "/")

    def rank(self, name: str) -> int:
        """Return a number by chance that the name and the seed alone decide; the lowest make the sample."""
        content = f"{self.seed}/{name}".encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")

    def highest_rank(self, names: Iterable[str]) -> int:
        """Return the rank up to which names make the sample. Memory is needed for the sample, not for the names."""
        return max(heapq.nsmallest(self.sample, map(self.rank, names)), default=0)

    def as_json(self) -> dict[str, Any]:
        """Return what was asked for."""
        return {name: value for name, value in asdict(self).items() if value or name == "seed"}

    def __str__(self) -> str:
        """Return what was asked for, as on the command line."""
        asked = [f"--include {pattern}" for pattern in self.include] + [f"--exclude {one}" for one in self.exclude]
        asked += [f"--sample {self.sample} --seed {self.seed}"] if self.sample else []
        asked += [f"--limit {self.limit}"] if self.limit else []
        return " ".join(asked)


def _any(patterns: Iterable[str], name: str) -> bool:
    return any(_expression(pattern).fullmatch(name) for pattern in patterns)


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    """Return a glob as a regular expression: `*`, `?` and `[...]` within a part of the name, `**` for any parts.

    Raises:
        LabelerError: it holds a range that runs backwards.
    """
    *folders, last = f"{pattern}**".split("/") if pattern.endswith("/") else pattern.split("/")
    above = "".join("(?:.*/)?" if part == "**" else f"{_part(part)}/" for part in folders)
    try:
        return re.compile(above + (".*" if last == "**" else _part(last)), re.DOTALL)
    except re.error as exc:
        raise LabelerError(f"cannot understand the pattern {pattern!r}: {exc}") from exc


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
