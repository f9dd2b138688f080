"""The log of reviews: what was acknowledged is there, whoever dies and whatever the disk does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from disks import full_disk
from kills import forked, killed_before
from odd_rows import ODD_NAMES
from reviewing import at, event, hexed, undo

from labeler.errors import LabelerError, OutputError
from labeler.storage.lock import Lock
from labeler.tables import review_log
from labeler.tables.review_log import Log
from labeler.tables.reviews import path_of


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log.of(tmp_path / "t.csv")


def test_events_are_read_as_they_were_appended(log: Log) -> None:
    events = [event("sad", 1), undo(1, 2), event("not_a_face", 3, box=None, ms=None, shown=False, hash=hexed("x"))]

    assert log.read() == []
    assert log.append(events[:1]) == 1
    assert log.append(events[1:]) == 2
    assert log.read() == events
    assert os.listdir(log.path.parent) == ["t.csv.reviews.jsonl"]


def test_every_name_that_a_file_may_have_comes_back(log: Log) -> None:
    events = [event("sad", second, file=name) for second, name in enumerate(ODD_NAMES)]
    log.append(events)

    assert [one.file for one in log.read()] == ODD_NAMES
    assert log.path.read_bytes().decode("utf-8").count("\n") == len(ODD_NAMES)


def test_what_is_sent_again_is_there_once(log: Log) -> None:
    events = [event("sad", 1, file=name, action="one") for name in ("a.jpg", "b.jpg", "c.jpg")]
    log.append(events[:2])  # A kill in the middle of the action.

    assert log.append(events) == 1
    assert Log(log.path).append(events) == 0
    assert log.read() == events


@pytest.mark.parametrize("size", range(1, 400, 37))
def test_a_last_line_that_is_cut_off_is_none_and_the_next_append_removes_it(log: Log, size: int) -> None:
    log.append([event("sad", 1)])
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + event("happy", 2).line()[:size].removesuffix(b"\n"))

    assert len(log.read()) == 1
    log.append([event("angry", 3)])
    assert log.path.read_bytes() == whole + event("angry", 3).line()


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"\n", id="empty"),
        pytest.param(b"{}\n", id="without anything"),
        pytest.param(b"[" * 50_000 + b"\n", id="too deep"),
        pytest.param(b"\xff\xfe\n", id="bytes"),
        pytest.param(b"x" * 70_000, id="without an end"),
        pytest.param(event("sad").line().replace(b'"v": 1', b'"v": 2'), id="another version"),
        pytest.param(event("sad").line().replace(b'"sad"', b'"\\u0085"'), id="a label that no line holds"),
        pytest.param(event("sad").line().replace(b"[10.0", b"[NaN"), id="a box that is no number"),
        pytest.param(event("sad").line().replace(b"a.jpg", b"a\\u0000.jpg"), id="a NUL in the name"),
        pytest.param(event("sad").line().replace(b"a.jpg", b"\\ud800.jpg"), id="no name"),
        pytest.param(event("sad").line().replace(b'"shown": true', b'"shown": 1'), id="another kind"),
        pytest.param(event("sad").line().replace(b"14:00:00.000Z", b"14:00:00Z"), id="a time that sorts elsewhere"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_written_or_lost(log: Log, line: bytes) -> None:
    log.append([event("sad", 1)])
    damaged = log.path.read_bytes() + line + event("sad", 2).line()
    log.path.write_bytes(damaged)

    for act in (Log(log.path).read, lambda: Log(log.path).append([event("sad", 3)]), lambda: log.append([])):
        with pytest.raises(LabelerError, match=r"line 2 of .*t\.csv\.reviews\.jsonl is damaged"):
            act()
    assert log.path.read_bytes() == damaged


def test_whoever_writes_keeps_the_others_out_and_gives_up_politely(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_log, "PATIENCE_S", 0.05)
    other = Lock(log.path.parent / "t.csv.reviews.lock")
    with pytest.raises(LabelerError, match="another program writes"):
        log.append([event("sad")])
    other.release()
    with log.held(), log.held():
        log.append([event("sad", 1)])
        with pytest.raises(LabelerError, match="another program writes"):
            Log(log.path).append([event("sad", 2)])
    Log(log.path).append([event("sad", 3)])

    assert [one.time for one in log.read()] == [at(1), at(3)]


def test_a_folder_in_its_place_or_one_that_cannot_be_written_is_one_line(log: Log) -> None:
    log.path.mkdir()
    with pytest.raises(LabelerError, match="cannot be read"):
        log.read()
    with pytest.raises(OutputError, match="cannot write"):
        log.append([event("sad")])
    with pytest.raises(OutputError, match="cannot write"):
        Log.of(log.path.parent / "gone" / "t.csv").append([event("sad")])


@pytest.mark.heavy
def test_two_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(first: int) -> Callable[[], None]:
        def act() -> None:
            log = Log.of(tmp_path / "t.csv")
            for second in range(first, first + 40):
                log.append([event("sad", second, file=f"{second}-{name}.jpg") for name in range(3)])

        return act

    pids = []
    for first in (0, 1000, 2000):
        pid = os.fork()
        if not pid:
            os._exit(forked(write(first)))
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0, 0]

    events = Log.of(tmp_path / "t.csv").read()
    assert len({one.id for one in events}) == len(events) == 3 * 40 * 3


def test_killed_before_each_step_it_keeps_what_was_acknowledged_and_goes_on(tmp_path: Path) -> None:
    """Between the two appends a line is cut off, so that the removal of it is killed, too."""
    ends = set()
    for step in count():
        table = tmp_path / str(step) / "t.csv"
        table.parent.mkdir()
        acknowledged = tmp_path / f"{step}.acknowledged"

        def act(table: Path = table, acknowledged: Path = acknowledged) -> None:
            Log.of(table).append([event("sad", 1)])
            acknowledged.touch()
            with path_of(table).open("ab") as file:
                file.write(b'{"v": 1, "id": "cut o')
            Log.of(table).append([event("sad", 2)])
            acknowledged.write_bytes(b"twice")

        ends.add(killed_before(step, act))
        first, second = event("sad", 1), event("sad", 2)
        found = Log.of(table).read()
        if acknowledged.exists():
            assert found[:1] == [first]
            if acknowledged.read_bytes():
                assert found == [first, second]
        Log.of(table).append([first, second])
        assert Log.of(table).read() == [first, second]
        if 0 in ends:
            break

    assert ends == {0, -signal.SIGKILL}
    assert step > 12


def test_a_full_disk_is_an_error_and_leaves_what_was_acknowledged(log: Log) -> None:
    written = 0

    def fill() -> None:
        nonlocal written
        for second in range(1000):
            written += log.append([event("sad", second, file=f"{second}-{one}.jpg") for one in range(3)])

    with full_disk(10_000), pytest.raises(OutputError, match="cannot write"):
        fill()
    content = log.path.read_bytes()

    assert len(log.read()) == written > 0
    assert content.count(b"\n") == written
    assert content.endswith(b"\n")
    assert log.append([event("sad", 2000)]) == 1
