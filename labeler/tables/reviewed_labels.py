"""The labels of a table of ours that persons reviewed, as ground truth for training and evaluation."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pyarrow

from labeler.records import Row, Status
from labeler.tables import arrays, decided, reader
from labeler.tables.cells import INTEGERS, Layout, cells, inert

ADDED = "/added"
"""The column that says that a person added the face: training and evaluation find the faces themselves, without it. No
class has this name."""

_ROWS_AT_ONCE = 10_000


def corrected(path: Path) -> pyarrow.Table:
    """Return a table of ours with the labels that count, as `arrow.read` gives one, and with the column `ADDED`.

    A photo is learnt by its largest face, as the detector finds it; where a person took that one out, the numbers of
    the other faces stay, and none of them counts. A face of a damaged photo that a person labelled is `ok`. The
    probabilities of a corrected face become a vote for its label.

    Raises:
        LabelerError: it is no table of ours, or it or its reviews are damaged.
    """
    layout = reader.layout(path)._replace(keep=())
    kinds = {**dict.fromkeys(layout.texts, pyarrow.string()), **dict.fromkeys(INTEGERS, pyarrow.int64())}
    names = cells(Row(""), *layout)
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.float64())) for name in names] + [(ADDED, pyarrow.bool_())])
    is_csv = path.suffix.lower() == ".csv"
    found = (_record(row, layout, is_csv=is_csv) for row in decided.rows(path))
    parts = [arrays.batch(part, schema) for part in iter(lambda: list(islice(found, _ROWS_AT_ONCE)), [])]
    return pyarrow.Table.from_batches(parts, schema)


def _record(row: Row, layout: Layout, *, is_csv: bool) -> dict[str, object]:
    if decided.class_of(row):
        row = row._replace(status=Status.OK)
    if row.before is not None and row.before != row.label:
        row = row._replace(probabilities=tuple(float(name == row.label) for name in layout.class_names), further=())
    values = cells(row, *layout)
    return {**values, "file": inert(values["file"]) if is_csv else values["file"], ADDED: decided.is_added(row)}
