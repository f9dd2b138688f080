"""The work on one unit where it runs: in an actor of a cluster, with a supervised process of its own."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from typing import Any

from labeler import heap, pipeline
from labeler.parts.directory import Directory
from labeler.parts.labelling import Labelling
from labeler.parts.order import Order
from labeler.parts.plan import Plan
from labeler.profile import Profile
from labeler.records import Device, Settings


class UnitWork:
    """Labels a unit and puts its part, given its number. Made once in each actor, see `executors.ray_data`.

    A photo that ends its process costs its row, and not the actor: it runs in a process below the actor. Threads may
    call it for several units: one is labelled while the part of another is put.
    """

    def __init__(self, order: Order, plan: Plan, settings: Settings, device: Device) -> None:
        source = order.source()
        self._directory = Directory(order.out)
        self._plan = plan
        self._closing = ExitStack()
        self._closing.enter_context(heap.few_collections())
        make_task = partial(pipeline.labeler_of, settings, device)
        work = self._closing.enter_context(pipeline.processes(1).started(make_task))
        self._labelling = Labelling(self._directory, plan, source, work, order.batch_size, Profile(workers=1))

    def __call__(self, unit: int) -> dict[str, Any]:
        """Return what came of a unit; of one whose part is there by now, only its number.

        Raises:
            LabelerError: the model or the directory cannot be used.
        """
        if self._directory.has(unit):
            return {"unit": unit}
        return asdict(self._directory.put(self._plan, unit, self._labelling.rows(unit)))

    def close(self) -> None:
        """End the process."""
        self._closing.close()
