"""One run: names to batches to an executor to rows to a table."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from labeler._version import __version__
from labeler.batches import Batches
from labeler.errors import Interrupted, LabelerError, NoPicturesError
from labeler.executors.cores import cores
from labeler.executors.executor import Executor, InProcess
from labeler.executors.processes import Processes
from labeler.inference import bundle, footprint, prior, weights
from labeler.job import Job, Labelled, Summary
from labeler.lists.column import check_keep
from labeler.profile import Profile, Spent
from labeler.records import SCHEMA_VERSION, Device, Faces, Row, Settings, Status, Tally, top_columns
from labeler.sources import Source
from labeler.storage.address import is_remote
from labeler.storage.crops import Crops
from labeler.storage.store import Store
from labeler.tables import reader, run_record
from labeler.tables.resume import Agenda
from labeler.tables.run_record import RunRecord
from labeler.tables.writer import TableWriter
from labeler.words import counted

if TYPE_CHECKING:
    from labeler.labeling import Timed, Vary

WORKER_MODULES = ("labeler.labeling", "labeler.pipeline")
"""The modules that a worker process needs; `labeler.__main__` loads them while the command line is parsed."""

_CORES_PER_MORE = 8
"""How many cores have a worker more than cores, where photos lie in a remote store."""

Progress = Callable[[Tally, int | None], None]
"""Called at the start, while the table is read, after every batch and at the end, with the tally and the number of all
files, None until it is known."""


def label(
    inputs: Iterable[str | Path],
    settings: Settings,
    workers: int = 1,
    batch_size: int = 0,
    device: Device = Device.AUTO,
    vary: Vary | None = None,
) -> Iterator[Row]:
    """Yield the rows of every photo in some folders and files, in the order of `Source`.

    One worker is this process. See `Job` for more workers and ``batch_size``, `labeling.Looker` for ``vary``.

    Raises:
        NoPicturesError: there is no photo.
        ModelError: the model cannot be used.
    """
    source = Source(inputs, absolute=settings.absolute)
    names = _at_least_one(source)
    settings, device = complete(settings, source, device)
    labeler = partial(labeler_of, settings, device, vary)
    executor: Executor[Labelled] = InProcess()
    if workers != 1:
        executor = processes(workers, bundle.card(Path(settings.model), hashed=False))
    batches = Batches(batch_size, Profile(workers=executor.workers), source.store.batch_s)
    yield from chain.from_iterable(labelled(source.store, names, partial(executor.map, labeler), batches))


def classify(job: Job, progress: Progress | None = None) -> Summary:
    """Write the table of the photos in some folders and files, or continue an unfinished one.

    Raises:
        Interrupted: Ctrl-C; the rows so far are kept.
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
    source = job.source()
    names = _at_least_one(source)
    settings, device = complete(job.settings, source, job.device)
    job = replace(job, settings=settings, device=device)
    card = bundle.card(Path(job.settings.model))
    if job.settings.save_crops:
        check_crops(job.settings.save_crops, source, run_record.read(job.out), run_record.unfinished(job.out))
    executor = job.executor or processes(job.workers, card, remote=is_remote(source.root))
    profile = Profile(workers=executor.workers)
    work = partial(executor.map, partial(labeler_of, job.settings, job.device))
    batches = Batches(job.batch_size, profile, source.store.batch_s)
    label = partial(labelled, source.store, work=work, batches=batches)
    tally = Tally()
    try:
        agenda = fill(job, record_of(source, job.settings, card), names, label, tally, _Told(progress, source), profile)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {tally.files:,} files; run the same command to continue") from None
    if progress:
        progress(tally, tally.files)  # The count in the background may come later than the end.
    profile.total_s = time.perf_counter() - started
    return Summary(
        out=job.out,
        tally=tally,
        model=card,
        profile=profile,
        complete_before=tally.resumed == tally.files,
        passed_over=source.passed_over,
        unreadable_folders=tuple(source.unreadable),
        vanished=agenda.vanished,
        vanished_files=tuple(agenda.vanished_files),
        source=source,
        unlisted=0 if source.selection else agenda.unnamed,
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
    """Begin or continue the table of a job, label the files that it lacks, and put it in place.

    ``label`` turns names into batches of rows, those of a file together; its exceptions stop the run. ``told`` is
    called at the start and after every batch.

    Raises:
        LabelerError: the table cannot be continued, or cannot be written.
    """
    profile = profile or Profile(workers=1)
    started = time.perf_counter()
    with TableWriter.begin(job.out, record, job.redo, overwrite=job.overwrite) as table:
        told(tally)
        agenda = Agenda(job.settings, table.record.redo or (), tally, partial(told, tally))
        for rows in label(agenda.to_label(names, table.settled())):
            began = time.perf_counter()
            table.write(agenda.to_write(rows))
            profile.write_s += time.perf_counter() - began
            told(tally)
        table.finish(tally.counts(), None if tally.resumed else round(time.perf_counter() - started, 3))
    return agenda


def complete(settings: Settings, source: Source, device: Device) -> tuple[Settings, Device]:
    """Return the settings with every default filled in, and the device if it decides which weights label.

    Raises:
        ModelError: a model does not exist, or cannot do what is asked.
    """
    model, device = weights.chosen(bundle.find(settings.model), device)
    detector = "" if settings.faces is Faces.WHOLE else str(bundle.detector(settings.detector))
    if is_remote(settings.save_crops):
        raise LabelerError(f"--save-crops takes a folder of this machine, not {settings.save_crops}")
    crops = os.path.abspath(settings.save_crops) if settings.save_crops else ""
    if settings.prior:
        prior.ratios(bundle.card(model), settings.prior)
    return replace(settings, root=source.root, model=str(model), detector=detector, save_crops=crops), device


def check_crops(folder: str, source: Source, *records: RunRecord | None) -> None:
    """Refuse a folder for crops that holds other files than those that the runs with these records kept there.

    Raises:
        LabelerError: it does, or lies within the photos.
    """
    if source.contains(folder):
        raise LabelerError(
            f"{folder} is inside the folders of photos, and crops there would be taken for photos. Choose another"
        )
    ours = any(record and record.settings.get("save_crops") == folder for record in records)
    if not ours and os.path.exists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise LabelerError(f"{folder} is not empty; crops are kept in a new or empty folder")


def labeler_of(settings: Settings, device: Device, vary: Vary | None = None) -> Timed:
    """Return the per-batch function of a worker."""
    # Deferred: it takes 0.2 s, which only the process that labels should spend.
    from labeler.images.crop import png
    from labeler.labeling import BatchLabeler, Timed

    crops = Crops(settings)
    keep = (lambda file, index, face: crops.keep(file, index, png(face))) if settings.save_crops else None
    return Timed(BatchLabeler(settings, device, vary, keep))


def processes(workers: int, card: bundle.Card | None = None, *, remote: bool = False) -> Processes[Labelled]:
    """Return supervised processes that label; a file that none survives is `unreadable`.

    0 is one per core, and one more for every eight where the photos are ``remote``: each waits for the first answer to
    a batch, and leaves its core to others. But at most as many as memory is left for, with the network of ``card``.
    """
    if not workers:
        most = cores()
        workers = most + (-(-most // _CORES_PER_MORE) if remote else 0)
        if card:
            workers = footprint.processes(workers, [card])
    return Processes(workers, _unreadable, WORKER_MODULES)


def _unreadable(file: str, reason: str) -> Labelled:
    return [Row(file).without_label(Status.UNREADABLE, reason)], Spent()


def labelled(
    store: Store,
    names: Iterator[str],
    work: Callable[[Iterable[list[str]]], Iterator[Labelled]],
    batches: Batches,
) -> Iterator[list[Row]]:
    """Yield batches of rows; before each, confirm that the folders of its unreadable files still exist."""
    for rows, spent in work(batches.of(names)):
        batches.note_done(sum(not row.face for row in rows), spent)
        store.confirm(row.file for row in rows if row.status is Status.UNREADABLE)
        yield rows
    store.confirm_all()


def _at_least_one(source: Source) -> Iterator[str]:
    names = iter(source)
    for first in names:
        return chain([first], names)
    raise none_found(source)


def none_found(source: Source) -> NoPicturesError:
    """Return the error of a source without photos."""
    if source.found:
        return NoPicturesError(
            f"none of {source.found:,} photos in {source.root} is selected by {source.selection}; patterns are matched "
            "against the whole name below that folder: '*.jpg' is in it, '**/*.jpg' anywhere below"
        )
    if source.compressed:
        raise NoPicturesError(
            f"no photos in {source.root}, but {counted(source.compressed, 'compressed tar')}: unpack, or pack again as "
            "plain .tar"
        )
    others = f" ({source.passed_over:,} other files)" if source.passed_over else ""
    return NoPicturesError(f"no photos in {source.root}{others}; see `labeler classify --help` for what counts as one")


def record_of(source: Source, settings: Settings, card: bundle.Card) -> RunRecord:
    """Return the record of a run that begins.

    Raises:
        LabelerError: a column to keep has a name that the table needs itself, or the model has fewer classes than
            `top`.
    """
    if settings.top > len(card.class_names):
        raise LabelerError(f"--top {settings.top}: the model has {len(card.class_names):,} classes; leave --top out")
    check_keep(source.keep, top_columns(settings.top) if settings.top else card.class_names)
    decisive = {name: value for name, value in asdict(settings).items() if name not in {"model", "root"}}
    decisive["detector"] = "" if settings.faces is Faces.WHOLE else bundle.sha256(Path(settings.detector))
    del decisive["prior"], decisive["top"]  # Absent by default, as in the records of versions that knew no other.
    if settings.prior:
        decisive["prior"] = list(settings.prior)
    if settings.top:
        decisive["top"] = settings.top
    return RunRecord(
        version=__version__,
        schema_version=SCHEMA_VERSION,
        model=card.name,
        model_sha256=card.sha256,
        model_file=Path(card.path).name,
        model_figures=card.validation,
        class_names=card.class_names,
        root=settings.root,
        inputs=source.inputs,
        settings=decisive,
        keep=source.keep,
    )


class _Told:
    """Report the progress of a run; the first report starts to count the files in the background."""

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
        with contextlib.suppress(LabelerError):  # It stops the run, too.
            self._total = self._source.count()
