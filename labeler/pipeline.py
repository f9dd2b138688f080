"""Sources to batches to an executor to rows to a table."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeler._version import __version__
from labeler.errors import Interrupted, LabelerError, NoPicturesError
from labeler.executors.cores import cores
from labeler.executors.executor import Executor, InProcess
from labeler.executors.processes import Processes
from labeler.inference import bundle
from labeler.profile import Profile, Spent
from labeler.records import SCHEMA_VERSION, Device, Faces, Redo, Row, Settings, Status, Tally
from labeler.selection import Selection
from labeler.sources import Source
from labeler.storage.crops import Crops
from labeler.tables import reader, run_record
from labeler.tables.resume import Agenda
from labeler.tables.run_record import RunRecord
from labeler.tables.writer import TableWriter

if TYPE_CHECKING:
    from labeler.labeling import Timed, Vary

FIRST_BATCH, LARGEST_BATCH = 4, 512
BATCH_S = 0.05
"""What a batch should take: long enough to make the traffic between processes cheap (crops: 14,300 a second in
batches of 512, 11,400 in batches of 32), short enough to share large photographs out evenly."""

WORKER_MODULES = ("labeler.labeling", "labeler.pipeline")
"""What a worker process imports to label; `labeler.__main__` has them loaded while the command line is parsed."""

Labelled = tuple[list[Row], Spent]
"""The rows of a batch, and what it took."""

Progress = Callable[[Tally, int | None], None]
"""Called at first, while the table is read, after every batch and at last, with the tally so far and the number of
files in all, once that is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of `classify`."""

    inputs: tuple[str | Path, ...]
    out: Path
    settings: Settings = field(default_factory=Settings)
    workers: int = 0
    """Processes; 0 for one per core."""
    batch_size: int = 0
    """Files per batch; 0 for what takes about `BATCH_S`."""
    overwrite: bool = False
    all_files: bool = False
    """Whether files count whose suffix is not that of an image."""
    device: Device = Device.AUTO
    redo: frozenset[Redo] = frozenset()
    """Which files of the table are labelled again; an unfinished table is completed before."""
    selection: Selection = field(default_factory=Selection)
    """Which photos are labelled in this run; other rows of the table stay."""
    executor: Executor[Labelled] | None = None
    """Where the batches are labelled; None for ``workers`` supervised processes."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run has come to."""

    out: Path
    tally: Tally
    model: bundle.Card
    profile: Profile
    complete_before: bool
    """Whether the table was complete already and nothing had to be done."""
    passed_over: int
    """Number of files whose suffix is not that of an image."""
    unreadable_folders: tuple[str, ...]
    vanished: int
    """Files in the table that are no more."""
    vanished_files: tuple[str, ...]
    """The first few of them."""
    source: Source
    """What was walked, and what was selected of it."""

    def _selection(self) -> dict[str, Any] | None:
        asked = self.source.selection
        return {**asked.as_json(), "files": self.source.selected, "of": self.source.found} if asked else None

    @property
    def exit_code(self) -> int:
        """Return 1 when a file failed, a folder could not be listed or a crop not be kept, else 0."""
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


def label(
    inputs: Iterable[str | Path],
    settings: Settings,
    workers: int = 1,
    batch_size: int = 0,
    device: Device = Device.AUTO,
    vary: Vary | None = None,
) -> Iterator[Row]:
    """Yield the rows of every photo in some folders and files, in the order of `Source`.

    One worker is this process; for more, and for ``batch_size``, see `Job`, for ``vary`` `labeling.Looker`.

    Raises:
        NoPicturesError: there is no photo.
        ModelError: the model cannot be used.
    """
    source = Source(inputs, absolute=settings.absolute)
    names = _at_least_one(source)
    labeler = partial(_labeler, _complete(settings, source), device, vary)
    executor: Executor[Labelled] = InProcess() if workers == 1 else _processes(workers)
    profile = Profile(workers=executor.workers)
    yield from chain.from_iterable(_labelled(source, names, labeler, executor, batch_size, profile))


