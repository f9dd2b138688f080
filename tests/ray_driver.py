"""A driver of the Ray engine, for tests that kill it, its actors and its nodes.

python ray_driver.py ADDRESS FOLDER UNITS SECONDS [FIRST...]

It works on the units of which no file is in FOLDER. Each puts one file if absent and takes SECONDS in a supervised
process below its actor. A unit that is named behind SECONDS ends that process. A line on stdout tells
each answer as JSON. ADDRESS "private" is a cluster of its own.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import ray_work

from labeler.cli import engine
from labeler.errors import LabelerError, OutputError


def main(address: str, folder: str, units: str, seconds: str, *ending: str) -> None:
    done = set(os.listdir(folder)) if Path(folder).exists() else set()
    left = [unit for unit in range(int(units)) if f"{unit:08}" not in done]
    executor = engine.ray_data(None if address == "private" else address)
    make = partial(ray_work.make_work, folder, float(seconds), frozenset(ending))
    with executor.started() as answers:
        for answer in answers(make, left):
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (LabelerError, KeyboardInterrupt) as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        sys.exit(OutputError.exit_code if isinstance(exc, OutputError) else 2)
