"""What the process that prepares the order *alike* is asked to do. Imports nothing heavy: the server does it, too."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from labeler.executors.cores import cores
from labeler.records import Faces

RECIPE = 1
"""Version of the way from a face to its code, and from codes to ranks; what another version kept is made again."""

SAMPLE = 4096
"""Faces that the codes' axes are fitted on, at the beginning: a kill meanwhile loses them. Fitted on 2,000 or on 32,298
faces of FER-2013, 48 dimensions keep 91.5% of the neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A table whose faces are to be arranged."""

    table: str
    model: str
    """The file of the model that labelled the table."""
    root: str
    """Where the table's files are."""
    folder: str
    """Where codes and ranks are kept."""
    max_pixels: int
    faces: str = Faces.AUTO
    """How `classify` found the faces, which decides the scale that photos are decoded at."""
    resize: str | None = None
    """How `classify` made squares of images that it took whole; None for the model's own way."""
    threads: int = 0
    """0 for one per core but one, which is left to the server."""
    sample: int = SAMPLE
    """Faces that the codes' axes are fitted on."""

    @classmethod
    def of_json(cls, text: str) -> Self:
        """Return the task of which `as_json` is the text."""
        return cls(**json.loads(text))

    def as_json(self) -> str:
        """Return this task as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    def workers(self) -> int:
        """Return how many threads look at faces."""
        return self.threads or max(1, cores() - 1)

    def about(self) -> dict[str, Any]:
        """Return what the ranks depend on.

        Raises:
            OSError: the table or the model has gone.
        """
        files = {name: Path(file).stat() for name, file in (("model", self.model), ("table", self.table))}
        own = {"recipe": RECIPE, "root": self.root, "faces": self.faces, "sample": self.sample}
        own |= {"resize": self.resize} if self.resize else {}
        return own | {name: f"{found.st_size}:{found.st_mtime_ns}" for name, found in files.items()}

    def ranks_file(self) -> Path:
        """Return where the ranks are kept."""
        return Path(self.folder) / "alike.ranks"