def classify(job: Job, progress: Progress | None = None) -> Summary:
    """Write the table of the photos in some folders and files; continue it if it is unfinished.

    Raises:
        Interrupted: Ctrl-C; what is done is kept.
        LabelerError: the inputs, the model or the output cannot be used.
    """
    if job.overwrite and job.redo:
        raise LabelerError("--overwrite labels every file again; leave out --retry-failed and --refresh")
    reader.check(job.out)
    begun = run_record.unfinished(job.out) if job.redo else None
    if begun and not job.redo.issubset(begun.redo or ()):
        _classify(replace(job, redo=frozenset()), progress)
    return _classify(job, progress)


def _classify(job: Job, progress: Progress | None) -> Summary:
    started = time.perf_counter()
    source = Source(job.inputs, absolute=job.settings.absolute, all_files=job.all_files, selection=job.selection)
    names = _at_least_one(source)
    job = replace(job, settings=_complete(job.settings, source))
    card = bundle.card(Path(job.settings.model))
    if job.settings.save_crops:
        _check_crops(job.settings.save_crops, source, job)
    executor = job.executor or _processes(job.workers)
    profile = Profile(workers=executor.workers)
    labeler = partial(_labeler, job.settings, job.device)
    label = partial(_labelled, source, labeler=labeler, executor=executor, batch_size=job.batch_size, profile=profile)
    tally = Tally()
    try:
        agenda = fill(job, _record(source, job.settings, card), names, label, tally, _Told(progress, source), profile)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {tally.files:,} files; run the same command to continue") from None
    profile.total_s = time.perf_counter() - started
    return Summary(
        job.out,
        tally,
        card,
        profile,
        tally.resumed == tally.files,
        source.passed_over,
        tuple(source.unreadable),
        agenda.vanished,
        tuple(agenda.vanished_files),
        source,
    )


def fill(
    job: Job,
    record: RunRecord,
    names: Iterable[str],
    label: Callable[[Iterator[str]], Iterable[list[Row]]],
    tally: Tally,
    told: Callable[[Tally], None] = lambda _: None,
    profile: Profile | None = None,
) -> Agenda:
    """Begin the table of a job or go on with it, label what it lacks, and put it in place.

    ``label`` turns names into batches of rows, those of a file together, and raises what is to stop the run. ``told``
    is called at first, after every batch, and at last.

    Raises:
        LabelerError: the table cannot be continued, or cannot be written.
    """
    profile = profile or Profile(workers=1)
    with TableWriter.begin(job.out, record, job.redo, overwrite=job.overwrite) as table:
        told(tally)
        agenda = Agenda(job.settings, table.record.redo or (), tally, partial(told, tally))
        for rows in label(agenda.to_label(names, table.settled())):
            began = time.perf_counter()
            table.write(agenda.to_write(rows))
            profile.write_s += time.perf_counter() - began
            told(tally)
        told(tally)
        table.finish(tally.counts())
    return agenda


def _complete(settings: Settings, source: Source) -> Settings:
    """Return the settings with everything that was left to us filled in; models are checked to be there."""
    model = str(bundle.find(settings.model))
    detector = "" if settings.faces is Faces.WHOLE else str(bundle.detector(settings.detector))
    crops = os.path.abspath(settings.save_crops) if settings.save_crops else ""
    return replace(settings, root=source.root, model=model, detector=detector, save_crops=crops)


def _check_crops(folder: str, source: Source, job: Job) -> None:
    if source.contains(folder):
        raise LabelerError(
            f"{folder} is inside the folders of photos, and crops there would be taken for photos. Choose another"
        )
    records = (run_record.read(job.out), run_record.unfinished(job.out))
    ours = any(record and record.settings.get("save_crops") == folder for record in records)
    if not ours and os.path.exists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise LabelerError(f"{folder} is not empty; crops are kept in a new or empty folder")


