"""Mutate files at random, but aware of checksums, lengths, and the tokens and markers of formats."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import Random

_NUMBERS = (0, 1, 2, 7, 8, 16, 64, 127, 128, 255, 256, 4096, 32767, 32768, 65535, 65536, 10**6)
_WIDE_NUMBERS = (*_NUMBERS, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
_PIECES = (
    *(b"\0", b"\xff" * 4, b"=", b"+", b"-", b"@", b"\t", b"\r", b"\r\n", b"\n", b",", b",,,,", b'"', b'""', b"'"),
    *(b"{", b"}", b"[", b"]", b"[" * 3000, b'{"a":' * 3000, b":", b"null", b"true", b'"x"', b"NaN", b"-Infinity"),
    *(
        b"-1",
        b"0.5",
        b"1e999",
        b"9" * 30,
        b"9" * 5000,
        b"\xed\xb2\x80",
        b"\\ud800",
        b"\xe2\x80\xa8",
        b"\\x5c",
        b"../../",
    ),
    *(b"ok", b"uncertain", b"file", b"\xff\xd9", b"\xff\xda", b"IDAT", b"II*\0", b"MM\0*"),
)
"""Tokens that may confuse a parser of text, and markers of JPEG, PNG and TIFF."""


def mutated(content: bytes, other: bytes, random: Random) -> bytes:
    """Return a file with one to eight mutations, some of which take pieces of another file."""
    damaged = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        random.choice(_DAMAGES)(damaged, other, random)
    if damaged[:8] == b"\x89PNG\r\n\x1a\n" and random.random() < 0.7:  # Or no reader gets past a checksum.
        _mend_png(damaged)
    return bytes(damaged)


def _flip(content: bytearray, _other: bytes, random: Random) -> None:
    for _ in range(random.choice((1, 1, 4, 32))):
        at = _place(content, random)
        if at < len(content):
            content[at] ^= 1 << random.randrange(8)


def _cut(content: bytearray, _other: bytes, random: Random) -> None:
    del content[_place(content, random) :]


def _remove(content: bytearray, _other: bytes, random: Random) -> None:
    at = _place(content, random)
    del content[at : at + _length(random)]


def _repeat(content: bytearray, _other: bytes, random: Random) -> None:
    at = _place(content, random)
    content[at:at] = content[at : at + _length(random)] * random.choice((1, 1, 3, 20))


def _splice(content: bytearray, other: bytes, random: Random) -> None:
    """Insert a piece of another file, or overwrite with it."""
    at, start, length = _place(content, random), random.randrange(len(other) + 1), _length(random)
    piece = other[start : start + length]
    content[at : at + len(piece) * random.choice((0, 1))] = piece


def _cross(content: bytearray, other: bytes, random: Random) -> None:
    """Replace the rest by the rest of another file (crossover)."""
    content[_place(content, random) :] = other[random.randrange(len(other) + 1) :]


def _number(content: bytearray, _other: bytes, random: Random) -> None:
    """Overwrite what may be a length, a size or an offset, in either endianness."""
    width, order = random.choice((1, 2, 2, 4, 4, 8)), random.choice(("big", "little"))
    number = random.choice(_WIDE_NUMBERS if width > 2 else _NUMBERS) % (1 << 8 * width)
    at = min(_place(content, random), max(len(content) - width, 0))
    content[at : at + width] = number.to_bytes(width, order)  # type: ignore[arg-type]


def _nudge(content: bytearray, _other: bytes, random: Random) -> None:
    """Make a byte a little larger or smaller."""
    at = _place(content, random)
    if at < len(content):
        content[at] = (content[at] + random.choice((-2, -1, 1, 2))) % 256


def _insert(content: bytearray, _other: bytes, random: Random) -> None:
    piece, at = random.choice(_PIECES), _place(content, random)
    content[at : at + len(piece) * random.choice((0, 0, 1))] = piece


_DAMAGES: tuple[Callable[[bytearray, bytes, Random], None], ...] = (
    *(_flip, _flip, _cut, _remove, _repeat, _splice, _cross, _number, _number, _number, _nudge, _insert),
)


def _place(content: bytearray, random: Random) -> int:
    """Return an offset: half of the time near the beginning, where most formats have their header."""
    end = len(content) if random.random() < 0.5 else min(len(content), 256)
    return random.randrange(end + 1)


def _length(random: Random) -> int:
    return random.choice((1, 2, 4, 16, 100, 1000, 10_000))


def _mend_png(content: bytearray) -> None:
    """Recompute the CRC-32 checksum of each chunk."""
    at = 8
    while at + 12 <= len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        if end + 4 > len(content):
            return
        content[end : end + 4] = zlib.crc32(content[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
