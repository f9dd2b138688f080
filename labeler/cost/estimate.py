"""What a run would cost, before it is run: all files are listed, and a random sample of them is labelled for real."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from labeler import pipeline
from labeler.cost.listing import Listing, listed
from labeler.cost.measure import Measured, measure
from labeler.inference import bundle
from labeler.job import Request
from labeler.labeling import BatchLabeler
from labeler.parts.order import UNIT_FILES
from labeler.parts.plan import cut
from labeler.sources import Source

SAMPLE = 200
"""Photos that are labelled: where they are alike, their mean time is known to a few percent."""

_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a run would cost. The figures of time and money are of the photos; those in shards are not known."""

    source: Source
    listing: Listing
    measured: Measured | None
    """None where there are shards alone."""
    unit_files: int
    cores: int
    price: float | None
    """Of one core for an hour."""
    currency: str

    @property
    def core_hours(self) -> tuple[float, float, float] | None:
        """Return the hours for which one core is occupied: the estimate, and its 95% interval."""
        if not self.measured:
            return None
        each = (self.measured.mean_s, *self.measured.interval_s)
        hours, low, high = (one * self.listing.photos / _HOUR_S for one in each)
        return hours, low, high

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        listing, measured, hours = self.listing, self.measured, self.core_hours
        found: dict[str, Any] = {
            "inputs": list(self.source.inputs),
            "files": listing.files,
            "bytes": listing.size,
            "shards": listing.shards,
            "shard_bytes": listing.shard_size,
            "passed_over": self.source.passed_over,
            "listing_seconds": round(listing.seconds, 3),
            "unit_files": self.unit_files,
            "units": listing.units,
            "cores": self.cores,
        }
        if not measured or not hours:
            return found
        return found | {
            "sample": {
                "files": len(measured.seconds),
                "bytes": measured.size,
                "statuses": dict(Counter(row.status.value for row in measured.rows if not row.face)),
                "faces": sum(row.face is not None for row in measured.rows),
                "seconds_per_file": measured.mean_s,
                "seconds_per_file_interval": measured.interval_s,
                "wall_seconds": measured.wall_s,
                "cpu_seconds": measured.cpu_s,
                "waited": round(measured.waited, 3),
                "crowded": round(measured.crowded, 3),
                "bytes_per_second": round(measured.bytes_per_s),
            },
            "core_hours": hours[0],
            "core_hours_interval": hours[1:],
            "hours": hours[0] / self.cores,
            "hours_interval": [one / self.cores for one in hours[1:]],
            "price": None if self.price is None else hours[0] * self.price,
            "price_interval": None if self.price is None else [one * self.price for one in hours[1:]],
            "currency": self.currency,
        }


def estimate(
    request: Request,
    *,
    sample: int = SAMPLE,
    unit_files: int = 0,
    on_cores: int = 0,
    price: float | None = None,
    currency: str = "",
) -> Cost:
    """List the photos of a request, label a sample of them in this process, and return what all would cost.

    Nothing is written. 0 stands for `UNIT_FILES`, and for the cores of this machine, or as many as memory is left for.

    Raises:
        NoPicturesError: there is no photo, or none in the sample can be used.
        LabelerError: the inputs or the model cannot be used.
    """
    source = Source(request.inputs, all_files=request.all_files, selection=request.selection)
    settings, device = pipeline.complete(request.settings, source, request.device)
    began = perf_counter()
    listing = listed(cut(source.listed(), unit_files or UNIT_FILES), sample)
    listing.seconds = perf_counter() - began
    if not listing.files:
        raise pipeline.none_found(source)
    measured = None
    if listing.sample:
        measured = measure(BatchLabeler(settings, device), listing.sample, source.store.batch_s)
    return Cost(
        source=source,
        listing=listing,
        measured=measured,
        unit_files=unit_files or UNIT_FILES,
        cores=on_cores or pipeline.processes(0, bundle.card(Path(settings.model), hashed=False)).workers,
        price=price,
        currency=currency,
    )
