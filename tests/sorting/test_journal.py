"""The journal survives a kill while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labeler.errors import LabelerError
from labeler.sorting import journal
from labeler.sorting.journal import Entry

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
    assert list(journal.read(path)) == ENTRIES


def test_a_name_that_is_not_unicode_is_read_as_written(path: str) -> None:
    journal.append(path, [Entry("happy/\udcff.jpg")])

    assert list(journal.read(path))[-1].target == "happy/\udcff.jpg"


def test_a_torn_last_line_is_passed_over(path: str) -> None:
    tear(path)

    assert list(journal.read(path)) == ENTRIES


def test_what_is_written_after_a_torn_line_is_whole(path: str) -> None:
    tear(path)
    journal.begin(path)
    journal.append(path, [Entry("sad")])

    assert list(journal.read(path)) == [*ENTRIES, Entry("sad")]


@pytest.mark.parametrize(
    "line",
    [
        *(b"?", b"[]", b'{"other": 1}', b"{}", b"\xff", b"[" * 100_000),
        *(b'{"target": ["happy"]}', b'{"target": 5, "source": "/1.jpg", "mode": "move"}'),
    ],
)
def test_a_damaged_journal_is_refused(path: str, line: bytes) -> None:
    with open(path, "ab") as file:
        file.write(line + b"\n")

    with pytest.raises(LabelerError, match="damaged"):
        list(journal.read(path))


@pytest.mark.parametrize(
    "target", ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", "labels.csv", "", "a\0/1.jpg", "\ud800/1.jpg"]
)
def test_a_target_that_no_sort_has_chosen_is_refused(path: str, target: str) -> None:
    journal.append(path, [Entry(target, "/photos/1.jpg", "move")])

    with pytest.raises(LabelerError, match="damaged"):
        list(journal.read(path))


@pytest.mark.parametrize("folder", ["../empty", "/tmp"])
def test_a_folder_that_no_sort_has_made_is_refused(path: str, folder: str) -> None:
    journal.append(path, [Entry(folder)])

    with pytest.raises(LabelerError, match="damaged"):
        list(journal.read(path))


@pytest.mark.parametrize(("source", "mode"), [("1.jpg", "move"), ("", "copy"), ("/photos/1.jpg", "burn")])
def test_a_source_or_mode_that_no_sort_knows_is_refused(path: str, source: str, mode: str) -> None:
    journal.append(path, [Entry("happy/2.jpg", source, mode)])

    with pytest.raises(LabelerError, match="damaged"):
        list(journal.read(path))


def test_a_link_in_place_of_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").write_text("no line end")
    (tmp_path / journal.NAME).symlink_to("own")

    with pytest.raises(LabelerError, match="not the journal of a sort"):
        list(journal.read(str(tmp_path / journal.NAME)))


def test_a_pipe_in_place_of_a_journal_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / journal.NAME)

    with pytest.raises(LabelerError, match="not the journal of a sort"):
        list(journal.read(str(tmp_path / journal.NAME)))


def test_a_file_of_the_users_own_in_place_of_a_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / journal.NAME).write_text("no line end")

    with pytest.raises(LabelerError, match="damaged"):
        list(journal.read(str(tmp_path / journal.NAME)))


def test_a_line_that_a_power_failure_has_left_empty_is_passed_over(path: str) -> None:
    with open(path, "ab") as file:
        file.write(bytes(4096))

    assert list(journal.read(path)) == ENTRIES


def test_what_is_not_kept_is_forgotten(path: str) -> None:
    journal.keep(path, ENTRIES[1:])

    assert list(journal.read(path)) == ENTRIES[1:]


@pytest.mark.parametrize("kept", [0, 1])
def test_forgetting_removes_what_a_kill_has_left_of_it(path: str, kept: int) -> None:
    Path(f"{path}.part").write_bytes(b"half a line")
    journal.keep(path, ENTRIES[:kept])

    assert os.listdir(Path(path).parent) == [journal.NAME] * kept
