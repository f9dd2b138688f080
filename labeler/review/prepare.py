"""Prepare the order *alike* of a table in a process of its own, at the lowest priority: `alike` starts it.

It is given a `Task` as a line of JSON on stdin, tells the share that is done on stdout, and ends when stdin does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from labeler import storage
from labeler.errors import LabelerError, one_line
from labeler.executors import worker
from labeler.inference import bundle, embeddings
from labeler.records import Faces
from labeler.review import coding, ranks
from labeler.review.arrangement import arranged
from labeler.review.coding import Coded, Listed
from labeler.review.looking import Reader
from labeler.review.task import Task
from labeler.storage.lock import Lock

_LOOKING = 0.98
"""Share of the work that is looking at faces, at least; the rest is to arrange them."""

_LOWEST = 19
"""The lowest priority (`nice`): a request of the page goes first."""

_WAIT_S = 0.1
"""Time between two looks at a lock that another process holds: that of a server that has just ended, most likely."""


def prepare(task: Task, tell: Callable[[float], None]) -> None:
    """Write the ranks of a table's rows: faces alike, then faces that cannot be read, then rows without a face.

    Raises:
        LabelerError: the table or the model cannot be used, or the table was replaced meanwhile.
        OSError: the cache cannot be written.
    """
    about = task.about()
    model, table, folder = Path(task.model), Path(task.table), Path(task.folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = _locked(folder / "alike.lock")
    try:
        view = bundle.card(model).view.of(task.resize)
        look = Reader(embeddings.network(model), storage.at(task.root), task.max_pixels, Faces(task.faces), view)
        faces = coding.listed(table)
        way = f"-{task.resize}" if task.resize else ""
        file = folder / f"alike-{bundle.sha256(model)[:16]}{way}.codes"
        codes = coding.coded(task, faces, look, file, lambda share: tell(_LOOKING * share))
        if task.about() != about:
            raise LabelerError(f"{table} was replaced while its faces were arranged")
        unread = int((~codes.known).sum())
        ranks.write(task.ranks_file(), _ranks(faces, codes), about | {"unread": unread})
    finally:
        lock.release()


def _ranks(faces: Listed, found: Coded) -> ranks.Ranks:
    known = np.flatnonzero(found.known)
    kind = np.full(faces.rows, 2, np.int32)
    kind[faces.numbers] = 1
    kind[faces.numbers[known]] = 0
    order = np.argsort(kind, kind="stable")
    if found.coder is not None:
        alike = arranged(found.codes[known], found.coder.steps, faces.probabilities[known])
        order[: len(known)] = faces.numbers[known][alike]
    placed = np.empty(faces.rows, np.int32)
    placed[order] = np.arange(faces.rows, dtype=np.int32)
    return placed


def _locked(file: Path) -> Lock:
    while True:
        with suppress(BlockingIOError):
            return Lock(file)
        time.sleep(_WAIT_S)


def main() -> None:
    """Do the task that stands on stdin."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # What native code prints is no answer.
    worker.begin()
    if hasattr(os, "nice"):
        os.nice(_LOWEST)
    task = Task.of_json(sys.stdin.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()

    def tell(**said: object) -> None:
        print(json.dumps(said), file=out, flush=True)

    try:
        prepare(task, lambda share: tell(done=round(share, 4)))
        tell(ready=True)
    except OSError as exc:
        tell(problem=one_line(f"{exc.filename or task.folder}: {exc.strerror or exc}"))
    except Exception as exc:  # noqa: BLE001 - there is nobody else to tell
        tell(problem=one_line(exc if isinstance(exc, LabelerError) else repr(exc)))


def _end_with_stdin() -> None:
    """End this process when the server has ended, which closes the pipe."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
