"""Measure `labeler audit`: the share of flagged labels that a second opinion calls wrong, beside that of all labels.

    python benchmarks/audit.py fer2013/valid fer2013/ferplus.csv --without-copies-of fer2013/train --classes \\
      anger=angry,disgust=disgust,fear=fear,happiness=happy,neutral=neutral,sadness=sad,surprise=surprise

DATA is a directory of class folders, whose labels `labeler audit` judges; TRUTH is a table of labels or votes for the
same photos. Photos without a single winner in TRUTH are not counted, nor are those that the model may have been trained
on. Needs the extra `audit`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from processes import LABELER

from labeler.evaluation.truth import copies_of
from labeler.tables import arrow, labels, votes
from training.data import dataset

FLAGGED = ("label", "conflict")
FIRST = (100, 500, 1000)


def truth_of(data: Path, table: Path, classes: str) -> dict[str, str]:
    """Return the class of each photo that has a single winner in the table."""
    found = labels.Table(table, labels.parse_classes(classes)).below(data)
    winners = found.votes.argmax(axis=1)
    tied = votes.tied(found.votes)
    names = found.class_names
    return {file: names[best] for file, best, tie in zip(found.files, winners, tied, strict=True) if not tie}


def share(right: Sequence[bool]) -> str:
    """Return the share of true values, and how many values there are."""
    return f"{sum(right) / max(len(right), 1):.1%} of {len(right):,}"


def main() -> None:
    """Audit, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--classes", default="")
    parser.add_argument("--model", default="documented")
    parser.add_argument("--without-copies-of", type=Path)
    options = parser.parse_args()
    learnt = copies_of(options.without_copies_of, options.data) if options.without_copies_of else frozenset()
    truth = {
        file: name
        for file, name in truth_of(options.data, options.truth, options.classes).items()
        if file not in learnt
    }
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "audit.csv")
        subprocess.run(
            [*LABELER, "audit", str(options.data), "--out", str(out), "--model", options.model],
            check=True,
            stderr=sys.stderr,
        )
        rows = arrow.read(out).to_pylist()
    flagged = [row for row in rows if row["issue"] in FLAGGED and row["file"] not in learnt]
    given = {file: file.partition("/")[0] for file in dataset.scan(options.data).files}
    print("| | wrong label | right suggestion |\n|---|---|---|")
    print(f"| every photo | {share([given[file] != true for file, true in truth.items()])} | |")
    for first in (*(count for count in FIRST if count < len(flagged)), len(flagged)):
        known = [row for row in flagged[:first] if row["file"] in truth]
        wrong = share([row["label"] != truth[row["file"]] for row in known])
        right = share([row["suggested"] == truth[row["file"]] for row in known])
        print(f"| the first {first:,} flagged | {wrong} | {right} |")


if __name__ == "__main__":
    main()
