"""Measure `labeler classify` on a bucket beside the local disk: crops in shards, bare crops, photos, and a listing.

The bucket is a light server on loopback that answers each request after 20 ms, see bucket_server.py. Its processor time
is taken from the same cores: it stands in a column of its own, and the time that a run would have taken without it is
the wall time less its share of the cores.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import crops
import photographs
import pyarrow
import pyarrow.parquet
from contenders import Contender, rounded
from options import Options
from processes import LABELER, ROOT, cpu_s, finish, warm
from report import DOCUMENTED, MEGABYTES, SECONDS, SHARE, SHIPPED, Goal, at_least, at_most, print_goals, print_section

from labeler.executors.cores import cores

LATENCY_MS = 20
SHARDS, TIMES = 6, 5
"""Shards of the crops, and how often each crop is there."""

SHARD_GOAL, PHOTO_GOAL = 0.95, 0.90
OBJECT_GOAL = 4_000.0
LISTED, QUICK_LISTED = 10_000_000, 100_000
LISTING_GOAL_S, LISTING_GOAL_MB = 120.0, 100.0

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_REGION": "us-east-1"}

LISTING = """
from labeler.sources import Source
peak = lambda: int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
source = Source([{address!r}])
source.store.version("any")
before = peak()
print(sum(len(page.names) for page in source.listed()), peak() - before)
"""
"""A process that lists, and prints how many names there are, and its peak memory above that before."""


@dataclass
class Served(Contender):
    """A contender, and the processor time that the server took in each of its runs."""

    server: Server | None = None
    served_s: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        """Run once."""
        before = self.server.cpu_s() if self.server else 0.0
        Contender.take_turn(self)
        self.served_s.append((self.server.cpu_s() if self.server else 0.0) - before)

    @property
    def seconds(self) -> float:
        """Return the median of the wall times without the server's share of the cores."""
        return statistics.median(
            run.seconds - served / cores() for run, served in zip(self.runs, self.served_s, strict=True)
        )

    @property
    def cpu_us(self) -> float:
        """Return the client's processor time for an image in microseconds."""
        return 1e6 * statistics.median(run.cpu_s for run in self.runs) / self.count


