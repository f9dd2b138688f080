"""The order *alike*: faces that look the same to the network stand side by side, so that a screen is right or wrong.

A process of its own prepares it, at the lowest priority: at a million faces it takes more memory than the server may,
and it can be killed at once, which a thread cannot.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from labeler.errors import printable
from labeler.review import ranks
from labeler.review.ranks import Ranks
from labeler.review.task import Task

State = Literal["none", "running", "ready"]

_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""NumPy's library for matrices would else use the core that is left to the server."""


class Alike:
    """The order of a table's rows, being prepared. Close it, or the process goes on until this one ends."""

    def __init__(self, task: Task) -> None:
        self.state: State = "none"
        """`none` before and where it fails; see `problem`."""
        self.done = 0.0
        """The share that is done, 0 to 1."""
        self.ranks: Ranks | None = None
        """The place of each row of the table in the order, once it is ready."""
        self.order: NDArray[np.int32] | None = None
        """The rows of the table in this order: a view is ``order[wanted[order]]``, 10 ms for a million rows."""
        self.problem = ""
        """Why there is no order, in words."""
        self._task = task
        self._process: subprocess.Popen[str] | None = None
        self._follower: threading.Thread | None = None

    @classmethod
    def begin(cls, task: Task) -> Self:
        """Return the order: at once where an earlier run has prepared it, else prepare it in the background."""
        alike = cls(task)
        if not alike._take(complete=True):
            alike._start()
        return alike

    def close(self) -> None:
        """Stop the process, within a second; what it has kept is gone on with the next time."""
        process, self._process = self._process, None
        if process:
            process.kill()  # It has nothing to put in order: codes are appended, other files renamed into place.
        if self._follower:
            self._follower.join()

    def _start(self) -> None:
        environment = os.environ | _ONE_THREAD | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-P", "-m", "labeler.review.prepare"]  # -P: not from the folder that we are in.
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, encoding="utf-8"
            )
        except OSError as exc:
            self.problem = f"no process can be started: {exc.strerror or exc}"
            return
        self.state = "running"
        self._follower = threading.Thread(target=self._follow, args=(self._process,), daemon=True)
        self._follower.start()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        """Note what the process tells until it ends."""
        assert process.stdin
        assert process.stdout
        ready = False
        with suppress(OSError), process:  # It leaves by closing the pipes, and waits for the end.
            with suppress(OSError):
                process.stdin.write(self._task.as_json())
                process.stdin.flush()
            for line in process.stdout:
                said = json.loads(line)
                self.done = said.get("done", self.done)
                self.problem = said.get("problem", self.problem)
                ready = ready or "ready" in said
        if not ready or not self._take(complete=False):
            self.state = "none"
            if self._process:
                self.problem = self.problem or f"the process that prepares it has ended: {process.returncode}"

    def _take(self, *, complete: bool) -> bool:
        """Take the ranks that are kept; only ``complete`` ones where faces that could not be read may be back."""
        try:
            found = ranks.read(self._task.ranks_file(), self._task.about())
        except OSError as exc:
            self.problem = printable(f"{exc.filename}: {exc.strerror}")
            return False
        if not found or (complete and found[1]):
            return False
        self.ranks = found[0]
        self.order = np.empty(len(self.ranks), np.int32)
        self.order[self.ranks] = np.arange(len(self.ranks), dtype=np.int32)
        self.done, self.state = 1.0, "ready"
        return True
