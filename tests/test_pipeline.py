"""From folders to a table: complete, the same however it is run, continued after any end."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, Folder, content_of
from spread import spread

from labeler import pipeline
from labeler.errors import NoPicturesError
from labeler.executors.cores import cores
from labeler.inference import bundle
from labeler.records import Faces, Redo, Row, Settings, Status
from labeler.tables import reader, resume, run_record
from labeler.tables.run_record import PART, beside


@pytest.fixture
def mixed(folder: Folder) -> Folder:
    """Forty pictures, some of them broken, in several folders."""
    for index in range(40):
        name = f"{index % 4}/{index:02}.jpg"
        if index % 7 == 3:
            folder.file(name, b"" if index % 2 else b"words")
        else:
            folder.noise(name, seed=index)
    return folder


def job(folder: Folder, out: Path, model: Path, **options: object) -> pipeline.Job:
    return pipeline.Job(inputs=(folder.path,), out=out, settings=Settings(model=str(model)), **options)  # type: ignore[arg-type]


@pytest.fixture
def expected(mixed: Folder, model: Path) -> list[Row]:
    return list(pipeline.label([mixed.path], Settings(model=str(model))))


@pytest.mark.parametrize("batch_size", [1, 7, 256])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_the_table_does_not_depend_on_batch_size_or_workers(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path, batch_size: int, workers: int
) -> None:
    out = tmp_path / "t.csv"
    pipeline.classify(job(mixed, out, model, workers=workers, batch_size=batch_size))

    assert list(reader.read(out)) == expected


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_rows_that_are_taken_over_stay_as_they_are_to_the_byte(
    mixed: Folder, model: Path, tmp_path: Path, suffix: str
) -> None:
    out, whole = (tmp_path / f"{name}{suffix}" for name in ("out", "whole"))
    pipeline.classify(job(mixed, out, model))
    mixed.noise("4/new.jpg", seed=99)
    for path in (out, whole):
        pipeline.classify(job(mixed, path, model))

    assert out.read_bytes() == whole.read_bytes()


def test_every_file_has_its_row_and_the_tally_adds_up(mixed: Folder, model: Path, tmp_path: Path) -> None:
    summary = pipeline.classify(job(mixed, tmp_path / "t.csv", model))
    tally = summary.tally

    assert tally.files == 40 == sum(tally.statuses.values())
    assert (tally.statuses[Status.OK], tally.failed, summary.exit_code) == (34, 6, 1)


def test_running_again_does_nothing_and_says_so(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    first = pipeline.classify(job(mixed, out, model))
    before = out.stat()
    again = pipeline.classify(job(mixed, out, model))

    assert (first.complete_before, again.complete_before) == (False, True)
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert again.tally.counts() == first.tally.counts()


def test_a_certificate_stays_with_the_rows_that_it_is_of(mixed: Folder, model: Path, tmp_path: Path) -> None:
    """A table that is only looked through keeps it; one that grows, is retried or made anew has none."""
    out = tmp_path / "t.csv"

    def certificate_after(**options: object) -> object:
        record = run_record.read(out)
        assert record
        run_record.write(out, replace(record, certificate={"sentence": "98.0% of the labels are right"}), "")
        pipeline.classify(job(mixed, out, model, **options))
        found = run_record.read(out)
        assert found
        return found.certificate

    pipeline.classify(job(mixed, out, model))
    assert certificate_after() == {"sentence": "98.0% of the labels are right"}
    assert certificate_after(redo=frozenset({Redo.CHANGED})) == {"sentence": "98.0% of the labels are right"}
    assert certificate_after(redo=frozenset({Redo.FAILED})) is None
    mixed.noise("0/new.jpg", seed=1000)
    assert certificate_after() is None
    assert certificate_after(overwrite=True) is None


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_pictures_that_come_later_are_added_to_a_complete_table(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"t{suffix}"
    pipeline.classify(job(mixed, out, model))
    mixed.noise("0/000.jpg", seed=1000)
    summary = pipeline.classify(job(mixed, out, model))

    assert [row.file for row in reader.read(out)] == ["0/00.jpg", "0/000.jpg", *(row.file for row in expected[1:])]
    assert (summary.tally.files, summary.tally.resumed) == (41, 40)


def test_pictures_that_have_gone_stay_in_the_table(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    pipeline.classify(job(mixed, out, model))
    (mixed.path / "0" / "00.jpg").unlink()
    pipeline.classify(job(mixed, out, model))

    assert list(reader.read(out)) == expected


def kill_again_and_again(command: Sequence[object], part: Path, step: int, times: int, seed: str) -> int:
    """Run a command so many times, killing it whenever its part has grown by up to ``step`` bytes; count the kills."""
    growth = random.Random(seed)
    kills = 0
    for _ in range(times):
        process = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
        enough = len(content_of(part)) + growth.uniform(0, step)
        while process.poll() is None and len(content_of(part)) < enough:
            time.sleep(0.0005)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    return kills


def outlast(folder: Folder, model: Path, out: Path, workers: int, kills: int) -> int:
    """Label, add pictures and retry, being killed in each; return the kills that went home.

    Raises AssertionError unless the table is that of runs which nobody has interrupted.
    """
    for index in range(300):
        name = f"{index % 5}/{index // 5:02}.jpg"  # So each name is in five folders.
        folder.noise(name, seed=index) if index % 7 else folder.file(name, b"words" * (index % 2))
    done, whole = 0, out.with_name(f"whole{out.suffix}")
    command = [sys.executable, "-m", "labeler", "classify", folder.path, "--model", model, "--batch-size", "1"]
    command += ["--workers", workers, "--retry-failed", "-q", "--out"]
    for round_ in ("first", "later", "mended"):
        if round_ == "later":
            for index in range(100):
                folder.noise(f"3/later {index}.jpg", seed=index)
        if round_ == "mended":
            for index in range(0, 300, 14):
                folder.noise(f"{index % 5}/{index // 5:02}.jpg", seed=1000 + index)
        redo = frozenset({Redo.FAILED} if round_ == "mended" else ())
        pipeline.classify(replace(job(folder, whole, model, workers=1), redo=redo))
        size = whole.stat().st_size if out.suffix != ".parquet" else 250 * 400
        given = [*command, out] if round_ == "mended" else [one for one in [*command, out] if one != "--retry-failed"]
        done += kill_again_and_again(given, Path(f"{out}.part"), size // kills, kills, f"{out.name}{workers}{round_}")
        finished = subprocess.run(list(map(str, given)), capture_output=True, check=False)

        assert (finished.returncode, finished.stderr) == (1, b"")
        assert list(reader.read(out)) == list(reader.read(whole))
        assert out.suffix == ".parquet" or out.read_bytes() == whole.read_bytes()
    return done


@pytest.mark.heavy
@pytest.mark.parametrize(("suffix", "workers"), [(".csv", 2), (".parquet", 1)])
def test_killed_while_labelling_adding_or_retrying_the_same_command_comes_to_the_same_table(
    folder: Folder, model: Path, tmp_path: Path, suffix: str, workers: int
) -> None:
    assert outlast(folder, model, tmp_path / f"t{suffix}", workers, kills=1) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_many_times_the_same_command_comes_to_the_same_table(
    folder: Folder,
    model: Path,
    tmp_path: Path,
    suffix: str,
    workers: int,
    record_property: Callable[[str, object], None],
) -> None:
    kills = outlast(folder, model, tmp_path / f"t{suffix}", workers, kills=5)
    record_property("kills", kills)

    assert kills >= 9  # Of 15: 54 over the six tables.


@pytest.mark.heavy
@pytest.mark.parametrize(("number", "workers"), spread([signal.SIGINT, signal.SIGTERM], ["1", "2"]))
def test_a_stopped_run_keeps_what_is_done_and_says_how_to_continue(
    folder: Folder, model: Path, tmp_path: Path, number: int, workers: str
) -> None:
    exit_code = 128 + number
    large = folder.noise("large.png", seed=1, side=1500)
    for index in range(119):
        os.link(large, folder.path / f"{index:03}.png")
    out = tmp_path / "t.csv"
    command = [sys.executable, "-m", "labeler", "classify", folder.path, "--out", out, "--model", model]
    process = subprocess.Popen(
        [*command, "--batch-size", "1", "--workers", workers, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # A job in the background ignores it.
    )
    part = tmp_path / "t.csv.part"
    while process.poll() is None and len(content_of(part)) <= 500:
        time.sleep(0.001)
    os.killpg(process.pid, number)
    stdout, stderr = process.communicate()

    assert (process.returncode, json.loads(stdout)["error"]["code"]) == (exit_code, exit_code)
    assert b"run the same command to continue" in stderr
    assert b"Traceback" not in stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert len(list(reader.read(out))) == 120


def test_no_pictures_is_an_error_of_its_own(folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.file("notes.txt")
    with pytest.raises(NoPicturesError, match=r"no photos in .*1 other files"):
        pipeline.classify(job(folder, tmp_path / "t.csv", model))


def test_progress_hears_of_every_batch(mixed: Folder, model: Path, tmp_path: Path) -> None:
    heard: list[int] = []
    pipeline.classify(
        job(mixed, tmp_path / "t.csv", model, workers=1, batch_size=10), lambda t, _: heard.append(t.files)
    )

    assert heard == [0, 10, 20, 30, 40, 40]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_progress_hears_of_a_finished_table_while_it_is_taken_over(
    folder: Folder, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(resume, "_TOLD_EVERY", 2)
    heard: list[tuple[int, int]] = []
    for number in range(7):
        folder.picture(f"{number}.png")
    for _ in range(2):
        heard.clear()
        pipeline.classify(
            job(folder, tmp_path / f"t{suffix}", model, workers=1), lambda t, _: heard.append((t.files, t.resumed))
        )

    assert heard == [(0, 0), (2, 2), (4, 4), (6, 6), (7, 7)]


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Return the processes that were forked to label, in no order."""
    found = []
    for path in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            found.append((int(fields["Pid"]), int(fields["PPid"])))
    servers = {pid for pid, parent in found if parent == process.pid}
    return [pid for pid, parent in found if parent in servers]


