"""Fuzz everything that reads files: a mutated file must give an error, not a crash, a hang or unlimited memory.

    python tests/fuzz.py --minutes 5 --seed 1 --files DIR

Each file is read in a child process under limits, and a file that breaks them is kept. Target, seed, number and source
files decide a mutation. Why not atheris, whose wheels exist for some Pythons on Linux: it is guided by the coverage of
code instrumented for it, and the codecs of Pillow, OpenCV and pyarrow are not.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from mutations import mutated
from sound_files import File, bundle_files, pictures, table_files

from labeler import storage
from labeler.errors import LabelerError
from labeler.images.crop import crop
from labeler.images.picture import ImageError
from labeler.images.read import read
from labeler.inference import bundle
from labeler.records import Face, Status, View
from labeler.tables import reader, run_record

LARGEST_FILE = 300_000
"""Upper limit on the size of a file to mutate, in bytes: in the same time more small files are tried."""


class Limits(NamedTuple):
    """Upper limits on reading one file. A sound one takes far less than a second."""

    seconds: float = 30.0
    memory: int = 1 << 30
    """Bytes beyond what the process had before."""


LIMITS = Limits()


class Finding(NamedTuple):
    """A file that broke a promise, and how; it is kept where `--out` says."""

    number: int
    name: str
    what: str


@dataclass
class Report:
    """The results."""

    tried: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    """How often each answer came: `read`, or the kind of an expected error."""
    findings: list[Finding] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, 0)
    """Seconds, and the number of the file that took them."""
    most_memory: tuple[int, int] = (0, 0)
    """Bytes beyond what the process had before, and the number of the file that took them."""


def read_picture(path: Path) -> str:
    """Read an image as `classify` does, and crop it."""
    try:
        picture = read(storage.at(""), os.fspath(path), 64, 1280, 100_000_000)[0]
    except ImageError as exc:
        return exc.status if exc.reason else "without a reason"
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.ndim == 3
    assert picture.width * picture.height <= 100_000_000
    assert crop(picture, Face(0, 0, picture.width, picture.height), View(64)).shape == (64, 64, 3)
    return "read"


def read_table(path: Path) -> str:
    """Read a table in every way: row by row, as a DataFrame, as labels or votes; and its run record."""
    from labeler.tables import dataframe, labels

    ways: tuple[Callable[[Path], object], ...] = (_rows, dataframe.read, labels.Table, run_record.read)
    answers = [_answer(way, path) for way in ways]
    return "read" if "read" in answers[:3] else answers[0]


def read_bundle(path: Path) -> str:
    """Read the card of a bundle."""
    return _answer(bundle.card, path)


def _answer(way: Callable[[Path], object], path: Path) -> str:
    try:
        way(path)
    except LabelerError as exc:
        return type(exc).__name__ if len(str(exc)) < 1000 else "too long an error"
    return "read"


def _rows(path: Path) -> None:
    for row in reader.read(path):
        assert isinstance(row.file + row.label + row.reason, str)
        assert isinstance(row.status, Status)


Read = Callable[[Path], str]
"""Reads a file; returns `read`, or the kind of an expected error. Any exception it raises is a bug."""


class Target(NamedTuple):
    """A reader to fuzz, and sound files that it reads."""

    read: Read
    files: Callable[[], Iterator[File]]


TARGETS = {
    "pictures": Target(read_picture, pictures),
    "tables": Target(read_table, table_files),
    "bundles": Target(read_bundle, bundle_files),
}


def damaged(files: Sequence[File], seed: int, number: int) -> File:
    """Return the mutated file of a number."""
    random = Random(f"{seed}:{number}")
    file, other = random.choice(files), random.choice(files)
    return File(file.name, mutated(file.content, other.content, random))


def hunt(
    read: Read, files: Sequence[File], seed: int, numbers: range, until: float = float("inf"), limits: Limits = LIMITS
) -> Report:
    """Have the mutated files of some numbers read, until a time of `time.monotonic`."""
    report = Report()
    begin, suspect = numbers.start, -1
    while begin < numbers.stop and time.monotonic() < until:
        work = _Work(read, files, seed, range(begin, numbers.stop), limits)
        begin, hung = _watch(report, work, until)
        if hung and begin == suspect:
            _count(report, begin, work, "broken", f"hang: longer than {limits.seconds:g} s, twice", limits.seconds, 0)
            begin += 1
        elif hung:  # The machine may be busy: the file counts only if it hangs once more, read first.
            suspect = begin
    return report


class _Work(NamedTuple):
    """The work of one child process."""

    read: Read
    files: Sequence[File]
    seed: int
    numbers: range
    limits: Limits


def _watch(report: Report, work: _Work, until: float) -> tuple[int, bool]:
    """Follow one child until it ends or has to be killed; return the next number, and whether the child hung there."""
    spawn = multiprocessing.get_context("spawn")  # A forked child would inherit the locks of pyarrow's threads.
    ours, theirs = spawn.Pipe(duplex=False)
    child = spawn.Process(target=_read_all, args=(work, theirs), daemon=True)
    child.start()
    theirs.close()
    number, hung = work.numbers.start, False
    try:
        ours.recv()  # Its imports are done.
        while time.monotonic() < until and number < work.numbers.stop and not hung:
            if ours.poll(work.limits.seconds):
                _count(report, number, work, *ours.recv())
                number += 1
            else:
                hung = True
    except EOFError:
        child.join()
        _count(report, number, work, "broken", f"crash: the process ended with {child.exitcode}", 0.0, 0)
        number += 1
    child.kill()
    child.join()
    return number, hung


def _count(report: Report, number: int, work: _Work, answer: str, what: str, seconds: float, memory: int) -> None:
    report.tried += 1
    report.answers[answer] += 1
    report.slowest = max(report.slowest, (seconds, number))
    report.most_memory = max(report.most_memory, (memory, number))
    if memory > work.limits.memory:
        what = what or f"memory: {memory:,} bytes"
    if what:
        report.findings.append(Finding(number, damaged(work.files, work.seed, number).name, what))


def _read_all(work: _Work, results: Connection) -> None:
    """Read the mutated files, and send for each: the answer, what is wrong with it, the seconds and the bytes."""
    _limit_memory()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # The codecs' warnings.
    with tempfile.TemporaryDirectory() as folder:
        _tried(work.read, Path(folder, "missing.csv"))  # Deferred imports happen now.
        results.send("ready")
        for number in work.numbers:
            file = damaged(work.files, work.seed, number)
            path = Path(folder, file.name)
            path.write_bytes(file.content)
            before, began = _memory(), time.perf_counter()
            answer, what = _tried(work.read, path.with_name(file.name.removesuffix(".run.json")))
            seconds, memory = time.perf_counter() - began, max(_memory(peak=True) - before, 0)
            results.send((answer, what, seconds, memory))
            path.unlink()


def _tried(read: Read, path: Path) -> tuple[str, str]:
    try:
        return read(path), ""
    except Exception as exc:  # noqa: BLE001 - bugs are what is looked for
        place = traceback.extract_tb(exc.__traceback__)[-1]
        return "bug", f"{type(exc).__name__} at {Path(place.filename).name}:{place.lineno}: {str(exc)[:200]}"


def _memory(*, peak: bool = False) -> int:
    """Return this process's resident memory in bytes, or its peak since the last call without ``peak``; Linux only."""
    if not sys.platform.startswith("linux"):
        return 0
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _limit_memory() -> None:
    """Limit address space and core dumps, so that this machine survives whatever is found."""
    if sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _below(folder: Path) -> Iterator[File]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size <= LARGEST_FILE:
            yield File(path.name, path.read_bytes())


