"""Where the time of a run went. `Spent` is what crosses processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_WAITING_SHARE = 0.25
"""A worker that waits for more than so much of its time is held up by the disk, or by others on its core."""

_STAGES = {
    "discover": "listing the folders",
    "decode": "reading and decoding the pictures",
    "faces": "finding and cutting out the faces",
    "predict": "running the network",
    "write": "writing the table",
}


@dataclass(slots=True, kw_only=True)
class Spent:
    """Seconds that labelling some files took in one process, and what else it has to tell of it."""

    decode_s: float = 0.0
    """Reading and decoding."""
    faces_s: float = 0.0
    """Finding the faces and cutting them out."""
    predict_s: float = 0.0
    whole_s: float = 0.0
    """All of it, with what belongs to no stage, such as loading the models."""
    cpu_s: float = 0.0
    """How much of `whole_s` the processor worked for this process; the rest it waited."""
    device: str = ""
    """What the networks ran on."""
    lost_crops: int = 0
    """Crops that could not be kept, for the disk refuses their names."""
    lost_crop: str = ""
    """The first of them, and why."""

    def add(self, other: Spent) -> None:
        """Count what another batch took."""
        self.decode_s += other.decode_s
        self.faces_s += other.faces_s
        self.predict_s += other.predict_s
        self.whole_s += other.whole_s
        self.cpu_s += other.cpu_s
        self.device = other.device or self.device
        self.lost_crops += other.lost_crops
        self.lost_crop = self.lost_crop or other.lost_crop

    def note_lost(self, crop: str) -> None:
        """Count a crop that could not be kept; nothing where there is none."""
        self.lost_crops += bool(crop)
        self.lost_crop = self.lost_crop or crop


@dataclass(slots=True, kw_only=True)
class Profile:
    """Where the time of one run went. The first process discovers and writes; the workers do the rest."""

    workers: int = 1
    total_s: float = 0.0
    first_rows_s: float = 0.0
    """From the begin of the run to the first rows: the workers' start, the loading of the models."""
    discover_s: float = 0.0
    write_s: float = 0.0
    spent: Spent = field(default_factory=Spent)
    """By all workers together."""

    @property
    def stages(self) -> dict[str, float]:
        """Return the seconds by stage, over all processes; what the workers do besides is `other`."""
        spent = self.spent
        known = spent.decode_s + spent.faces_s + spent.predict_s
        return {
            "discover": self.discover_s,
            "decode": spent.decode_s,
            "faces": spent.faces_s,
            "predict": spent.predict_s,
            "other": max(spent.whole_s - known, 0.0),
            "write": self.write_s,
        }

    @property
    def busy(self) -> float:
        """Return the share of the run that its workers were at work or waited for the disk, 0 to 1."""
        return min(self.spent.whole_s / max(self.total_s * self.workers, 1e-9), 1.0)

    @property
    def bottleneck(self) -> str:
        """Say in one sentence what the run's time was most spent on, and what would help."""
        own_s = self.discover_s + self.write_s
        if self.first_rows_s > self.total_s / 2:
            return "starting up took most of the time: more pictures in one run, not more workers, make it pay"
        if own_s > self.spent.whole_s / self.workers:
            slowest = "discover" if self.discover_s > self.write_s else "write"
            return f"the first process: {_STAGES[slowest]}; more workers would not help"
        stages = {name: seconds for name, seconds in self.stages.items() if name in _STAGES}
        slowest = max(stages, key=lambda name: stages[name])
        if self.spent.whole_s - self.spent.cpu_s > _WAITING_SHARE * self.spent.whole_s:
            return f"the workers waited, for the disk or for a free core, most of it while {_STAGES[slowest]}"
        return f"the processor: {_STAGES[slowest]}; more cores would help"

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "workers": self.workers,
            "device": self.spent.device,
            "seconds": round(self.total_s, 3),
            "until_first_rows": round(self.first_rows_s, 3),
            "stages": {name: round(seconds, 3) for name, seconds in self.stages.items()},
            "busy": round(self.busy, 3),
            "bottleneck": self.bottleneck,
        }