def _labeler(settings: Settings, device: Device, vary: Vary | None = None) -> Timed:
    # Deferred: 0.2 s, which only the process that labels should spend.
    from labeler.images.crop import png
    from labeler.labeling import BatchLabeler, Timed

    crops = Crops(settings)
    keep = (lambda file, index, face: crops.keep(file, index, png(face))) if settings.save_crops else None
    return Timed(BatchLabeler(settings, device, vary, keep))


def _processes(workers: int) -> Executor[Labelled]:
    return Processes(workers or cores(), _unreadable, WORKER_MODULES)


def _unreadable(file: str, reason: str) -> Labelled:
    return [Row(file).without_label(Status.UNREADABLE, reason)], Spent()


def _labelled(
    source: Source,
    names: Iterator[str],
    labeler: Callable[[], Timed],
    executor: Executor[Labelled],
    batch_size: int,
    profile: Profile,
) -> Iterator[list[Row]]:
    """Yield batches of rows, after it is confirmed that the folders of files that cannot be read are still there."""
    batches = _Batches(names, batch_size or FIRST_BATCH, profile)
    started, files = time.perf_counter(), 0
    for rows, spent in executor.map(labeler, batches):
        elapsed = time.perf_counter() - started
        profile.first_rows_s = profile.first_rows_s or elapsed
        profile.spent.add(spent)
        files += sum(not row.face for row in rows)
        if not batch_size:  # Loading the models counts as well: a first guess must be too small, never too large.
            per_batch = files / elapsed / profile.workers * BATCH_S
            batches.size = min(max(round(per_batch), 1), LARGEST_BATCH)
        source.store.confirm(row.file for row in rows if row.status is Status.UNREADABLE)
        yield rows
    source.store.confirm_all()


class _Batches:
    """Names in batches of a size that may change on the way."""

    def __init__(self, names: Iterator[str], size: int, profile: Profile) -> None:
        self.size = size
        self._names = names
        self._profile = profile

    def __iter__(self) -> Iterator[Sequence[str]]:
        while batch := self._next():
            yield batch

    def _next(self) -> list[str]:
        began = time.perf_counter()
        batch = list(islice(self._names, self.size))
        self._profile.discover_s += time.perf_counter() - began
        return batch


def _at_least_one(source: Source) -> Iterator[str]:
    names = iter(source)
    for first in names:
        return chain([first], names)
    if source.found:
        raise NoPicturesError(
            f"none of {source.found:,} photos in {source.root} is selected by {source.selection}; patterns are matched "
            "against the whole name below that folder: '*.jpg' is in it, '**/*.jpg' anywhere below"
        )
    others = f" ({source.passed_over:,} other files)" if source.passed_over else ""
    raise NoPicturesError(f"no photos in {source.root}{others}; see `labeler classify --help` for what counts as one")


def _record(source: Source, settings: Settings, card: bundle.Card) -> RunRecord:
    decisive = {name: value for name, value in asdict(settings).items() if name not in {"model", "root"}}
    decisive["detector"] = "" if settings.faces is Faces.WHOLE else bundle.sha256(Path(settings.detector))
    return RunRecord(
        version=__version__,
        schema_version=SCHEMA_VERSION,
        model=card.name,
        model_sha256=card.sha256,
        model_figures=card.validation,
        class_names=card.class_names,
        root=settings.root,
        inputs=source.inputs,
        settings=decisive,
    )


class _Told:
    """Tells how far a run is; the files in all are counted in the background from the first time on."""

    def __init__(self, progress: Progress | None, source: Source) -> None:
        self._progress = progress
        self._source = source
        self._counting = False
        self._total: int | None = None

    def __call__(self, tally: Tally) -> None:
        if not self._progress:
            return
        if not self._counting:
            self._counting = True
            threading.Thread(target=self._count, daemon=True).start()
        self._progress(tally, self._total)

    def _count(self) -> None:
        with contextlib.suppress(LabelerError):  # The run meets it, too, and stops.
            self._total = sum(1 for _ in self._source.again())
