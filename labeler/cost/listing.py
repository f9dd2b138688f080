"""Count files and bytes of a listing, and draw a random sample of its photos, in memory for the sample alone."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from labeler.member import is_shard
from labeler.storage.store import Listed

_SEED = 0


@dataclass(slots=True)
class Listing:
    """What lies below the inputs, and a random sample of the photos with their bytes."""

    units: int = 0
    files: int = 0
    size: int = 0
    """Bytes of all files."""
    shards: int = 0
    """How many of the files hold many photos each; they are never in the sample."""
    shard_size: int = 0
    seconds: float = 0.0
    sample: list[tuple[str, int]] = field(default_factory=list)

    @property
    def photos(self) -> int:
        """Return the number of files that are photos themselves."""
        return self.files - self.shards


def listed(units: Iterable[Listed], size: int) -> Listing:
    """Count units, files and bytes, and draw a uniform random sample (reservoir sampling, algorithm L; Li, 1994).

    Memory is taken for the sample, not for the files. The same listing always gives the same sample.
    """
    found, draw = Listing(), random.Random(_SEED)
    threshold, place = 1.0, size - 1
    for page in units:
        found.units += 1
        shards = [is_shard(name) for name in page.names]
        if any(shards):
            within = page.only(shards)
            found.files += len(within.names)
            found.shards += len(within.names)
            found.shard_size += sum(within.sizes)
            found.size += sum(within.sizes)
            page = page.only([not one for one in shards])
        start = found.photos
        found.files += len(page.names)
        found.size += sum(page.sizes)
        filling = max(size - start, 0)
        found.sample += zip(page.names[:filling], page.sizes, strict=False)
        if place == size - 1 and len(found.sample) == size:
            threshold *= _root(draw, size)
            place += _skipped(draw, threshold)
        while size <= place < found.photos:
            found.sample[draw.randrange(size)] = (page.names[place - start], page.sizes[place - start])
            threshold *= _root(draw, size)
            place += _skipped(draw, threshold)
    return found


def _root(draw: random.Random, size: int) -> float:
    return math.exp(math.log(1.0 - draw.random()) / size)


def _skipped(draw: random.Random, threshold: float) -> int:
    return int(math.log(1.0 - draw.random()) / math.log1p(-threshold)) + 1
