"""How much memory a process takes that labels with a network."""

from __future__ import annotations

from collections.abc import Iterable

from labeler.executors import memory
from labeler.inference.bundle import Card

_BASE = 1 << 27
"""Bytes of a process without the network: 84 MB with crops, 116 MB with photos of 12 megapixels, of which workers share
a half."""

_PER_BYTE = 2
"""Bytes for each byte of the model file: ONNX Runtime has the weights, and copies in the order that it multiplies them
in. A transformer of 305 MB takes 540 MB."""

_PER_PIXEL = 300
"""Bytes for each pixel of the images that are run at once: MobileNet takes 283, a transformer with patches of 16x16
pixels 110."""


def processes(most: int, cards: Iterable[Card]) -> int:
    """Return for how many processes, one to ``most``, there is memory, each having the networks of all these cards."""
    return max(1, int(min(most, memory.available() / sum(map(of, cards)))))


def of(card: Card) -> int:
    """Return about how many bytes a process takes that labels with the network of a card."""
    return _BASE + _PER_BYTE * card.size + _PER_PIXEL * card.block * card.input_size**2
