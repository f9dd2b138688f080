"""Measure the order *alike* of `labeler review`: keys for each face, beside other orders; and what its codes lose.

    python benchmarks/alike.py fer2013/valid fer2013/ferplus.csv --classes \\
      anger=angry,disgust=disgust,fear=fear,happiness=happy,neutral=neutral,sadness=sad,surprise=surprise

DATA is a directory of class folders, which is classified and arranged; TRUTH is a table of labels or votes for the same
photos. Those without a single winner are not counted. The class folders themselves are a second, rougher truth.

A screen has 100 faces of one predicted label; it is pure where at least 95% or at most 5% of it are right. Accepted as
it is, it takes one key; k wrong ones of c classes take k marks, c keys, and one for the rest. Where a key marks all at
once, most of a wrong screen needs no marks: the last column. ``--million`` measures a million faces instead.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from audit import truth_of
from numpy.typing import NDArray
from processes import LABELER

from labeler.inference import bundle
from labeler.records import Row
from labeler.review.alike import Alike
from labeler.review.arrangement import arranged
from labeler.review.codes import DIMENSIONS
from labeler.review.task import Task
from labeler.tables import reader

SCREEN = 100
Order = NDArray[np.int64]


def ranks_of(table: Path, root: Path) -> NDArray[np.int32]:
    """Prepare the order alike, and say how long that takes."""
    began = time.perf_counter()
    model, cache = str(bundle.find("")), f"{table}.cache"
    alike = Alike.begin(Task(table=str(table), model=model, root=str(root), folder=cache, max_pixels=10**8))
    while alike.state == "running":
        time.sleep(0.1)
    alike.close()
    if alike.ranks is None:
        sys.exit(alike.problem)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"prepared in {seconds:.1f} s, {len(alike.ranks) / seconds:.0f} faces/s; peak of a process {peak} MB")
    return alike.ranks


def orders(rows: list[Row], ranks: NDArray[np.int32]) -> dict[str, Order]:
    """Return the orders to compare."""
    shares = np.array([row.probabilities for row in rows])
    best = np.sort(shares, axis=1)
    return {
        "random": np.random.default_rng(0).permutation(len(rows)),
        "surest": np.argsort(-best[:, -1], kind="stable"),
        "least sure": np.argsort(best[:, -1], kind="stable"),
        "margin": np.argsort(best[:, -1] - best[:, -2], kind="stable"),
        "second class, then surest": np.lexsort((-best[:, -1], np.argsort(shares, axis=1)[:, -2])),
        "alike": np.argsort(ranks),
    }


def screens(rows: list[Row], order: Order, truth: Mapping[str, str]) -> Iterator[list[tuple[str, str]]]:
    """Yield the screens of each label as pairs of label and truth."""
    for label in sorted({row.label for row in rows}):
        shown = [rows[at] for at in order.tolist() if rows[at].label == label and rows[at].file in truth]
        for at in range(0, len(shown), SCREEN):
            yield [(label, truth[row.file]) for row in shown[at : at + SCREEN]]


def keys(screen: list[tuple[str, str]], *, mark_all: bool = False) -> int:
    """Return the fewest keys that a screen takes."""
    wrong = Counter(true for label, true in screen if true != label)
    if not wrong:
        return 1
    one_by_one = wrong.total() + len(wrong) + 1
    (_, most), *_ = wrong.most_common(1)
    return min(one_by_one, 1 + len(screen) - most + len(wrong) + 1) if mark_all else one_by_one


def compare(rows: list[Row], ranks: NDArray[np.int32], truth: Mapping[str, str], title: str) -> None:
    """Print a line for each order."""
    counted = [row for row in rows if row.file in truth]
    wrong = sum(truth[row.file] != row.label for row in counted)
    print(f"\n{title}: {len(counted):,} faces, {1 - wrong / len(counted):.1%} right; a mark for each wrong one is")
    print(f"{wrong / len(counted):.4f} keys a face in any order\n")
    print("| order | pure screens | keys a face | where a key marks all |\n|---|---|---|---|")
    for name, order in orders(rows, ranks).items():
        found = list(screens(rows, order, truth))
        whole = [sum(true != label for label, true in screen) for screen in found if len(screen) == SCREEN]
        pure = np.mean([not 5 < count < 95 for count in whole])
        plain, marked = (sum(keys(one, mark_all=all_) for one in found) / len(counted) for all_ in (False, True))
        print(f"| {name} | {pure:.1%} of {len(whole)} | {plain:.4f} | {marked:.4f} |")


def million() -> None:
    """Print how long a million faces take to arrange, and a view of them to sort."""
    generator, count = np.random.default_rng(0), 1_000_000
    codes = generator.integers(-127, 128, (count, DIMENSIONS), np.int8)
    shares = generator.dirichlet(np.ones(7), count).astype(np.float32)
    began = time.perf_counter()
    order = arranged(codes, np.ones(DIMENSIONS, np.float32), shares).astype(np.int32)
    print(f"arranged in {time.perf_counter() - began:.1f} s")
    for size in (1_000_000, 300_000, 10_000):
        wanted = np.zeros(count, np.bool_)
        wanted[generator.choice(count, size, replace=False)] = True
        began = time.perf_counter()
        order[wanted[order]]
        print(f"a view of {size:,} sorted in {1000 * (time.perf_counter() - began):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("truth", type=Path, nargs="?")
    parser.add_argument("--classes", default="")
    parser.add_argument("--table", type=Path, help="a table of DATA that is there already")
    parser.add_argument("--million", action="store_true")
    given = parser.parse_args()
    if given.million:
        million()
        return
    with tempfile.TemporaryDirectory() as folder:
        table = given.table or Path(folder) / "t.csv"
        if not given.table:
            subprocess.run([*LABELER, "classify", given.data, "--out", table, "-q"], check=True)
        ranks = ranks_of(table, given.data)
        rows = list(reader.read(table))
        compare(rows, ranks, truth_of(given.data, given.truth, given.classes), given.truth.name)
        compare(rows, ranks, {row.file: row.file.partition("/")[0] for row in rows}, "class folders")


if __name__ == "__main__":
    main()