KILLER = """
import os, signal, sys

def die_of_it(event, arguments):
    if event == "open" and str(arguments[0]).endswith("killer.jpg"):
        os.kill(os.getpid(), signal.SIGSEGV)

sys.addaudithook(die_of_it)
"""
"""Loaded by every process of the command: whichever opens that photo is killed, as by a bug in a decoder."""


@pytest.mark.parametrize("batch_size", ["1", "3", "100"], ids=["alone", "among others", "in the only batch"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_photo_that_kills_the_process_that_reads_it_costs_one_row(
    folder: Folder, model: Path, tmp_path: Path, workers: str, batch_size: str
) -> None:
    for number in range(7):
        folder.noise(f"{number}.jpg", seed=number)
    expected = list(pipeline.label([folder.path], Settings(model=str(model))))
    folder.noise("killer.jpg", seed=7)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(KILLER)
    out = tmp_path / "t.csv"
    options = ["--model", str(model), "--workers", workers, "--batch-size", batch_size, "-q"]
    command = [sys.executable, "-m", "labeler", "classify", str(folder.path), "--out", str(out), *options]
    path = f"{hooks}{os.pathsep}{ROOT}"
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "PYTHONPATH": path})

    assert (done.returncode, done.stderr) == (1, b"")
    killer = Row("killer.jpg").without_label(Status.UNREADABLE, "reading it ended the process: SIGSEGV")
    assert list(reader.read(out)) == [*expected, killer]


