"""Words for numbers, as people read them, and for what classes are of."""

from __future__ import annotations

from collections.abc import Iterable

_EXPRESSIONS = frozenset(
    "afraid anger angry calm contempt contemptuous disgust disgusted fear fearful happiness happy joy neutral sad "
    "sadness surprise surprised".split()
)
"""Names of the classes of data sets of facial expressions."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where there is not one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def are_expressions(class_names: Iterable[str]) -> bool:
    """Say whether classes are of facial expressions, by their names: one is enough, because of what is warned of."""
    return any(name.casefold() in _EXPRESSIONS for name in class_names)
