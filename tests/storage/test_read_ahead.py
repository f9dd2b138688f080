"""Files that are asked for before their turn."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from labeler.storage import read_ahead
from labeler.storage.read_ahead import ReadAhead
from labeler.storage.store import Content, FileError

LIMIT = 1 << 20
NAMES = [f"{number:03}.jpg" for number in range(500)]


class Slow:
    """Gives each file its name as content, after a millisecond, and remembers what was asked for."""

    def __init__(self, size: int = 1) -> None:
        self.size = size
        self.asked: list[str] = []
        self._lock = threading.Lock()

    def get(self, name: str, limit: int) -> Content:
        with self._lock:
            self.asked.append(name)
        time.sleep(0.001)
        if name.startswith("bad"):
            raise FileError(f"{name} at {limit}")
        return Content(name.encode() * self.size, "")


def test_each_file_is_asked_for_once_and_comes_in_its_turn() -> None:
    slow = Slow()
    reading = ReadAhead(slow.get)
    reading.expect(NAMES, LIMIT)

    assert [reading.read(name, LIMIT).data.decode() for name in NAMES] == NAMES
    assert sorted(slow.asked) == NAMES


def test_files_that_are_left_out_or_not_announced_are_read_all_the_same() -> None:
    reading = ReadAhead(Slow().get)
    reading.expect(NAMES, LIMIT)
    wanted = [*NAMES[::3], "other.jpg", NAMES[0], "another.jpg"]

    assert [reading.read(name, LIMIT).data.decode() for name in wanted] == wanted


def test_a_file_that_cannot_be_read_costs_its_own_turn_only() -> None:
    names = ["1.jpg", "bad.jpg", "2.jpg"]
    reading = ReadAhead(Slow().get)
    reading.expect(names, 7)
    found = []
    for name in names:
        with suppress(FileError):
            found.append(reading.read(name, 7).data)
    reading.expect(names[1:2], 7)

    assert found == [b"1.jpg", b"2.jpg"]
    with pytest.raises(FileError, match=r"bad\.jpg at 7"):
        reading.read("bad.jpg", 7)


def test_what_was_announced_before_is_forgotten() -> None:
    slow = Slow()
    reading = ReadAhead(slow.get)
    for batch in (NAMES[:100], NAMES[100:200]):
        reading.expect(batch, LIMIT)
        assert reading.read(batch[0], LIMIT).data.decode() == batch[0]

    assert reading.read(NAMES[150], LIMIT).data.decode() == NAMES[150]


@pytest.mark.parametrize(("size", "most"), [(1, 256), (1 << 16, 128 + 16), (1 << 20, 16)])
def test_as_many_files_wait_as_memory_allows(size: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "_BYTES", 7 << 23)
    monkeypatch.setattr(read_ahead, "_FIRST_BYTES", 7 * size)
    slow = Slow(size)
    reading = ReadAhead(slow.get)
    reading.expect(NAMES, LIMIT)
    waiting = []
    for read, name in enumerate(NAMES):
        waiting.append(len(slow.asked) - read)
        reading.read(name, LIMIT)

    assert max(waiting) <= most
