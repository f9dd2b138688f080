"""Label a sample of photos in this process, as a worker of `classify` does, and measure what each takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from time import perf_counter, process_time

import numpy as np

from labeler.batches import FIRST_BATCH, LARGEST_BATCH
from labeler.cost.clock import Clock
from labeler.errors import NoPicturesError
from labeler.images.picture import ImageError, Picture
from labeler.labeling import BatchLabeler, Looker, Seen
from labeler.records import CROP_SIDE, Row

_RESAMPLES, _SEED = 1000, 0
"""Of the bootstrap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The sample, as one process labelled it after its start."""

    seconds: tuple[float, ...]
    """For each photo, how long it occupies a core that nobody else wants: work, and waiting for files."""
    wall_s: float
    """Wall-clock time of all of them, with waiting for a free core."""
    cpu_s: float
    """Processor time of all of them, by all threads of the process."""
    size: int
    """Bytes of all of them."""
    rows: tuple[Row, ...]

    @property
    def failed(self) -> list[Row]:
        """Return the rows of files that could not be used."""
        return [row for row in self.rows if row.failed]

    @property
    def waited(self) -> float:
        """Return the share of `seconds`, 0 to 1, that is waiting for files."""
        return max(1 - self.cpu_s / sum(self.seconds), 0.0)

    @property
    def crowded(self) -> float:
        """Return the share of the wall-clock time, 0 to 1, in which others had the core; `seconds` is without it."""
        return max(1 - sum(self.seconds) / self.wall_s, 0.0)

    @property
    def bytes_per_s(self) -> float:
        """Return the bytes that one core takes in a second."""
        return self.size / sum(self.seconds)

    @property
    def mean_s(self) -> float:
        """Return the mean seconds of a photo."""
        return sum(self.seconds) / len(self.seconds)

    @property
    def interval_s(self) -> tuple[float, float]:
        """Return the 95% bootstrap interval of the mean (Efron, 1979); the same seconds give the same interval."""
        seconds = np.array(self.seconds)
        chosen = np.random.default_rng(_SEED).integers(0, len(seconds), (_RESAMPLES, len(seconds)))
        low, high = np.percentile(seconds[chosen].mean(axis=1), (2.5, 97.5))
        return float(low), float(high)


def measure(labeler: BatchLabeler, sample: Sequence[tuple[str, int]], batch_s: float) -> Measured:
    """Label photos, given with their bytes. What a run spends once, such as loading the networks, is done before.

    The batches, of about ``batch_s`` seconds, are those of a run, see `Batches`: small ones do not fill the blocks that
    the network works in.

    Raises:
        NoPicturesError: none of them can be used.
        ModelError: a model cannot be used.
    """
    _warm_up(labeler, sample[0][0])
    seconds: list[float] = []
    rows: list[Row] = []
    remaining, batch_files = iter(sample), FIRST_BATCH
    with closing(Clock()) as clock:
        started, worked = perf_counter(), process_time()
        while batch := list(islice(remaining, batch_files)):
            began, looks = clock(), list[float]()
            names = [name for name, _ in batch]
            labeler.looker.ahead(names)
            rows += labeler.label(_timed(labeler.looker, names, looks, clock))
            shared = (clock() - began - sum(looks)) / len(names)
            seconds += [look + shared for look in looks]
            batch_files = min(max(round(len(seconds) / sum(seconds) * batch_s), 1), LARGEST_BATCH)
        wall_s, cpu_s = perf_counter() - started, process_time() - worked
    failed = [row for row in rows if row.failed]
    if len(failed) == len(sample):
        what = "the only sampled file cannot" if len(sample) == 1 else f"none of {len(sample):,} sampled files can"
        raise NoPicturesError(f"{what} be used: {failed[0].file}: {failed[0].reason}")
    # Threads that read ahead have a core of their own here, and none where every core has its process.
    threads = max(cpu_s / sum(seconds), 1.0)
    return Measured(
        seconds=tuple(threads * one for one in seconds),
        wall_s=wall_s,
        cpu_s=cpu_s,
        size=sum(size for _, size in sample),
        rows=tuple(rows),
    )


def _warm_up(labeler: BatchLabeler, name: str) -> None:
    """Load the decoders, the detector and the network."""
    side = 2 * CROP_SIDE
    labeler([name])
    labeler.looker.look(Picture(np.zeros((side, side, 3), np.uint8), side, side))
    crop_side = labeler.classifier.card.input_size
    labeler.classifier.answer(np.zeros((1, crop_side, crop_side, 3), np.uint8))


def _timed(
    looker: Looker, names: Iterable[str], looks: list[float], clock: Clock
) -> Iterator[tuple[str, Seen | ImageError]]:
    """Yield what each photo shows, and note the seconds that it took."""
    for name in names:
        began = clock()
        seen = looker.seen(name)
        looks.append(clock() - began)
        yield name, seen
