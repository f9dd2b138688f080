"""Point it at folders of photos, get a table of emotion labels you can trust."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labeler._version import __version__
from labeler.errors import LabelerError
from labeler.records import Row, Settings, Status

if TYPE_CHECKING:
    import pandas

    from labeler.labeler import Labeler


__all__ = ["Labeler", "LabelerError", "Row", "Settings", "Status", "__version__", "label", "read"]


def label(
    inputs: str | Path | Iterable[str | Path],
    settings: Settings = Settings(),  # noqa: B008 - frozen
    *,
    workers: int = 1,
    progress: bool = False,
) -> Iterator[Row]:
    """Yield one row per face, and one per file in which no face was labelled, for the photos in folders and files.

    Args:
        inputs: A folder, a file, or several.
        settings: The model, the threshold, and everything else that decides the content of the rows.
        workers: Processes. More than one needs a script whose own work stands below
            ``if __name__ == "__main__":``, as always with Python's multiprocessing. With one, nothing of this process
            is changed, not even where its stderr leads: the decoders' warnings are not read, no photo is `damaged`,
            and nothing limits the time that a photo may take.
        progress: Show a tqdm bar, in a notebook or a terminal.

    Raises:
        LabelerError: there is no photo, or the model cannot be used. A bad photo is a row, not an error.
    """
    from labeler import pipeline

    given = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    rows = pipeline.label(given, settings, workers)
    if not progress:
        return rows
    from tqdm.auto import tqdm

    return iter(tqdm(rows, unit=" faces"))


def read(path: str | Path, *, reviews: bool = True) -> pandas.DataFrame:
    """Return a finished table as a pandas DataFrame, with the labels that persons decided on in a review.

    Args:
        path: The table.
        reviews: Take the corrections, and add two columns: `reviewed`, and `label_before`, the label of the model. With
            False, the table is returned as it was written.

    Raises:
        LabelerError: there is no such table, labeler did not write it, or it or its reviews are damaged.
    """
    from labeler.tables import dataframe

    return dataframe.read(path, reviews=reviews)


def __getattr__(name: str) -> Any:
    """Import `Labeler` on first use: it takes 0.2 s, which the command line does not have."""
    if name != "Labeler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from labeler.labeler import Labeler

    return Labeler
