"""Measure everything that is promised, side by side, and write the figures to a file: `make bench`.

    python benchmarks/run.py [PART ...] [--out RESULTS.md] [--repetitions 3] [--quick]

The parts are crops, networks, one, scaled, growth, training, faces, photos, remote, cluster, pages, exports and review.
Without a name all of them run, and their output becomes benchmarks/RESULTS.md. Needs the extra `train`; the parts
remote, cluster and review the extras remote, ray and review, and review chromium. The inputs are made in a temporary
folder (2 GB; TMPDIR chooses it), from the files in --data, or generated. It takes about an hour on two cores; let
nothing else run meanwhile.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import classify
import cluster
import exports
import faces
import growth
import learning
import networks
import one_picture
import pages
import photos
import remote
import review
import scaled_decode
from options import Options
from processes import ROOT
from report import Goal, Kept, print_machine, print_summary

PARTS: dict[str, Callable[[Options], list[Goal]]] = {
    "crops": classify.measure,
    "networks": networks.measure,
    "one": one_picture.measure,
    "scaled": scaled_decode.measure,
    "growth": growth.measure,
    "training": learning.measure,
    "faces": faces.measure,
    "photos": photos.measure,
    "remote": remote.measure,
    "cluster": cluster.measure,
    "pages": pages.measure,
    "exports": exports.measure,
    "review": review.measure,
}

RESULTS = ROOT / "benchmarks" / "RESULTS.md"
HEAD = """# What was measured

`make bench` writes this anew. A figure is the median of several whole processes that took turns, and the load of the
machine stands beside it. Nothing here is a test. What the figures taught is in [LESSONS.md](LESSONS.md).
"""


def main() -> None:
    """Measure what the arguments ask for, print it and keep it."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            data=arguments.data.resolve(),
            scratch=Path(folder),
            run=arguments.run and arguments.run.resolve(),
            repetitions=arguments.repetitions,
            workers=arguments.workers,
            quick=arguments.quick,
            fer=arguments.fer,
            npm=arguments.npm and arguments.npm.resolve(),
            profiler=arguments.profiler,
            fiftyone=arguments.fiftyone,
            detectors=tuple(arguments.detector),
        )
        text = measured(arguments.part or PARTS, options)
    kept_by_default = RESULTS if not (arguments.part or arguments.quick) else None
    if out := arguments.out or kept_by_default:
        write(out, text)


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--out", type=Path, help="file for the figures; by default RESULTS.md, if all parts run")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything works")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="fer2013/ and photos/")
    parser.add_argument("--run", type=Path, help="run directory of `labeler train`; by default one epoch is trained")
    parser.add_argument("--fer", metavar="PYTHON", default="", help="an interpreter that has the package fer")
    parser.add_argument("--npm", metavar="DIR", type=Path, help="a folder with the npm packages face-api and human")
    parser.add_argument("--profiler", metavar="PYTHON", default="", help="an interpreter that has ydata-profiling")
    parser.add_argument("--fiftyone", metavar="PYTHON", default="", help="an interpreter that has fiftyone")
    parser.add_argument("--detector", action="append", default=[], help="a detector to measure, in YuNet's format")
    arguments = parser.parse_args()
    if unknown := set(arguments.part) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return arguments


def measured(parts: Iterable[str], options: Options) -> str:
    """Run some parts; print their output, and return it with the goals first."""
    head, sections, summary = (Kept(sys.stdout) for _ in range(3))
    with contextlib.redirect_stdout(head):
        print(HEAD)
        print_machine(options)
    goals: list[Goal] = []
    with contextlib.redirect_stdout(sections):
        for part in parts:
            print(f"measuring {part} ...", file=sys.stderr)
            goals += PARTS[part](options)
    with contextlib.redirect_stdout(summary):
        print_summary(goals)
    texts = (kept.getvalue() for kept in (head, summary, sections))
    return "".join(texts).rstrip() + "\n"


def write(path: Path, text: str) -> None:
    """Write a file atomically."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


if __name__ == "__main__":
    main()
