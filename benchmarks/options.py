"""What every benchmark is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """One run of the benchmarks."""

    data: Path
    """A folder like ../shared/data, with fer2013/train and photos; what is not there is generated or skipped."""
    scratch: Path
    """Where inputs and outputs go."""
    run: Path | None
    """A run directory of `labeler train`; without one, one epoch is trained."""
    repetitions: int
    workers: int
    quick: bool
    """Take sizes that show that everything works, not how fast it is."""
    fer: str
    """An interpreter that has the package fer; empty for none."""
    detectors: tuple[str, ...]
    """Other detectors to measure beside the one that ships."""

    def size(self, full: int, quick: int) -> int:
        """Return how much of something to measure."""
        return quick if self.quick else full
