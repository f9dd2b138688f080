"""Versions, which say that a file changed: size and time of a file of this machine, the entity tag of an object."""

from __future__ import annotations

import re

_SIZE_AND_TIME = re.compile(r"[0-9]+-[0-9]+").fullmatch


def comparable(one: str, other: str) -> bool:
    """Say whether two versions are of one kind; those of a photo and of its copy in a bucket are not."""
    return bool(one and other) and bool(_SIZE_AND_TIME(one)) == bool(_SIZE_AND_TIME(other))


def differ(one: str, other: str) -> bool:
    """Say whether two versions tell that a file changed."""
    return one != other and comparable(one, other)
