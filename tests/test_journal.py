"""The journal survives a kill while it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeler import journal
from labeler.errors import LabelerError
from labeler.journal import Entry

ENTRIES = [Entry("happy"), Entry("happy/1.jpg", "/photos/1.jpg", "move")]


@pytest.fixture
def path(tmp_path: Path) -> str:
    path = str(tmp_path / journal.NAME)
    journal.begin(path)
    journal.append(path, ENTRIES)
    return path


def tear(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b'{"target": "happy/2.j')


def test_entries_are_read_as_written(path: str) -> None:
    assert journal.read(path) == ENTRIES


def test_a_name_that_is_not_unicode_is_read_as_written(path: str) -> None:
    journal.append(path, [Entry("happy/\udcff.jpg")])

    assert journal.read(path)[-1].target == "happy/\udcff.jpg"


def test_a_torn_last_line_is_passed_over(path: str) -> None:
    tear(path)

    assert journal.read(path) == ENTRIES


def test_what_is_written_after_a_torn_line_is_whole(path: str) -> None:
    tear(path)
    journal.begin(path)
    journal.append(path, [Entry("sad")])

    assert journal.read(path) == [*ENTRIES, Entry("sad")]


@pytest.mark.parametrize("line", [b"?", b"[]", b'{"other": 1}', b"{}", b"\xff"])
def test_a_damaged_journal_is_refused(path: str, line: bytes) -> None:
    with open(path, "ab") as file:
        file.write(line + b"\n")

    with pytest.raises(LabelerError, match="damaged"):
        journal.read(path)
