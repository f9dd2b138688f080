"""A record is read exactly as it was written, or not at all; files of others are left whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labeler.review import records
from labeler.review.records import Bytes

MAGIC = b"ours 1\n"
HEADER = b"about this"
WIDTH = 8


def made(count: int, seed: int = 0) -> tuple[Bytes, Bytes]:
    generator = np.random.default_rng(seed)
    return (
        generator.integers(0, 256, (count, records.KEY_BYTES), np.uint8),
        generator.integers(0, 256, (count, WIDTH), np.uint8),
    )


def pairs(file: Path) -> dict[bytes, bytes]:
    kept = records.read(file, MAGIC, WIDTH)
    assert kept
    return {key.tobytes(): value.tobytes() for key, value in zip(kept.keys, kept.values, strict=True)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.codes"
    records.write(path, MAGIC, HEADER, *made(5))
    return path


ALL = {key.tobytes(): value.tobytes() for key, value in zip(*made(5), strict=True)}


def test_records_are_read_as_written(file: Path) -> None:
    more = made(3, seed=1)
    with records.appending(file) as stream:
        records.append(stream, *more)
    kept = records.read(file, MAGIC, WIDTH)

    assert kept
    assert (kept.header, kept.whole) == (HEADER, True)
    assert np.array_equal(kept.keys, np.concatenate([made(5)[0], more[0]]))
    assert np.array_equal(kept.values, np.concatenate([made(5)[1], more[1]]))


def test_a_flipped_bit_anywhere_costs_at_most_its_record(file: Path) -> None:
    content = file.read_bytes()
    for place in range(len(content)):
        for bit in (0, 7):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            kept = records.read(file, MAGIC, WIDTH)
            if kept is None:  # What the file says about itself is hit.
                assert place < len(MAGIC) + 4 + len(HEADER) + 16
                continue
            assert pairs(file).items() < ALL.items()
            assert len(kept.keys) == 4
            assert not kept.whole


def test_a_file_cut_off_anywhere_keeps_its_whole_records(file: Path) -> None:
    content = file.read_bytes()
    size = records.KEY_BYTES + WIDTH + 4
    begin = len(content) - 5 * size
    for length in range(len(content)):
        file.write_bytes(content[:length])
        kept = records.read(file, MAGIC, WIDTH)
        assert (kept is None) == (length < begin)
        if kept:
            assert len(kept.keys) == (length - begin) // size
            assert kept.whole == ((length - begin) % size == 0)


def test_zeros_are_no_records(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(bytes(10 * (records.KEY_BYTES + WIDTH + 4)))

    assert pairs(file) == ALL


def test_a_file_of_others_is_not_read_and_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "a.codes"
    for content in (b"", b"x", b"something else" * 1000):
        file.write_bytes(content)
        assert records.read(file, MAGIC, WIDTH) is None
        other = records.set_aside(file)
        assert other
        assert other.read_bytes() == content
        assert not file.exists()

    assert len(list(tmp_path.iterdir())) == 3


def test_without_a_file_there_is_nothing_to_read_or_set_aside(tmp_path: Path) -> None:
    assert records.read(tmp_path / "none", MAGIC, WIDTH) is None
    assert records.set_aside(tmp_path / "none") is None
