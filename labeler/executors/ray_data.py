"""Work on numbered units in Ray actors, on one machine or many.

Ray Data hands the units out, starts actors again that died, and holds back what is too much. Import it with
`errors.needs("ray", "ray")`, and see `cli.engine` for the environment variables that Ray reads when it is imported.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
import ray.data.exceptions
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata

from labeler._version import __version__
from labeler.errors import LabelerError, OutputError, one_line
from labeler.executors import ray_cluster

Answer = dict[str, Any]
"""What the work says of a unit: small, picklable."""

Work = Callable[[int], Answer]
"""Works on one unit, and stores what comes of it. It may run again for a unit that is done: see `RayData.started`.
It is called in `_IN_FLIGHT` threads."""

_UNITS_A_BLOCK = 1000
"""How many numbers one task of the source yields, so that the driver holds a task for a thousand units."""

_IN_FLIGHT = 2
"""How many units an actor works on at a time, each in a thread: while one ends, the next has begun. With one at a time,
an actor waits 0.1 s between two units."""


@dataclass(frozen=True, slots=True)
class RayData:
    """Work in actors, one for each core or GPU of a cluster."""

    address: str | None = None
    """That of an existing cluster, such as ``auto``; None for a private one on this machine."""
    workers: int = 0
    """Upper limit on the actors; 0 for as many as the cluster has room for, also while it grows."""
    gpus: float = 0
    """How many GPUs an actor claims; next to them, each claims one core, its decoder's."""
    memory: float = 0
    """How many bytes of memory an actor claims, unless no node has as many."""

    @contextmanager
    def started(self) -> Iterator[Callable[[Callable[[], Work], Iterable[int]], Iterator[Answer]]]:
        """Connect to the cluster; yield what yields ``make_work()(unit)`` for every unit, in any order.

        Each actor makes the work once, where it runs; ``make_work`` is picklable. An actor or a node that dies costs
        the repetition of the units that it had. So the work must store nothing twice (put if absent).

        Raises:
            LabelerError: there is no cluster, or its nodes have another version of labeler.
            OutputError: the cluster cannot go on, or units got lost; what is done is kept.
            Exception: whatever the work raises.
        """
        with ray_cluster.connected(self.address, self.workers) as folder, _context():
            yield partial(self._map, folder)

    def _map(self, folder: str | None, make_work: Callable[[], Work], units: Iterable[int]) -> Iterator[Answer]:
        numbers = np.fromiter(units, np.int64)
        if len(numbers):
            yield from _counted(numbers, _answers(self._dataset((make_work, folder, __version__), numbers)))

    def _dataset(self, given: tuple[Any, ...], numbers: NDArray[np.int64]) -> ray.data.Dataset:
        """Return the dataset whose rows are a unit and its pickled answer; nothing runs before it is iterated over."""
        source = _Units(numbers)
        most = min(len(numbers), self.workers or len(numbers))
        first = max(1, min(most, self._room()))
        strategy = ActorPoolStrategy(
            min_size=first,
            max_size=most if self.address is not None else first,
            max_tasks_in_flight_per_actor=_IN_FLIGHT,
            max_concurrent_calls_per_actor=_IN_FLIGHT,
            enable_true_multi_threading=True,
        )
        # The source claims no core: the actors have them all, and it would wait for one for ever.
        numbered = ray.data.read_datasource(source, num_cpus=0, concurrency=1, override_num_blocks=len(source.blocks()))
        # Ray starts an actor again, and begins its units again, as often as it takes. A bound on the repetitions is no
        # help: those of a node that does not answer are used up within seconds.
        return numbered.map_batches(  # type: ignore[no-any-return]
            _Actor,
            fn_constructor_args=given,
            batch_size=None,
            compute=strategy,
            num_cpus=1,
            num_gpus=self.gpus or None,
            memory=self._claimed() or None,
        )

    def _room(self) -> int:
        """Return how many actors the cluster has room for now."""
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        claims = {"CPU": 1, "GPU": self.gpus, "memory": self._claimed()}
        return int(min(resources.get(name, 0) / claimed for name, claimed in claims.items() if claimed))

    def _claimed(self) -> float:
        """Return the bytes that an actor claims: none where it would wait for ever, for a node with as many."""
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        largest = max((node["Resources"].get("memory", 0) for node in nodes if node["Alive"]), default=0)
        return self.memory if self.memory <= largest else 0


class _Units(Datasource):
    """The numbers, in blocks of one: the actors take a block at a time."""

    def __init__(self, numbers: NDArray[np.int64]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._numbers = numbers

    def blocks(self) -> list[NDArray[np.int64]]:
        """Return the numbers that each task yields."""
        return np.split(self._numbers, range(_UNITS_A_BLOCK, len(self._numbers), _UNITS_A_BLOCK))

    def estimate_inmemory_data_size(self) -> int:
        """Return how many bytes the numbers take."""
        return int(self._numbers.nbytes)

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ReadTask]:
        """Return the tasks that yield the numbers, whatever number of tasks is asked for."""
        return [
            ReadTask(partial(_tables, some), BlockMetadata(len(some), some.nbytes, exec_stats=None, input_files=None))
            for some in self.blocks()
        ]


