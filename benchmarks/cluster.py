"""Measure what a run past one machine costs: Ray beside the local engine, and a directory of 1e9 photos continued."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import crops
from contenders import rounded
from options import Options
from processes import LABELER, ROOT, environment, finish
from report import (
    DOCUMENTED,
    MEGABYTES,
    NO_NETWORK,
    SECONDS,
    SHARE,
    Goal,
    at_least,
    at_most,
    print_goals,
    print_section,
)

from labeler.parts.plan import Done, Plan
from labeler.records import Tally
from labeler.tables import parquet, parts
from labeler.tables.run_record import PLAN

CROPS, UNIT, QUICK_UNIT = 300_000, 10_000, 200
START_GOAL_S = 12.0

UNITS, QUICK_UNITS = 100_000, 1_000
"""Units of the directory of 1e9 photos."""

LEFT, LEFT_FILES = 2, 2
"""How many of its units are left, and photos in each of these."""

RESUME_GOAL_S, RESUME_GOAL_MB = 30.0, 200.0


@dataclass
class Engine:
    """An engine, and what was measured of each of its runs."""

    name: str
    options: tuple[str, ...]
    workers: int
    rates: list[float] = field(default_factory=list)
    starts_s: list[float] = field(default_factory=list)
    whole_s: list[float] = field(default_factory=list)

    def take_turn(self, photos: Path, out: Path, unit: int) -> None:
        """Label photos into a new directory; the times at which its parts came tell the rest."""
        shutil.rmtree(out, ignore_errors=True)
        command = [*LABELER, "classify", str(photos), "--out", f"{out}/", "--quiet", "--model", "documented"]
        command += ["--faces", "whole", "--unit-size", str(unit), *self.options]
        began = time.time()
        subprocess.run(command, cwd=ROOT, env=environment(), check=True, stdout=subprocess.DEVNULL)
        self.whole_s.append(time.time() - began)
        came = sorted(file.stat().st_mtime for file in (out / parts.PARTS).glob("*.parquet"))
        first = min(self.workers, len(came) - 1)
        rate = (len(came) - first) * unit / (came[-1] - came[first - 1])
        self.rates.append(rate)
        self.starts_s.append(came[0] - began - first * unit / rate)

    @property
    def rate(self) -> float:
        """Return the median of images per second, once it runs: from the first part of each worker to the last."""
        return statistics.median(self.rates)

    @property
    def start_s(self) -> float:
        """Return the median of the seconds before it runs: until the first part, without the labelling of it."""
        return statistics.median(self.starts_s)


def measure(options: Options) -> list[Goal]:
    """Measure all."""
    return [*ray_beside_local(options), *resumed(options)]


def ray_beside_local(options: Options) -> list[Goal]:
    """Label crops in units with both engines, on the same cores."""
    unit = options.size(UNIT, QUICK_UNIT)
    count = options.size(CROPS, 10 * QUICK_UNIT)
    photos = options.scratch / "many_crops"
    crops.link(crops.files(crops.tree(options)), count, photos)
    print_section("Ray beside the local engine", f"{count:,} crops in units of {unit:,}", DOCUMENTED)
    engines = [
        Engine("local", ("--workers", str(options.workers)), 1),
        Engine("ray", ("--engine", "ray", "--workers", str(options.workers)), options.workers),
    ]
    for number, engine in itertools.product(range(options.repetitions), engines):
        print(f"  {number + 1} of {options.repetitions}: {engine.name}", file=sys.stderr)
        engine.take_turn(photos, options.scratch / "engine_parts", unit)
    local, ray = engines
    print("| engine | images/s once it runs | start-up, s | whole process, s | every rate |\n|---|---|---|---|---|")
    for one in engines:
        rates = ", ".join(map(rounded, one.rates))
        whole = statistics.median(one.whole_s)
        print(f"| {one.name} | {rounded(one.rate)} | {one.start_s:.1f} | {whole:.1f} | {rates} |")
    print()
    goals = [
        at_least("Ray on the same cores", "beside the local engine, once it runs", 1.0, ray.rate / local.rate, SHARE),
        at_most("Ray", "start-up", START_GOAL_S, ray.start_s, SECONDS),
    ]
    print_goals(goals)
    return goals


def resumed(options: Options) -> list[Goal]:
    """Continue a directory in which some units of many are left; then ask for it again, complete."""
    units = options.size(UNITS, QUICK_UNITS)
    print_section("A directory of 1e9 photos, continued", f"{units:,} parts, {LEFT} of them left", NO_NETWORK)
    photos = [str(ROOT / "examples" / "photos" / name) for name in ("faces", "portraits")]
    command = ["classify", *photos, "--out", f"{options.scratch / 'billion'}/", "--quiet"]
    command += ["--unit-size", str(LEFT_FILES), "--limit", str(LEFT * LEFT_FILES), "--workers", str(options.workers)]
    make_billion(options.scratch / "billion", command, units)
    left, nothing = ([finish([*LABELER, *command])] for _ in range(2))
    for name, (run,) in (("continued", left), ("asked for again", nothing)):
        print(f"- {name}: {run.seconds:.1f} s, {run.cpu_s:.1f} s of it processor time, {run.own_peak_mb:.0f} MB.")
    print()
    (run,) = left
    goals = [
        at_most(f"{units:,} parts", "continued", RESUME_GOAL_S, run.seconds, SECONDS),
        at_most(f"{units:,} parts", "peak memory", RESUME_GOAL_MB, run.own_peak_mb, MEGABYTES),
    ]
    print_goals(goals)
    return goals


def make_billion(out: Path, command: list[str], units: int) -> None:
    """Plan a few photos, and grow the plan to many units, of which all but those planned are done.

    The parts that are done have no rows; what they say of themselves is as that of 10,000 files.
    """
    finish([*LABELER, *command, "--plan-only"])
    plan = Plan.of_json((out / PLAN).read_bytes(), str(out))
    assert plan.units == LEFT
    places = [7, units - 1]
    for unit, place in reversed(list(enumerate(places))):
        folder = out / parts.MANIFEST / plan.plan
        os.rename(folder / f"{unit:08}.parquet", folder / f"{place:08}.parquet")
    files = [LEFT_FILES if unit in places else UNIT for unit in range(units)]
    (out / PLAN).write_text(json.dumps({**json.loads(plan.as_json()), "unit_files": files, "files": sum(files)}))
    tally = Tally(files=UNIT, faces=UNIT)
    tally.statuses["ok"] = tally.labels["happy"] = UNIT
    for unit in set(range(units)) - set(places):
        said = json.dumps(asdict(Done.of(plan.plan, unit, tally)))
        (out / parts.part(unit)).write_bytes(parquet.part([], plan.record, said))
