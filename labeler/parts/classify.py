"""Label photos into a directory of parts: with the cores of this machine, or those of a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from labeler import pipeline
from labeler.errors import Interrupted
from labeler.inference import bundle
from labeler.job import Summary
from labeler.parts import directory
from labeler.parts.directory import Directory
from labeler.parts.labelling import Labelling
from labeler.parts.order import UNIT_FILES, Order
from labeler.parts.plan import Done, Plan
from labeler.parts.work import UnitWork
from labeler.pipeline import Progress
from labeler.profile import Profile
from labeler.records import Row, Tally
from labeler.sources import Source
from labeler.storage.address import is_remote, local
from labeler.tables.run_record import RunRecord


def classify(order: Order, progress: Progress | None = None) -> Summary:
    """Label the photos of a share of the units, or continue to; when all units are done, finish the directory.

    Raises:
        Interrupted: Ctrl-C; the parts so far are kept.
        LabelerError: the inputs, the model or the output cannot be used.
    """
    started = time.perf_counter()
    directory.check(order.out)
    out = Directory(order.out)
    source = order.source()
    settings, device = pipeline.complete(order.settings, source, order.device)
    card = bundle.card(Path(settings.model))
    record = pipeline.record_of(source, settings, card)
    executor = order.executor or pipeline.processes(order.workers)
    profile = Profile(workers=executor.workers)
    tally, whole = Tally(), None
    plan = out.plan()
    there = out.done(plan) if plan else bytearray()
    complete_before = bool(plan) and all(there)
    try:
        with ExitStack() as closing:
            if not (order.plan_only or order.actors or complete_before):
                work = closing.enter_context(executor.started(partial(pipeline.labeler_of, settings, device)))
            begun = plan is not None
            plan = _planned(plan, order, out, source, record, progress)
            there = there if begun else out.done(plan)
            units = [unit for unit in range(plan.units) if unit in order.share and not there[unit]]
            told = _Told(progress, plan, units, tally)
            if order.actors and not order.plan_only:
                make_work = partial(UnitWork, _everywhere(order), plan, settings, device)
                for answer in order.actors.map(make_work, units):
                    there[answer["unit"]] = 1
                    told.add(answer)
            elif units and not order.plan_only:
                labelling = Labelling(out, plan, source, work, order.batch_size, profile)
                for done in labelling.of(units, told):
                    there[done.unit] = 1
        if not (order.plan_only or all(there)):
            there = out.done(plan)
        if all(there):
            whole = out.finish(plan)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {tally.files:,} files; run the same command to continue") from None
    profile.total_s = time.perf_counter() - started
    if whole:
        whole.resumed, whole.examples = whole.files - tally.files, tally.examples
    return Summary(
        out=order.out,
        tally=whole or tally,
        model=card,
        profile=profile,
        complete_before=complete_before,
        passed_over=plan.passed_over,
        unreadable_folders=plan.unreadable_folders,
        vanished=0,
        vanished_files=(),
        source=source,
        units=(sum(there), plan.units),
    )


def _everywhere(order: Order) -> Order:
    """Return what processes that run in other folders, or on other machines, need of an order."""
    absolute = [one if is_remote(one) else os.path.abspath(local(one)) for one in map(str, (order.out, *order.inputs))]
    return replace(order, out=absolute[0], inputs=tuple(absolute[1:]), actors=None, executor=None)


def _planned(
    plan: Plan | None, order: Order, out: Directory, source: Source, record: RunRecord, progress: Progress | None
) -> Plan:
    """Return the plan that stands, if it is of the same order, or make one.

    Raises:
        NoPicturesError: there is no photo.
        LabelerError: a plan stands that was made differently.
    """
    if plan is None:
        told = (lambda files: progress(Tally(files=files, resumed=files), None)) if progress else (lambda _: None)
        plan = out.make_plan(source, record, order.unit_files or UNIT_FILES, told)
        if not plan.units:
            raise pipeline.none_found(source)
    plan.refuse_other(out.place, record, order.selection.as_json() if order.selection else {})
    return plan


class _Told:
    """Count rows, and report them: of the files that were left when this run began."""

    def __init__(self, progress: Progress | None, plan: Plan, units: Iterable[int], tally: Tally) -> None:
        self._progress = progress
        counts = [plan.unit_files[unit] for unit in units]
        self._total = None if None in counts else sum(filter(None, counts))
        self._tally = tally

    def __call__(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._tally.add(row)
        self._tell()

    def add(self, answer: dict[str, Any]) -> None:
        """Count what an actor did, see `UnitWork`."""
        if "counts" in answer:
            Done.of_json(answer).add_to(self._tally)
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(self._tally, self._total)
