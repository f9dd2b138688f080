"""The run directory: it is empty at the start, and only the run that began it may resume."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labeler._version import __version__
from labeler.errors import LabelerError
from labeler.storage import atomic

RECORD = "run.json"


def open_directory(out: Path, *, resume: bool) -> None:
    """Create the run directory, or check that it holds a run to resume.

    Raises:
        LabelerError: the directory is not empty, or holds no run to resume.
        OutputError: the directory cannot be created.
    """
    if resume:
        if not (out / RECORD).exists():
            raise LabelerError(f"there is no run to resume in {out}; omit --resume to begin one")
        return
    hint = "--resume to continue the run in it" if (out / RECORD).exists() else "an empty one"
    atomic.open_empty(out, "run directory", f"give a new --out, or {hint}")


def begin(out: Path, made_of: Mapping[str, Any]) -> None:
    """Write the record that identifies the run.

    Raises:
        OutputError: the record cannot be written.
    """
    atomic.write_json(out / RECORD, {**made_of, "created_with": f"labeler {__version__}"})


def check_same(out: Path, made_of: Mapping[str, Any]) -> None:
    """Compare a run with the record of the one to resume.

    Raises:
        LabelerError: they differ; the message says in what.
    """
    path = out / RECORD
    try:
        begun = dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as exc:
        raise LabelerError(f"{path} is damaged ({exc}); train into another --out") from exc
    changed = [
        f"{name} was {begun.get(name)}, is {value}" for name, value in made_of.items() if begun.get(name) != value
    ]
    if changed:
        raise LabelerError(f"the run in {out} is another one: {'; '.join(changed)}. Train into another --out")
