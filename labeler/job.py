"""What a run of `classify` is asked to do, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from labeler.executors.executor import Executor
from labeler.inference.bundle import Card
from labeler.lists.content import Content
from labeler.lists.entry import Wanted
from labeler.lists.source import ListSource
from labeler.profile import Profile, Spent
from labeler.records import Device, Redo, Row, Settings, Tally
from labeler.selection import Selection
from labeler.sources import Source

Labelled = tuple[list[Row], Spent]
"""The rows of a batch, and the time they took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which photos to label, and how; wherever the rows go."""

    inputs: tuple[str | Path, ...]
    settings: Settings = field(default_factory=Settings)
    workers: int = 0
    """Processes; 0 for one per core."""
    batch_size: int = 0
    """Files per batch; 0 for an adaptive size, see `Batches`."""
    all_files: bool = False
    """Whether to take files without an image's suffix, too."""
    device: Device = Device.AUTO
    selection: Selection = field(default_factory=Selection)
    """Which of the photos to label now; all other rows of the table stay."""
    listing: Wanted | None = None
    """The list that names the photos; ``inputs`` are then at most the one place that its names are relative to."""
    executor: Executor[Labelled] | None = None
    """What runs the batches; None for ``workers`` supervised processes."""

    def source(self) -> Source:
        """Return the photos that are meant: those of a list, or below the inputs.

        Raises:
            LabelerError: the inputs or the list cannot be used.
        """
        absolute, selection = self.settings.absolute, self.selection
        if self.listing:
            return ListSource(Content(self.listing), self.inputs, absolute=absolute, selection=selection)
        return Source(self.inputs, absolute=absolute, all_files=self.all_files, selection=selection)

    @classmethod
    def of(cls, request: Request, **others: Any) -> Self:
        """Return a request with what its kind adds to it."""
        return cls(**{**{one.name: getattr(request, one.name) for one in fields(Request)}, **others})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Request):
    """One run of `classify` that writes a file."""

    out: Path
    overwrite: bool = False
    redo: frozenset[Redo] = frozenset()
    """Which files of the table to label again, after an unfinished table is completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The result of a run."""

    out: Path | str
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
    unlisted: int = 0
    """Number of files in the table that exist, and are not in the list."""
    units: tuple[int, int] | None = None
    """Of a directory of parts, how many units are done by now, by whomever, and how many there are."""

    def _selection(self) -> dict[str, Any] | None:
        asked = self.source.selection
        return {**asked.as_json(), "files": self.source.selected, "of": self.source.found} if asked else None

    @property
    def repeated(self) -> int | None:
        """Return how many entries of a list named a file again; None where there was no list."""
        return self.source.repeated if isinstance(self.source, ListSource) else None

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
            **({} if self.repeated is None else {"repeated": self.repeated, "unlisted": self.unlisted}),
            "unreadable_folders": list(self.unreadable_folders),
            "lost_crops": self.profile.spent.lost_crops,
            "vanished": self.vanished,
            "vanished_files": list(self.vanished_files),
            **({"units_done": self.units[0], "units": self.units[1]} if self.units else {}),
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "seconds": round(self.profile.total_s, 3),
            "profile": self.profile.as_json(),
            "exit_code": self.exit_code,
        }
