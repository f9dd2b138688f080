"""A file of records that only grows, each with a key and a check: a kill costs the last one, damage those it hits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.storage import atomic

Bytes = NDArray[np.uint8]

KEY_BYTES = 12
"""Of a million keys, two are the same with a probability of 1e-17."""

_CHECK_BYTES = 4
_DIGEST_BYTES = 16
_LENGTH_BYTES = 4
_LONGEST_HEADER = 1 << 20
_AT_ONCE = 1 << 16
"""Records that are checked at once, which bounds memory."""


class Kept(NamedTuple):
    """The content of a file: what it says about itself, and its records."""

    header: bytes
    keys: Bytes
    """(records, `KEY_BYTES`)."""
    values: Bytes
    """(records, width)."""
    whole: bool
    """Whether every byte is that of a sound record."""


def read(file: Path, magic: bytes, width: int) -> Kept | None:
    """Return the content of a file with values of ``width`` bytes; None where it is not one of ours, or does not exist.

    Raises:
        OSError: it cannot be read.
    """
    try:
        content = np.fromfile(file, np.uint8)
    except FileNotFoundError:
        return None
    start = content[: len(magic) + _LENGTH_BYTES + _LONGEST_HEADER + _DIGEST_BYTES].tobytes()
    begin = len(magic) + _LENGTH_BYTES
    end = begin + int.from_bytes(start[len(magic) : begin], "little")
    header, digest = start[begin:end], start[end : end + _DIGEST_BYTES]
    if not start.startswith(magic) or digest != _digest(header):
        return None
    size = KEY_BYTES + width + _CHECK_BYTES
    body = content[end + _DIGEST_BYTES :]
    records = body[: len(body) // size * size].reshape(-1, size)
    sound = _sound(records)
    return Kept(
        header,
        records[sound, :KEY_BYTES],
        records[sound, KEY_BYTES:-_CHECK_BYTES],
        bool(sound.all()) and len(body) % size == 0,
    )


def write(file: Path, magic: bytes, header: bytes, keys: Bytes, values: Bytes) -> None:
    """Write a file with these records, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    if len(header) > _LONGEST_HEADER:
        raise ValueError(f"a header has at most {_LONGEST_HEADER:,} bytes")
    with atomic.placing(file) as beside, beside.open("wb") as stream:
        stream.write(magic + len(header).to_bytes(_LENGTH_BYTES, "little") + header + _digest(header))
        for at in range(0, len(keys), _AT_ONCE):
            stream.write(_records(keys[at : at + _AT_ONCE], values[at : at + _AT_ONCE]))


@contextmanager
def appending(file: Path) -> Iterator[IO[bytes]]:
    """Yield the open end of a file whose records are all whole; `append` writes to it.

    Raises:
        OSError: it cannot be opened.
    """
    with open(os.open(file, os.O_WRONLY | os.O_APPEND), "wb", buffering=0) as stream:
        yield stream


def append(stream: IO[bytes], keys: Bytes, values: Bytes) -> None:
    """Write more records, which a kill of this process cannot lose.

    Raises:
        OSError: they cannot be written.
    """
    content = memoryview(_records(keys, values))
    while content:
        content = content[stream.write(content) :]


def set_aside(file: Path) -> Path | None:
    """Rename a file that is not ours, or too damaged to be used; return its new name, None where there is no file.

    Raises:
        OSError: it cannot be renamed.
    """
    if not os.path.lexists(file):
        return None
    number = 0
    while os.path.lexists(other := file.with_name(f"{file.name}.aside{number or ''}")):
        number += 1
    return file.rename(other)


def _records(keys: Bytes, values: Bytes) -> bytes:
    content = np.concatenate([keys, values], axis=1)
    return np.concatenate([content, _checks(content)], axis=1).tobytes()


def _sound(records: Bytes) -> NDArray[np.bool_]:
    parts = [records[at : at + _AT_ONCE] for at in range(0, len(records), _AT_ONCE)]
    found = [(_checks(part[:, :-_CHECK_BYTES]) == part[:, -_CHECK_BYTES:]).all(axis=1) for part in parts]
    return np.concatenate(found) if found else np.zeros(0, np.bool_)


def _checks(content: Bytes) -> Bytes:
    """Return the check of each record: a random linear function of its 32-bit words, and not 0 for zeros."""
    words = np.ascontiguousarray(content).view("<u4").astype(np.uint64)
    factors = np.random.default_rng(1).integers(1 << 62, 1 << 63, words.shape[1], np.uint64) | np.uint64(1)
    sums = (words * factors).sum(axis=1, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    checks: Bytes = (sums >> np.uint64(32)).astype("<u4")[:, None].view(np.uint8)
    return checks


def _digest(header: bytes) -> bytes:
    return hashlib.blake2b(header, digest_size=_DIGEST_BYTES).digest()
