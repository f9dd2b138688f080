"""What tells the folder of an export from any other: the same command continues it, and no other writes there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError, OutputError, one_line
from labeler.storage import atomic
from labeler.storage.lock import Lock
from labeler.storage.names import TRIAL

NAME = "labeler-export.json"
_LOCK = ".labeler-export.lock"
_LONGEST = 1 << 20


class Marker:
    """The folder of one export. ``figures`` are those that it was finished with, None of one that is not."""

    def __init__(self, out: Path, about: Mapping[str, Any], figures: dict[str, Any] | None) -> None:
        self._out, self._about, self.figures = out, dict(about), figures

    def write(self, figures: Mapping[str, Any] | None) -> None:
        """Write the marker; with the figures of a finished export.

        Raises:
            OutputError: it cannot be written.
        """
        self.figures = dict(figures) if figures is not None else None
        atomic.write_json(self._out / NAME, {**self._about, "finished": self.figures})


@contextmanager
def opened(out: Path, about: Mapping[str, Any]) -> Iterator[Marker]:
    """Lock the folder of an export inside the block: a new or empty one, or that of the same export.

    ``about`` is all that decides its content, as JSON has it.

    Raises:
        LabelerError: it holds something else or another export, or another process writes to it.
        OutputError: it cannot be used.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = Lock(out / _LOCK)
    except BlockingIOError as exc:
        raise LabelerError(f"another export writes to {out}; wait for it, or choose another --out") from exc
    except OSError as exc:
        raise OutputError(f"cannot use {out} as the folder of an export: {exc.strerror or exc}") from exc
    try:
        found = _begun(out)
        marker = Marker(out, about, _figures(out, found, about) if found else None)
        if found is None:
            marker.write(None)
        yield marker
    finally:
        lock.release()


def _begun(out: Path) -> dict[str, Any] | None:
    """Return the marker of the export in the folder; None where nothing was exported yet."""
    found = _read(out)
    if found is None and set(os.listdir(out)) - {_LOCK}:
        raise LabelerError(f"{out} is not empty, and holds no export that could be continued; choose another --out")
    for trial in out.glob(f"{TRIAL}*/"):  # A run was killed while it tried out which names the disk keeps.
        shutil.rmtree(trial, ignore_errors=True)
    return found if any(set(names) - {_LOCK, NAME} for _, _, names in os.walk(out)) else None


def _figures(out: Path, found: dict[str, Any], about: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the figures of the export in the folder, if it is finished; refuse another export."""
    other = [f"{name} was {found.get(name)}, is {value}" for name, value in about.items() if found.get(name) != value]
    if other:
        raise LabelerError(f"{out} holds another export ({'; '.join(other)}); choose another --out")
    figures = found.get("finished")
    return figures if isinstance(figures, dict) else None


def _read(out: Path) -> dict[str, Any] | None:
    path = out / NAME
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(_LONGEST))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as exc:
        raise LabelerError(f"{path} cannot be understood: {one_line(exc)}; choose another --out") from exc
    if not isinstance(found, dict):
        raise LabelerError(f"{path} is not that of an export; choose another --out")
    return found
