"""A table whose names, labels, reasons and record try to run in a page, to break it, or to be taken for others."""

from __future__ import annotations

from pathlib import Path

from labeler.records import Row, Status
from labeler.tables import run_record
from labeler.tables.comma_separated import Csv
from labeler.tables.run_record import RunRecord

RUNS = "window.ran=1"

NAMES = {
    f"<script>{RUNS}</script>.jpg": f"<script>{RUNS}</script>.jpg",
    f"</script></style><img src=x onerror={RUNS}>.jpg": f"</script></style><img src=x onerror={RUNS}>.jpg",
    f"\" autofocus onfocus={RUNS} '.jpg": f"\" autofocus onfocus={RUNS} '.jpg",
    f"<svg><a href='javascript:{RUNS}'>x": f"<svg><a href='javascript:{RUNS}'>x",
    "line\nbreak\r\t.jpg": r"line\nbreak\r\t.jpg",
    "\u202egpj.exe": r"\u202egpj.exe",
    "\udcff\udcfe.jpg": r"\xff\xfe.jpg",
    "שלום/حب.jpg": "שלום/حب.jpg",
    "&lt;b&gt; &amp;.jpg": "&lt;b&gt; &amp;.jpg",
    "=1+1{{7*7}}${7*7}.jpg": "=1+1{{7*7}}${7*7}.jpg",
}
"""Names, and what a page shows of them."""

CLASSES = (f"<img src=x onerror={RUNS}>", "\"'><b>bold", "\u202eyppah", "https:x.example")


def make_table(path: Path) -> Path:
    """Write the table, with its run record."""
    rows = []
    for place, (name, shown) in enumerate(NAMES.items()):
        shares = (0.3, 0.32, 0.2, 0.18) if place % 2 else (0.1, 0.1, 0.2, 0.6)
        face = Row(name, 0, 1.0, 2.0, 30.0, 30.0, 0.9, image_width=100, image_height=100).labelled(shares, CLASSES, 0)
        rows += [face, Row(f"failed/{name}").without_label(Status.UNREADABLE, f"{shown} is <b>bad</b>")]
    rows.append(rows[0]._replace(file="by hand.jpg", label=f"</title><script>{RUNS}</script>\n"))
    path.write_bytes(Csv().header(CLASSES) + Csv().encode(rows, CLASSES))
    record = RunRecord(
        version="<i>9</i>",
        schema_version=2,
        model=f"<script>{RUNS}</script>",
        model_sha256="<u>",
        class_names=CLASSES,
        root=str(path.parent),
        inputs=("<script>", "\udcff"),
        settings={f"<script>{RUNS}</script>": [f"<script>{RUNS}</script>"], "deep": {"a": [None, 1e400]}},
        finished=True,
        seconds=float("inf"),
        model_figures={
            "accuracy": f"<script>{RUNS}</script>",
            "n": True,
            "accuracy_interval": ["<", {}],
            "macro_f1": 1e400,
            "data": f"<script>{RUNS}</script>",
            "against": ["<script>"],
            "reliability": [{"n": 10**400, "score": 0.5, "right": 1}],
        },
    )
    run_record.write(path, record, "")
    return path
