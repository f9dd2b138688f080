"""How far a command is: a bar on a terminal, else a log, or JSON; on stderr alone."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Folder
from rich.console import Console
from typer.testing import Result

from labeler import progress
from labeler.cli import show_photos
from labeler.records import Progress, Row, Tally

Run = Callable[..., Result]


def lines(form: Progress, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is printed of three of four items done, with an interval that never comes to its end."""
    monkeypatch.setattr(progress, "FIRST_S", 1000.0)
    output = io.StringIO()
    with progress.shown("counting", Console(file=output), form) as meter:
        for done in range(1, 4):
            meter.set(done, 4, before=1, ok=done)
    return output.getvalue().splitlines()


def test_a_log_has_a_line_as_soon_as_there_is_something_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lines(Progress.LOG, monkeypatch)

    assert len(found) == 1
    assert found[0].startswith("counting: ")


def test_a_log_goes_on_at_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LOG_S", 0.0)
    output = io.StringIO()
    with progress.shown("counting", Console(file=output), Progress.LOG) as meter:
        meter.set(1, 4)
        while output.getvalue().count("\n") < 3:
            pass

    assert set(output.getvalue().splitlines()[:3]) <= {line for line in output.getvalue().splitlines() if "1/4" in line}


def test_a_log_says_within_a_second_what_is_going_on_even_when_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    output = io.StringIO()
    with progress.shown("counting", Console(file=output), Progress.LOG):
        while not output.getvalue().endswith("\n"):
            pass

    assert output.getvalue() == "counting ...\n"


def test_json_has_an_object_a_line_and_the_last_state(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [json.loads(line) for line in lines(Progress.JSON, monkeypatch)]

    assert {key: found[-1][key] for key in ("progress", "done", "total", "ok")} == {
        "progress": "counting",
        "done": 3,
        "total": 4,
        "ok": 3,
    }


def test_what_an_earlier_run_did_says_nothing_of_the_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = progress.Meter(doing="counting", began=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: 10.0)
    meter.set(120, 220, before=100)

    assert (meter.per_second, meter.left_s) == (2.0, 50.0)
    assert meter.line() == "counting: 120/220, 2/s, 0:00:50 left"


def test_while_a_table_is_taken_over_it_is_said_so() -> None:
    meter = progress.Meter(doing="labeling")
    tally = Tally()
    for number in range(3):
        tally.add(Row(f"{number}.jpg"))
    tally.resumed = 3
    show_photos._show_tally(meter, tally, None)

    assert meter.line().startswith("reading the table: 3, ")


@pytest.mark.parametrize("command", ["classify", "annotate", "sort", "evaluate"])
def test_every_long_command_tells_its_progress_in_the_form_that_is_wanted(
    folder: Folder, model: Path, tmp_path: Path, run: Run, command: str
) -> None:
    for number in range(3):
        folder.noise(f"happy/{number}.png", seed=number)
    run("classify", folder.path, "--out", tmp_path / "t.csv", "--model", model)
    given = {
        "classify": ["classify", folder.path, "--out", tmp_path / "u.csv", "--model", model],
        "annotate": ["annotate", tmp_path / "t.csv", "--out", tmp_path / "drawn"],
        "sort": ["sort", tmp_path / "t.csv", "--into", tmp_path / "sorted"],
        "evaluate": ["evaluate", folder.path, "--model", model],
    }[command]
    result = run(*given, "--progress", "json", "--quiet")
    found = [json.loads(line) for line in result.stderr.splitlines()]

    assert result.exit_code == 0
    assert (found[-1]["done"], found[-1]["total"]) == (3, None if command == "annotate" else 3)


def test_quiet_shows_no_progress(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    folder.picture("a.png")
    given = ("classify", folder.path, "--model", model)

    assert run(*given, "--out", tmp_path / "t.csv", "--quiet").stderr == ""
    assert run(*given, "--out", tmp_path / "u.csv").stderr.startswith("labeling")
    assert "labeling" not in run(*given, "--out", tmp_path / "v.csv", "--progress", "none").stderr


def test_a_terminal_has_a_bar(folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.picture("a.png")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "labeler", "classify", folder.path, "--out", tmp_path / "t.csv", "--model", model]
    with subprocess.Popen(command, stderr=theirs, env={**os.environ, "TERM": "xterm", "COLUMNS": "100"}) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)

    assert process.returncode == 0
    assert "━".encode() in shown
    assert b"labeling" in shown


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:  # What a terminal says when the other end is closed.
        return b""
