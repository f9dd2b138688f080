"""The time of each stage of a run, and its bottleneck. Workers send a `Spent` with each batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_WAITING_SHARE = 0.25
"""Share of a worker's time, spent on waiting for the disk or a free core, above which that is the bottleneck."""

_STAGES = {
    "discover": "listing the folders",
    "decode": "reading and decoding the photos",
    "faces": "detecting and cropping the faces",
    "predict": "running the network",
    "write": "writing the table",
}


@dataclass(slots=True, kw_only=True)
class Spent:
    """Seconds that one process spent on labelling some files, the device, and the crops that it could not save."""

    decode_s: float = 0.0
    """Reading and decoding."""
    faces_s: float = 0.0
    """Detecting and cropping faces."""
    predict_s: float = 0.0
    whole_s: float = 0.0
    """Wall-clock time, with what belongs to no stage, such as loading the models."""
    cpu_s: float = 0.0
    """Processor time of this process within `whole_s`; the rest is waiting."""
    device: str = ""
    """The device that the networks ran on."""
    lost_crops: int = 0
    """Number of crops that were not saved, because the disk refuses their names."""
    lost_crop: str = ""
    """The first of them, and why."""

    def add(self, other: Spent) -> None:
        """Add the seconds of another batch."""
        self.decode_s += other.decode_s
        self.faces_s += other.faces_s
        self.predict_s += other.predict_s
        self.whole_s += other.whole_s
        self.cpu_s += other.cpu_s
        self.device = other.device or self.device
        self.lost_crops += other.lost_crops
        self.lost_crop = self.lost_crop or other.lost_crop

    def note_lost(self, crop: str) -> None:
        """Count a crop that was not saved; an empty text is none."""
        self.lost_crops += bool(crop)
        self.lost_crop = self.lost_crop or crop


@dataclass(slots=True, kw_only=True)
class Profile:
    """The time of one run by stage. The first process discovers and writes; the workers do the rest."""

    workers: int = 1
    total_s: float = 0.0
    first_rows_s: float = 0.0
    """Seconds until the first rows: starting the workers, loading the models."""
    discover_s: float = 0.0
    write_s: float = 0.0
    spent: Spent = field(default_factory=Spent)
    """Sum over all workers."""

    @property
    def stages(self) -> dict[str, float]:
        """Return the seconds of each stage, summed over all processes; `other` is the rest of the workers' time."""
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
        """Return the share of the run, 0 to 1, in which its workers worked or waited for the disk."""
        return min(self.spent.whole_s / max(self.total_s * self.workers, 1e-9), 1.0)

    @property
    def bottleneck(self) -> str:
        """Describe in one sentence what took most of the time, and what would help."""
        own_s = self.discover_s + self.write_s
        if self.first_rows_s > self.total_s / 2:
            return "starting up took most of the time: label more photos in one run; more workers would not help"
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