def _tables(numbers: NDArray[np.int64]) -> Iterator[pa.Table]:
    """Yield a table of one row for each number."""
    for number in numbers:
        yield pa.table({"unit": [number]})


class _Actor:
    """What an actor runs: the work, made with the first unit, so that what it raises is an answer as well."""

    def __init__(self, make_work: Callable[[], Work], folder: str | None, version: str) -> None:
        self._make_work = make_work
        self._folder = folder
        self._version = version
        self._work: Work | None = None
        self._lock = threading.Lock()

    def __call__(self, block: dict[str, NDArray[np.int64]]) -> dict[str, list[Any]]:
        """Work on the unit of a block; return a row with it and its pickled answer."""
        (unit,) = block["unit"].tolist()
        try:
            content = pickle.dumps((self._done(unit), None))
        except Exception as exc:  # noqa: BLE001 - it travels to where the answers are awaited
            content = _pickled(exc)
        return {"unit": [unit], "answer": [content]}

    def _done(self, unit: int) -> Answer:
        with self._lock:
            self._work = self._work or self._made()
        return self._work(unit)

    def _made(self) -> Work:
        if self._version != __version__:
            raise LabelerError(f"the nodes have labeler {__version__}, not {self._version}; install the same on all")
        _forget_program()
        if self._folder:  # An actor that is killed cannot remove its sockets: there, they go with the cluster.
            tempfile.tempdir = self._folder
        return self._make_work()


def _forget_program() -> None:
    """Let processes that are started below an actor not load the actor's program, as multiprocessing does by its path.

    It is Ray's own, which none of them needs: 0.8 s of processor time and 50 MB each.
    """
    vars(sys.modules["__main__"]).pop("__file__", None)


def _pickled(exc: Exception) -> bytes:
    try:
        content = pickle.dumps((None, exc))
        pickle.loads(content)
    except Exception:  # noqa: BLE001 - exceptions of foreign libraries need not survive it
        return pickle.dumps((None, RuntimeError(f"{type(exc).__name__}: {exc}")))
    return content


def _answers(dataset: ray.data.Dataset) -> Iterator[tuple[int, Answer]]:
    """Yield each unit with its answer as it comes.

    Raises:
        OutputError: the cluster cannot go on.
        Exception: whatever the work raises.
    """
    batches: Any = iter(dataset.iter_batches(batch_size=None, prefetch_batches=0))
    with closing(batches):  # Ray Data's threads would otherwise go on, and start another cluster for what they ask.
        while True:
            try:
                batch = next(batches, None)
            except (ray.exceptions.RayError, ray.data.exceptions.ExecutionTimeoutError) as exc:
                raise OutputError(f"Ray cannot go on: {_cause(exc)}. {_ADVICE}") from exc
            if batch is None:
                return
            for unit, content in zip(batch["unit"].tolist(), batch["answer"], strict=True):
                answer, raised = pickle.loads(content)
                if raised:
                    raise raised
                yield unit, answer


_ADVICE = "What is done is kept: run the same command to continue"


def _cause(exc: BaseException) -> str:
    """Return the last line that is no indented part of a trace: Ray's messages begin with a trace of their own."""
    lines = [line for line in str(exc).splitlines() if line.strip() and not line[0].isspace()]
    return one_line(lines[-1] if lines else type(exc).__name__)


def _counted(numbers: NDArray[np.int64], answers: Iterator[tuple[int, Answer]]) -> Iterator[Answer]:
    """Yield the answer of each unit once, and confirm that none is missing.

    Raises:
        OutputError: some are missing.
    """
    missing = set(numbers.tolist())
    for unit, answer in answers:
        if unit in missing:
            missing.remove(unit)
            yield answer
    if missing:
        raise OutputError(
            f"{len(missing):,} of {len(numbers):,} units did not come back from Ray, among them {min(missing)}. "
            f"{_ADVICE}"
        )


@contextmanager
def _context() -> Iterator[None]:
    """Set up Ray Data for the datasets that are made in the block."""
    context = DataContext.get_current().copy()
    context.target_max_block_size = 1  # In bytes: two units are never joined to one block.
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Another actor is wanted where each has as many units as it works on: a greater number would never be reached.
    context.autoscaling_config.actor_pool_util_upscaling_threshold = 1.0
    context.execution_no_progress_timeout_s = -1  # A unit may take hours, and so may waiting for a node.
    with DataContext.current(context):
        yield