@pytest.mark.heavy
@pytest.mark.parametrize("workers", ["1", "2"])
def test_workers_that_are_killed_cost_no_row(folder: Folder, model: Path, tmp_path: Path, workers: str) -> None:
    for index in range(300):
        folder.noise(f"{index:03}.jpg", seed=index, side=400)
    out = tmp_path / "t.csv"
    options = ["--model", str(model), "--faces", "whole", "--workers", workers, "--batch-size", "3", "-q"]
    command = [sys.executable, "-m", "labeler", "classify", str(folder.path), "--out", str(out), *options]
    chance = random.Random(0)
    killed = written = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            time.sleep(chance.uniform(0.02, 0.2))
            victims = workers_of(process)
            size = len(content_of(beside(out, PART)))
            if victims and killed < 5 and size > written:  # So no file is killed twice, however slow the machine is.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(victims), signal.SIGKILL)
                    killed += 1
                    written = size
    expected = pipeline.label([folder.path], Settings(model=str(model), faces=Faces.WHOLE))

    assert killed >= 2
    assert list(reader.read(out)) == list(expected)


def test_at_most_as_many_workers_start_as_memory_is_left_for(model: Path) -> None:
    card = bundle.card(model)

    assert pipeline.processes(0, card).workers == cores()
    assert pipeline.processes(0, replace(card, size=1 << 45)).workers == 1
    assert pipeline.processes(3, replace(card, size=1 << 45)).workers == 3
