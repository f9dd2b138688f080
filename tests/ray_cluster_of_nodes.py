"""A Ray cluster of several nodes on this machine, in a process of its own: see `ray_nodes`."""

from __future__ import annotations

import os
import subprocess
import sys

from conftest import ROOT

LIMIT_S = 300
"""Upper limit on a run."""


class Nodes:
    """A cluster of `ray_nodes`."""

    def __init__(self, folder: str, nodes: int) -> None:
        here = {"HOME": folder, "RAY_TMPDIR": folder, "RAY_AUTH_MODE": "disabled"}
        os.mkdir(os.path.join(folder, "ray"))
        self._process = subprocess.Popen(
            [sys.executable, ROOT / "tests" / "ray_nodes.py", str(nodes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | here | {"PYTHONPATH": str(ROOT)},
        )
        self.address = self._told()

    def _told(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def tell(self, command: str) -> None:
        """Kill or add a node."""
        assert self._process.stdin
        print(command, file=self._process.stdin, flush=True)
        assert self._told() == "done"

    def end(self) -> None:
        self._process.communicate(timeout=LIMIT_S)
