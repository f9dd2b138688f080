"""A few hundred damaged files of each kind break nothing. `make fuzz` tries as many as there is time for."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import fuzz
import pytest
from fuzz import Limits
from sound_files import File

from labeler.records import Status

FILES = [File("a.txt", b"some content"), File("b.txt", b"something else")]


@pytest.mark.parametrize(("target", "count"), [("pictures", 400), ("tables", 200), ("bundles", 400)])
def test_damaged_files_cost_neither_a_crash_nor_a_hang_nor_memory_without_end(target: str, count: int) -> None:
    read, files = fuzz.TARGETS[target]
    report = fuzz.hunt(read, list(files()), 0, range(count))

    assert (report.findings, report.tried) == ([], count)
    assert set(report.answers) <= {"read", *Status, "LabelerError", "ModelError"}


@pytest.mark.parametrize("target", fuzz.TARGETS)
def test_the_files_that_are_damaged_are_sound(target: str, tmp_path: Path) -> None:
    read, files = fuzz.TARGETS[target]
    answers = set()
    for file in files():
        if not file.name.endswith((".run.json", "odd.jsonl")):
            (tmp_path / file.name).write_bytes(file.content)
            answers.add(read(tmp_path / file.name))

    assert "read" in answers
    assert answers <= {"read", Status.UNSUPPORTED, Status.UNREADABLE}


def die(path: Path) -> str:
    if path.exists() and len(path.read_bytes()) % 2:
        os.kill(os.getpid(), signal.SIGSEGV)
    return "read"


def sleep(path: Path) -> str:
    if path.exists() and len(path.read_bytes()) % 2:
        time.sleep(60)
    return "read"


def allocate(_: Path) -> str:
    return "read" if bytearray(os.urandom(1)) * (200 << 20) else ""


def fail(_: Path) -> str:
    raise KeyError("a bug")


ODD = [number for number in range(100) if len(fuzz.damaged(FILES, 0, number).content) % 2]
"""The files that `die` and `sleep` are broken by."""


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
def test_a_crash_is_found_and_the_hunt_goes_on() -> None:
    report = fuzz.hunt(die, FILES, 0, range(ODD[1] + 2))

    assert report.tried == ODD[1] + 2
    assert {finding.what for finding in report.findings} == {"crash: the process ended with -11"}
    assert [finding.number for finding in report.findings][:2] == ODD[:2]


@pytest.mark.heavy
def test_a_hang_is_found_and_ended() -> None:
    report = fuzz.hunt(sleep, FILES, 0, range(ODD[0], ODD[0] + 1), limits=Limits(seconds=1.0))

    assert [finding.what for finding in report.findings] == ["hang: longer than 1 s, twice"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the most memory of a while")
def test_too_much_memory_is_found() -> None:
    report = fuzz.hunt(allocate, FILES, 0, range(1), limits=Limits(memory=100 << 20))

    assert report.findings[0].what.startswith("memory: 2")


def test_an_error_of_another_kind_is_found() -> None:
    assert fuzz.hunt(fail, FILES, 0, range(1)).findings[0].what.startswith("KeyError at test_fuzz.py:")


def test_a_number_names_a_file_for_ever() -> None:
    assert fuzz.damaged(FILES, 1, 7) == fuzz.damaged(FILES, 1, 7)
    assert len({fuzz.damaged(FILES, seed, number) for seed in (1, 2) for number in range(50)}) > 50


def test_what_was_found_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fuzz.TARGETS, "pictures", fuzz.Target(fail, lambda: iter(FILES)))
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--target", "pictures", "--count", "1", "--out", str(tmp_path)])

    assert fuzz.main() == 1
    assert [path.read_bytes() for path in (tmp_path / "pictures").iterdir()] == [fuzz.damaged(FILES, 0, 0).content]