def main() -> int:
    """Fuzz as the options say; return 1 if something was found."""
    parser = argparse.ArgumentParser(description="Damage files and have them read.")
    parser.add_argument("--target", choices=TARGETS, action="append", help="what to fuzz; all when not given")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target")
    parser.add_argument("--count", type=int, default=1 << 60, help="upper limit on damaged files for each target")
    parser.add_argument("--seed", type=int, default=0, help="another seed makes other files")
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--files", type=Path, action="append", default=[], help="images to damage, besides our own")
    parser.add_argument("--out", type=Path, default=Path("fuzz"), help="folder for the files that broke something")
    options = parser.parse_args()
    found = 0
    for name in options.target or TARGETS:
        files = list(TARGETS[name].files())
        if name == "pictures":
            files += [file for folder in options.files for file in _below(folder)]
        numbers = range(options.first, options.first + options.count)
        report = hunt(TARGETS[name].read, files, options.seed, numbers, time.monotonic() + 60 * options.minutes)
        found += len(report.findings)
        print(f"{name}: {report.tried:,} damaged files made of {len(files):,}: {json.dumps(report.answers)}")
        (seconds, slowest), (memory, largest) = report.slowest, report.most_memory
        print(f"  slowest {seconds:.2f} s (number {slowest}), most memory {memory / 1e6:.0f} MB (number {largest})")
        for finding in report.findings:
            kept = options.out / name / f"{options.seed}-{finding.number}-{finding.name}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(damaged(files, options.seed, finding.number).content)
            print(f"  FOUND {kept}: {finding.what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