class Server:
    """A running server."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.process = process
        self.port = int(process.stdout.readline())

    def address(self, prefix: str = "") -> str:
        """Return the address of a prefix."""
        return f"s3://bucket/{prefix}?endpoint=http://127.0.0.1:{self.port}"

    def cpu_s(self) -> float:
        """Return the processor time that it has taken."""
        return cpu_s(self.process.pid)


@contextmanager
def served(folder: Path, latency_ms: float = LATENCY_MS, generated: int = 0) -> Iterator[Server]:
    """Serve a folder as a bucket."""
    script = [sys.executable, str(ROOT / "benchmarks" / "bucket_server.py"), str(folder)]
    options = ["--latency-ms", str(latency_ms), "--generated", str(generated)]
    with subprocess.Popen([*script, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Server(process)
        finally:
            process.terminate()


def measure(options: Options) -> list[Goal]:
    """Measure all, each beside the same files on the local disk."""
    os.environ.update(CREDENTIALS)
    return [*in_shards(options), *bare_crops(options), *bare_photos(options), *listing(options)]


def in_shards(options: Options) -> list[Goal]:
    """Label crops in tar and Parquet shards, in both places, and in a single table beside a directory of parts."""
    files = crops.files(crops.tree(options))
    folder = options.scratch / "shards"
    for kind, make in (("tar", make_tar), ("parquet", make_parquet)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(SHARDS):
            made = folder / kind / f"{number}.{kind}"
            make(made, files[number::SHARDS])
            for copy in range(1, TIMES):
                os.link(made, made.with_stem(f"{number}-{copy}"))
    grown, count = grown_crops(options), TIMES * len(files)
    warm(folder.rglob("*.*"))
    print_section(
        "Shards of crops, from a bucket", f"{count:,} crops in {SHARDS * TIMES} shards, or a file each", DOCUMENTED
    )
    goals = []
    with served(folder) as server:
        contenders = {}
        for kind in ("tar", "parquet"):
            local = contender(f"{kind}, local", str(folder / kind), count, options)
            remote = contender(f"{kind}, bucket", server.address(kind), count, options, server)
            contenders[kind] = (local, remote)
        table = contender("files to CSV, local", str(grown), count, options, table="rows.csv")
        parts = contender("files to parts, local", str(grown), count, options)
        every = [one for pair in contenders.values() for one in pair] + [table, parts]
        turns(every, options)
    for kind, (local, remote) in contenders.items():
        goals.append(at_least(f"{kind} shards", "beside the local disk", SHARD_GOAL, remote.rate / local.rate, SHARE))
    goals.append(at_least("a directory of parts", "beside CSV", 1.0, parts.rate / table.rate, SHARE))
    print_goals(goals)
    return goals


def bare_crops(options: Options) -> list[Goal]:
    """Label crops that are an object each."""
    folder = grown_crops(options)
    count = TIMES * len(crops.files(crops.tree(options)))
    print_section("Bare objects of 3 KB, from a bucket", f"{count:,} crops", DOCUMENTED)
    with served(folder) as server:
        local = contender("local", str(folder), count, options)
        remote = contender("bucket", server.address(), count, options, server)
        turns([local, remote], options)
    goals = [at_least("bare objects of 3 KB", "objects/s", OBJECT_GOAL, remote.rate, "{:,.0f}")]
    print_goals(goals)
    return goals


def bare_photos(options: Options) -> list[Goal]:
    """Label photos of 12 megapixels that are an object each."""
    folder = options.scratch / "portraits"
    made = photographs.large(options, options.size(450, 6), folder)
    warm(made)
    megabytes = statistics.fmean(file.stat().st_size for file in made) / 1e6
    print_section("Photos from a bucket", f"{len(made)} JPEGs of 12 megapixels, {megabytes:.1f} MB each", SHIPPED)
    with served(folder) as server:
        local = contender("local", str(folder), len(made), options, model="default")
        remote = contender("bucket", server.address(), len(made), options, server, model="default")
        turns([local, remote], options)
    goals = [at_least("photos of 3 MB", "beside the local disk", PHOTO_GOAL, remote.rate / local.rate, SHARE)]
    print_goals(goals)
    return goals


def listing(options: Options) -> list[Goal]:
    """List a bucket of many objects: a process that prints how many there are, and its peak memory above its start."""
    count = options.size(LISTED, QUICK_LISTED)
    print_section("A listing", f"{count:,} generated keys in folders of 1,000, no latency", "no network runs")
    with served(options.scratch, 0, count) as server:
        script = LISTING.format(address=server.address("photos"))
        out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
        listed, peak_mb = out.stdout.split()
        assert int(listed) == count
        run = finish([sys.executable, "-c", script])
        print(
            f"{run.seconds:.1f} s, {run.cpu_s:.1f} s of it processor time; the server's {server.cpu_s() / 2:.1f} s.\n"
        )
    goals = [
        at_most(f"{count:,} keys", "listing", LISTING_GOAL_S, run.seconds, SECONDS),
        at_most(f"{count:,} keys", "memory above the start", LISTING_GOAL_MB, float(peak_mb), MEGABYTES),
    ]
    print_goals(goals)
    return goals


def grown_crops(options: Options) -> Path:
    """Return a folder in which each crop is several times; the first call makes it."""
    folder = options.scratch / "grown_crops"
    if not folder.exists():
        files = crops.files(crops.tree(options))
        for number in range(TIMES):
            crops.link(files, len(files), folder / str(number))
    return folder


def contender(
    name: str,
    photos: str,
    count: int,
    options: Options,
    server: Server | None = None,
    model: str = "documented",
    table: str = "parts/",
) -> Served:
    """Return labeler on photos, into a new directory of parts or a table.

    Of a bucket it has as many workers as by default: more than cores.
    """
    out = str(options.scratch / table.rstrip("/")) + ("/" if table.endswith("/") else "")
    faces = ("--faces", "whole") if model == "documented" else ()
    command = [*LABELER, "classify", photos, "--out", out, "--quiet", "--model", model, *faces]
    anew = [sys.executable, str(ROOT / "benchmarks" / "anew_script.py"), out]
    overwrite = [] if table.endswith("/") else ["--overwrite"]
    workers = [] if server else ["--workers", str(options.workers)]
    return Served(name, [*anew, *command, *overwrite, *workers], count, server=server)


def turns(contenders: Iterable[Served], options: Options) -> None:
    """Run all in turn, and print their times."""
    every = list(contenders)
    for number in range(options.repetitions):
        for one in every:
            print(f"  {number + 1} of {options.repetitions}: {one.name}", file=sys.stderr)
            one.take_turn()
    print("| whole process | median s | images/s | client's processor time, us an image | server's, s | every run, s |")
    print("|---|---|---|---|---|---|")
    for one in every:
        runs = ", ".join(f"{run.seconds:.2f}" for run in one.runs)
        server = f"{statistics.median(one.served_s):.2f}" if one.server else ""
        print(f"| {one.name} | {one.seconds:.2f} | {rounded(one.rate)} | {one.cpu_us:,.0f} | {server} | {runs} |")
    print("\nThe server's share of the cores is in every run, and not in the median and the rate.\n")


def make_tar(path: Path, files: list[Path]) -> None:
    """Write a tar of some crops."""
    with tarfile.open(path, "w") as tar:
        for file in files:
            tar.add(file, f"{file.parent.name}/{file.name}")


def make_parquet(path: Path, files: list[Path]) -> None:
    """Write a Parquet file of some crops, as Hugging Face's datasets does."""
    images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
    pyarrow.parquet.write_table(pyarrow.table({"image": images}), path, row_group_size=1000)
