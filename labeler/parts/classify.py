"""Label photos into a directory of parts: with the cores of this machine, or those of a cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from labeler import pipeline
from labeler.errors import Interrupted
from labeler.inference import bundle, footprint
from labeler.job import Summary
from labeler.parts import directory
from labeler.parts.directory import Directory
from labeler.parts.labelling import Labelling
from labeler.parts.order import UNIT_FILES, Order
from labeler.parts.plan import Done, Plan
from labeler.parts.planning import OverruledError, Planning
from labeler.parts.work import UnitWork
from labeler.pipeline import Progress
from labeler.profile import Profile
from labeler.records import Row, Tally
from labeler.storage.address import is_remote, local


def classify(order: Order, progress: Progress | None = None) -> Summary:
    """Label the photos of a share of the units, or continue to; when all units are done, finish the directory.

    Raises:
        Interrupted: Ctrl-C; the parts so far are kept.
        LabelerError: the inputs, the model or the output cannot be used.
    """
    started = time.perf_counter()
    directory.check(order.out)
    run = _Run(order, progress)
    out, profile, whole = run.out, run.profile, None
    plan = out.plan()
    there = out.done(plan) if plan else bytearray()
    complete_before = bool(plan) and all(there)
    try:
        with ExitStack() as ending:
            if plan is None:
                with closing(run.planning()) as planning:
                    if not order.plan_only:
                        run.begin(ending)
                    plan = run.planned(planning)
                there = out.done(plan)
                units = run.left(plan, there)
            else:
                units = run.left(plan, there)
                if units and not order.plan_only:
                    run.begin(ending)
            run.do(plan, units)
        if units and not order.plan_only:
            there = out.done(plan)
        if all(there):
            whole = (out.finished(plan) if complete_before else None) or out.finish(plan)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped after {run.tally.files:,} files; run the same command to continue") from None
    profile.total_s = time.perf_counter() - started
    if whole:
        whole.resumed, whole.examples = whole.files - run.tally.files, run.tally.examples
    return Summary(
        out=order.out,
        tally=whole or run.tally,
        model=run.card,
        profile=profile,
        complete_before=complete_before,
        passed_over=plan.passed_over,
        unreadable_folders=plan.unreadable_folders,
        vanished=0,
        vanished_files=(),
        source=run.source,
        units=(sum(there), plan.units),
    )


class _Run:
    """One run: what it is asked for, and what came of it so far."""

    def __init__(self, order: Order, progress: Progress | None) -> None:
        self.order = order
        self.out = Directory(order.out)
        self.source = order.source()
        self.settings, self.device = pipeline.complete(order.settings, self.source, order.device)
        self.card = bundle.card(Path(self.settings.model))
        self.record = pipeline.record_of(self.source, self.settings, self.card)
        remote = is_remote(self.source.root)
        self.executor = order.executor or pipeline.processes(order.workers, self.card, remote=remote)
        self.profile = Profile(workers=self.executor.workers)
        self.tally = Tally()
        self._progress = progress
        self._label: Callable[[Plan | Planning], Labelling] | None = None
        """Makes what labels units here."""
        self._answers: Callable[..., Iterator[dict[str, Any]]] | None = None
        """Hands units out to a cluster; see `RayData.started`."""
        self._files: list[int | None] = []
        """How many files the share has, once that is known."""

    def left(self, plan: Plan, there: Sequence[int]) -> list[int]:
        """Return the units of the share whose parts are not there.

        Raises:
            LabelerError: the plan was made differently.
        """
        selection = self.order.selection.as_json() if self.order.selection else {}
        plan.refuse_other(self.out.place, self.record, selection)
        return [unit for unit in range(plan.units) if unit in self.order.share and not there[unit]]

    def begin(self, ending: ExitStack) -> None:
        """Start what labels, which takes a while, and ends with ``ending``: workers here, or a cluster."""
        if self.order.actors:
            needed = 0 if self.order.workers else footprint.of(self.card)
            actors = replace(self.order.actors, memory=needed)
            self._answers = ending.enter_context(actors.started())
            return
        make_task = partial(pipeline.labeler_of, self.settings, self.device)
        work = ending.enter_context(self.executor.started(make_task))
        self._label = lambda plan: Labelling(self.out, plan, self.source, work, self.order.batch_size, self.profile)

    def planning(self) -> Planning:
        """Begin to make a plan."""
        return Planning(self.out, self.source, self.record, self.order.unit_files or UNIT_FILES)

    def planned(self, planning: Planning) -> Plan:
        """Return the plan that stands in the end; until then, label the units that are planned.

        Raises:
            NoPicturesError: there is no photo.
            LabelerError: the photos cannot be listed.
        """
        if self._label:
            told = _Told(self._progress, lambda: self._total(planning), self.tally)
            units = (unit for unit in planning.units() if unit in self.order.share)
            try:
                for _ in self._label(planning).of(units, told):
                    pass
            except OverruledError:
                self.tally = Tally()
        else:
            for _ in planning.units():
                if self._progress:
                    self._progress(Tally(files=planning.listed, resumed=planning.listed), None)
        plan = planning.found()
        if not plan.units:
            raise pipeline.none_found(self.source)
        return plan

    def do(self, plan: Plan, units: Sequence[int]) -> None:
        """Label units with what was begun, if any was."""
        if not units:
            return
        total = _files(plan, units)
        told = _Told(self._progress, lambda: total, self.tally)
        if self._answers:
            make_work = partial(UnitWork, _everywhere(self.order), plan, self.settings, self.device)
            for answer in self._answers(make_work, units):
                told.add(answer)
        elif self._label:
            for _ in self._label(plan).of(units, told):
                pass

    def _total(self, planning: Planning) -> int | None:
        """Return the files of the share as soon as the plan stands; None until then, and where it does not tell."""
        if not self._files and (plan := planning.stands):
            self._files = [_files(plan, (unit for unit in range(plan.units) if unit in self.order.share))]
        return self._files[0] if self._files else None


def _files(plan: Plan, units: Iterable[int]) -> int | None:
    """Return the files in some units; None where one of them is a shard."""
    counts = [plan.unit_files[unit] for unit in units]
    return None if None in counts else sum(filter(None, counts))


def _everywhere(order: Order) -> Order:
    """Return what processes that run in other folders, or on other machines, need of an order."""
    absolute = [one if is_remote(one) else os.path.abspath(local(one)) for one in map(str, (order.out, *order.inputs))]
    return replace(order, out=absolute[0], inputs=tuple(absolute[1:]), actors=None, executor=None)


class _Told:
    """Count rows, and report them: of the files that were left when this run began."""

    def __init__(self, progress: Progress | None, total: Callable[[], int | None], tally: Tally) -> None:
        self._progress = progress
        self._total = total
        self._tally = tally

    def __call__(self, rows: Sequence[Row]) -> None:
        self._tally.add_all(rows)
        self._tell()

    def add(self, answer: dict[str, Any]) -> None:
        """Count what an actor did, see `UnitWork`."""
        if "counts" in answer:
            Done.of_json(answer).add_to(self._tally)
        self._tell()

    def _tell(self) -> None:
        if self._progress:
            self._progress(self._tally, self._total())
