"""What a run of `classify` is asked to do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labeler.executors.executor import Executor
from labeler.inference.bundle import Card
from labeler.profile import Profile, Spent
from labeler.records import Device, Redo, Row, Settings, Tally
from labeler.selection import Selection
from labeler.sources import Source

Labelled = tuple[list[Row], Spent]
"""The rows of a batch, and the time they took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of `classify`."""

    inputs: tuple[str | Path, ...]
    out: Path
    settings: Settings = field(default_factory=Settings)
    workers: int = 0
    """Processes; 0 for one per core."""
    batch_size: int = 0
    """Files per batch; 0 for an adaptive size, see `Batches`."""
    overwrite: bool = False
    all_files: bool = False
    """Whether to take files without an image's suffix, too."""
    device: Device = Device.AUTO
    redo: frozenset[Redo] = frozenset()
    """Which files of the table to label again, after an unfinished table is completed."""
    selection: Selection = field(default_factory=Selection)
    """Which of the photos to label now; all other rows of the table stay."""
    executor: Executor[Labelled] | None = None
    """What runs the batches; None for ``workers`` supervised processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The result of a run."""

    out: Path
    tally: Tally
    model: Card
    profile: Profile
    complete_before: bool
    """Whether the table was complete before the run."""
    passed_over: int
    """Number of files without an image's suffix."""
    unreadable_folders: tuple[str, ...]
    vanished: int
    """Number of files in the table that no longer exist."""
    vanished_files: tuple[str, ...]
    """The names of the first few."""
    source: Source
    """The folders that were walked, and the selection of their files."""

    def _selection(self) -> dict[str, Any] | None:
        asked = self.source.selection
        return {**asked.as_json(), "files": self.source.selected, "of": self.source.found} if asked else None

    @property
    def exit_code(self) -> int:
        """Return 1 if a file failed, a folder could not be listed or a crop could not be written, else 0."""
        return 1 if self.tally.failed or self.unreadable_folders or self.profile.spent.lost_crops else 0

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "table": str(self.out),
            **self.tally.counts(),
            "labels": dict(self.tally.labels),
            "resumed": self.tally.resumed,
            "passed_over": self.passed_over,
            "selection": self._selection(),
            "unreadable_folders": list(self.unreadable_folders),
            "lost_crops": self.profile.spent.lost_crops,
            "vanished": self.vanished,
            "vanished_files": list(self.vanished_files),
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "seconds": round(self.profile.total_s, 3),
            "profile": self.profile.as_json(),
            "exit_code": self.exit_code,
        }
