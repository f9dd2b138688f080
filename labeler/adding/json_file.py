"""Read the JSON files of an export, and the kinds of their values."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labeler.errors import ModelError, one_line

_MAX_BYTES = 1 << 24
"""Upper limit on a file, in bytes: the names of 10,000 classes take 4% of it."""


@dataclass(frozen=True, kw_only=True)
class JsonFile:
    """A JSON file that holds an object."""

    path: Path
    content: dict[str, Any]

    def wrong(self, what: str) -> ModelError:
        """Return the error of a file that says something that cannot be."""
        return ModelError(f"{self.path} {what}; correct the file")

    def part(self, key: str) -> JsonFile:
        """Return the object of a key as a file by itself; an empty one where there is none."""
        found = self.content.get(key)
        return JsonFile(path=self.path, content=found if isinstance(found, dict) else {})

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a truth value; the default where there is none.

        Raises:
            ModelError: it is something else.
        """
        found = self.content.get(key)
        if found is not None and not isinstance(found, bool):
            raise self.wrong(f"says {key} {one_line(found)}, which is neither true nor false")
        return default if found is None else found

    def number(self, key: str, default: float) -> float:
        """Return a number; the default where there is none.

        Raises:
            ModelError: it is something else.
        """
        found = self.content.get(key)
        if found is None:
            return default
        if not is_number(found):
            raise self.wrong(f"says {key} {one_line(found)}, which is no number")
        return float(found)

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return one number, or one for each of three channels.

        Raises:
            ModelError: there is none, or something else.
        """
        found = self.content.get(key)
        listed = found if isinstance(found, list) else [found]
        if len(listed) not in (1, 3) or not all(map(is_number, listed)):
            raise self.wrong(f"says {key} {one_line(found)}, not one number or three; or give --mean and --std")
        return tuple(map(float, listed))

    def text(self, key: str) -> str:
        """Return a text; an empty one where there is none, or something else."""
        found = self.content.get(key)
        return one_line(found) if isinstance(found, str) else ""


def is_number(value: object) -> bool:
    """Say whether a value of a JSON file is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def load(path: Path) -> JsonFile:
    """Read a JSON file.

    Raises:
        ModelError: it cannot be read, is too large, or is no JSON object.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ModelError(f"{path} is larger than {_MAX_BYTES:,} bytes, which no description of a network needs")
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelError(f"{path} cannot be read as JSON: {one_line(exc)}; export the network once more") from exc
    if not isinstance(content, dict):
        raise ModelError(f"{path} holds no JSON object; export the network once more")
    return JsonFile(path=path, content=content)
