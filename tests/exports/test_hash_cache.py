"""A kept hash is found exactly as it was put, or not at all, and no state of the file stops a run."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from conftest import small_tmpfs

from labeler.exports import hash_cache
from labeler.exports.hash_cache import HashCache, key
from labeler.records import Face

HASHES = {key(f"{number}.jpg", "1-2", None, 0.0): random.Random(number).randbytes(32) for number in range(50)}


def put_all(table: Path) -> Path:
    """Keep all hashes; return the file."""
    with HashCache(table) as cache:
        for one, phash in HASHES.items():
            cache.put(one, phash)
    assert not cache.unusable
    return table.with_name(f"{table.name}.cache") / hash_cache.NAME


def found(table: Path) -> dict[bytes, bytes]:
    with HashCache(table) as cache:
        return {one: phash for one in HASHES if (phash := cache.get(one))}


def test_hashes_are_found_by_the_next_run(tmp_path: Path) -> None:
    file = put_all(tmp_path / "t.csv")

    assert found(tmp_path / "t.csv") == HASHES
    assert [path.name for path in file.parent.iterdir()] == [hash_cache.NAME]


def test_file_version_box_and_scale_are_the_key() -> None:
    square = Face(1.0, 2.0, 3.0, 4.0)
    keys = {
        key("a", "1", square, 3.0),
        key("b", "1", square, 3.0),
        key("a", "2", square, 3.0),
        key("a", "1", square._replace(x=9.0), 3.0),
        key("a", "1", square, 2.0),
        key("a", "1", None, 0.0),
        key("a\udcff", "1", None, 0.0),
    }

    assert len(keys) == 7
    assert key("a", "1", square._replace(score=0.5), 3.0) == key("a", "1", square, 3.0)


def test_a_flipped_bit_anywhere_never_gives_another_hash(tmp_path: Path) -> None:
    content = put_all(tmp_path / "t.csv").read_bytes()
    lost = 0
    for place in range(0, len(content), 29):
        table = tmp_path / f"{place}.csv"
        table.with_name(f"{place}.csv.cache").mkdir()
        file = table.with_name(f"{place}.csv.cache") / hash_cache.NAME
        file.write_bytes(content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :])
        kept = found(table)
        assert kept.items() <= HASHES.items()
        lost += len(kept) < len(HASHES)
        shutil.rmtree(file.parent)

    assert lost > 10


@pytest.mark.parametrize("content", [b"not a database, " * 500, b"", b"SQLite format 3\0" + bytes(5000)])
def test_a_foreign_file_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    table = tmp_path / "t.csv"
    file = tmp_path / "t.csv.cache" / hash_cache.NAME
    file.parent.mkdir()
    file.write_bytes(content)
    with HashCache(table) as cache:
        assert cache.get(next(iter(HASHES))) == b""
        cache.put(*next(iter(HASHES.items())))

    if content:
        assert (file.read_bytes(), str(file) in cache.unusable) == (content, True)
    else:  # As a run leaves it that is killed when it begins.
        assert (cache.unusable, found(table)) == ("", dict([next(iter(HASHES.items()))]))


def test_another_programs_database_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "t.csv.cache" / hash_cache.NAME
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as database:
        database.execute("CREATE TABLE hashes (key BLOB PRIMARY KEY, hash BLOB)")
        database.commit()
    before = file.read_bytes()
    with HashCache(tmp_path / "t.csv") as cache:
        cache.put(*next(iter(HASHES.items())))

    assert "not written by this version" in cache.unusable
    assert file.read_bytes() == before


def test_a_damaged_file_stops_being_used_in_the_middle(tmp_path: Path) -> None:
    file = put_all(tmp_path / "t.csv")
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    with HashCache(tmp_path / "t.csv") as cache:
        assert not any(cache.get(one) for one in HASHES)

    assert "cannot be used" in cache.unusable


@pytest.mark.parametrize("in_the_way", ["t.csv.cache", f"t.csv.cache/{hash_cache.NAME}/folder"])
def test_what_is_in_the_way_costs_only_the_hashes(tmp_path: Path, in_the_way: str) -> None:
    path = tmp_path / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    with HashCache(tmp_path / "t.csv") as cache:
        cache.put(*next(iter(HASHES.items())))
        assert not cache.get(next(iter(HASHES)))

    assert cache.unusable


def test_a_full_disk_costs_only_the_hashes(tmp_path: Path) -> None:
    for disk in small_tmpfs(tmp_path / "disk", "256k"):
        with HashCache(disk / "t.csv") as cache:
            for number in range(20_000):
                cache.put(key(str(number), "1", None, 0.0), bytes(32))
        assert "full" in cache.unusable
        with HashCache(disk / "t.csv") as cache:
            assert not cache.unusable
            assert cache.get(key("0", "1", None, 0.0)) == bytes(32)


def test_two_runs_keep_hashes_side_by_side(tmp_path: Path) -> None:
    with HashCache(tmp_path / "t.csv") as one, HashCache(tmp_path / "t.csv") as two:
        for number, (name, phash) in enumerate(HASHES.items()):
            (one, two)[number % 2].put(name, phash)

    assert (one.unusable, two.unusable) == ("", "")
    assert found(tmp_path / "t.csv") == HASHES
