"""The options of all benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the benchmarks."""

    data: Path
    """A folder like ../shared/data, with fer2013/train and photos; what is missing is generated or skipped."""
    scratch: Path
    """The temporary folder for inputs and outputs."""
    run: Path | None
    """A run directory of `labeler train`; without one, one epoch is trained."""
    repetitions: int
    workers: int
    quick: bool
    """Take small sizes, which show that everything works, not how fast it is."""
    fer: str
    """An interpreter that has the package fer; empty for none."""
    npm: Path | None
    """A folder in which the npm packages face-api and human were installed; None for none."""
    profiler: str
    """An interpreter that has the package ydata-profiling; empty for none."""
    fiftyone: str
    """An interpreter that has the package fiftyone; empty for none."""
    detectors: tuple[str, ...]
    """Other detectors to measure beside the shipped one."""

    def size(self, full: int, quick: int) -> int:
        """Return the size to measure: the full one, or the one for `--quick`."""
        return quick if self.quick else full
