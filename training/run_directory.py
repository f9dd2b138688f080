"""The run directory: begun empty, and continued only by the run that began it."""

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
    """Create the run directory, or find in it the run to resume.

    Raises:
        LabelerError: it is not empty, or holds no run to resume.
        OutputError: it cannot be created.
    """
    if resume:
        if not (out / RECORD).exists():
            raise LabelerError(f"there is no run to resume in {out}; leave --resume away to begin one")
        return
    hint = "--resume to continue the run in it" if (out / RECORD).exists() else "an empty one"
    atomic.open_empty(out, "run directory", f"give a new --out, or {hint}")


def begin(out: Path, made_of: Mapping[str, Any]) -> None:
    """Write down what the run is made of.

    Raises:
        OutputError: it cannot be written.
    """
    atomic.write_json(out / RECORD, {**made_of, "created_with": f"labeler {__version__}"})


def check_same(out: Path, made_of: Mapping[str, Any]) -> None:
    """Compare what a run would be made of with what it was begun with.

    Raises:
        LabelerError: they differ; it says in what.
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
