"""A table whose names and classes try to run in the page of a review, to break it, or to be taken for others."""

from __future__ import annotations

from pathlib import Path

from conftest import Folder
from opened import write

from labeler import storage
from labeler.records import Row
from labeler.tables.comma_separated import Csv

RUNS = "window.ran=1"

NAMES = (
    f"<img src=x onerror={RUNS}>.png",
    f"\" autofocus onfocus={RUNS} '.png",
    "\u202egnp.exe.png",
    "שלום حب.png",
    "&lt;b&gt; &amp;.png",
    "${7*7}{{7*7}}.png",
)
CLASSES = (f"<img src=x onerror={RUNS}>", "\"'><b>bold", "\u202eyppah")
ROWS = len(NAMES)


def make_table(folder: Path) -> Path:
    """Write the photos and their table."""
    rows = []
    for index, name in enumerate(NAMES):
        Folder(folder).noise(name, seed=index)
        version = storage.at(str(folder)).version(name)
        face = Row(name, 0, 4.0, 4.0, 40.0, 40.0, 0.9, image_width=48, image_height=48, version=version)
        rows.append(face.labelled(((0.6, 0.3, 0.1), (0.2, 0.6, 0.2), (0.1, 0.3, 0.6))[index % 3], CLASSES, 0))
    return write(folder / "hostile.csv", folder, Csv().encode(rows, CLASSES), CLASSES)


def shown() -> list[str]:
    """Return what a page shows: control characters are written as escapes."""
    return [name.replace("\u202e", r"\u202e") for name in (*NAMES, *CLASSES)]
