"""The executor seam: where the batches of a run are worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Result = TypeVar("Result")

Task = Callable[[Sequence[str]], Result]
"""Works on one batch. It iterates over the batch exactly once, and is done with an item when it asks for the next one:
a worker limits the time from one to the other. By its place, an item may be looked at before."""

MakeTask = Callable[[], Task[Result]]
"""Makes the task where it runs, so that a process that only hands out batches loads nothing for it. Picklable."""


class Executor(Protocol[Result]):
    """Works on batches: in this process, in processes of its own, or on other machines."""

    @property
    def workers(self) -> int:
        """Return how many batches are worked on at the same time."""

    def map(self, make_task: MakeTask[Result], batches: Iterable[Sequence[str]]) -> Iterator[Result]:
        """Yield ``make_task()(batch)`` for every batch, in the order of the batches.

        Each worker makes the task once. At most a bounded number of batches is taken before their results are asked
        for (back-pressure).

        Raises:
            Exception: whatever the task raises.
        """

    def started(
        self, make_task: MakeTask[Result]
    ) -> AbstractContextManager[Callable[[Iterable[Sequence[str]]], Iterator[Result]]]:
        """Begin to make the tasks now, and give what does as `map`, as often as it is called."""


@dataclass(frozen=True, slots=True)
class InProcess(Generic[Result]):
    """Work in this process, one batch after the other. Nothing of the process is changed.

    So native code that crashes ends this process, and the time of an item is not limited: nobody would continue.
    """

    workers: int = 1

    def map(self, make_task: MakeTask[Result], batches: Iterable[Sequence[str]]) -> Iterator[Result]:
        """Yield the results as they are asked for; see `Executor.map`."""
        yield from map(make_task(), batches)

    @contextmanager
    def started(self, make_task: MakeTask[Result]) -> Iterator[Callable[[Iterable[Sequence[str]]], Iterator[Result]]]:
        """See `Executor.started`; the task is made with the first call."""
        made: list[Task[Result]] = []

        def work(batches: Iterable[Sequence[str]]) -> Iterator[Result]:
            made.extend([] if made else [make_task()])
            yield from map(made[0], batches)

        yield work
