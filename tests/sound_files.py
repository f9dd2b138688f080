"""Small sound files of every kind that labeler reads, to be mutated."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from conftest import ROOT
from PIL import Image

from labeler.inference import bundle
from labeler.records import Face, Row, Status
from labeler.tables import formats, writer
from labeler.tables.run_record import RunRecord

NAMES = ("angry", "happy", "sad")


class File(NamedTuple):
    """A sound file to mutate."""

    name: str
    content: bytes


def pictures() -> Iterator[File]:
    """Yield images in every format and mode that Pillow can write here, and the example photos."""
    across = np.linspace(0, 255, 40 * 30 * 3).astype(np.uint8).reshape(30, 40, 3)
    picture = Image.fromarray(across ^ across[::-1])
    Image.init()
    for kind in sorted(Image.SAVE):
        for mode in ("RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16"):
            content = BytesIO()
            try:
                picture.convert("L" if mode == "I;16" else mode).convert(mode).save(content, kind)
            except Exception:  # noqa: BLE001 - formats refuse a mode with all kinds of exceptions
                continue
            yield File(f"{mode}.{kind}".replace(";", ""), content.getvalue())
    for options in ({"progressive": True}, {"quality": 95, "subsampling": 0}, {"restart_marker_blocks": 1}):
        content = BytesIO()
        picture.save(content, "JPEG", **options)
        yield File("options.JPEG", content.getvalue())
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "group4", "webp", "zstd", "lzma"):
        content = BytesIO()
        try:
            picture.convert("1" if compression == "group4" else "RGB").save(content, "TIFF", compression=compression)
        except Exception:  # noqa: BLE001 - not every libtiff has every compression
            continue
        yield File(f"{compression}.TIFF", content.getvalue())
    for path in sorted((ROOT / "examples" / "photos").rglob("*.jpg")):
        yield File(path.name, path.read_bytes())


def table_files() -> Iterator[File]:
    """Yield tables that labeler wrote, with a run record, and tables of labels and votes."""
    rows = [
        Row(f"photos/{name}.jpg").located(0, Face(1, 2, 30, 40, 0.5)).labelled((0.25, 0.5, 0.25), NAMES, 0.0)
        for name in ("plain", 'with "quotes", comma', "=two\nlines", os.fsdecode(b"\xff\xfe"), "007", "'apostrophe")
    ]
    rows.append(Row("bad.jpg").without_label(Status.UNREADABLE, "broken data stream"))
    record = RunRecord(
        version="0.1",
        schema_version=1,
        model="mine",
        model_sha256="0" * 64,
        class_names=NAMES,
        root="/photos",
        inputs=("/photos",),
        settings={"min_face": 24},
        finished=True,
        counts={"files": 7},
    )
    with tempfile.TemporaryDirectory() as folder:
        for suffix in formats.SUFFIXES:
            path = Path(folder, f"table{suffix}")
            with writer.TableWriter.begin(path, record) as draft:
                draft.write(rows)
                draft.finish({"files": 7})
            yield File(path.name, path.read_bytes())
        yield File("table.csv.run.json", Path(folder, "table.csv.run.json").read_bytes())
    yield File("labels.csv", b"file,label\na.jpg,angry\nb.jpg,happy\nc.jpg,sad\n")
    yield File("votes.csv", b"file,angry,happy,fold\na.jpg,1,9,1\nb.jpg,0.5,0.25,2\nc.jpg,,3,2\n")
    yield File("votes.jsonl", b'{"file": "a.jpg", "angry": 1, "happy": 9}\n{"file": "b.jpg", "angry": 0.5}\n')
    yield File("odd.jsonl", b'{"file": "a.jpg", "angry": [1, {"a": 2}], "happy": null}\n{"file": 7, "angry": true}\n')


def bundle_files() -> Iterator[File]:
    """Yield bundles: a shipped one without its weights, then without its graph, with metadata only."""
    model = onnx.load(bundle.find(bundle.DEFAULT_MODEL))
    for weights in model.graph.initializer:
        weights.ClearField("raw_data")
    yield File("model.onnx", model.SerializeToString())
    del model.graph.node[:], model.graph.initializer[:]
    yield File("model.onnx", model.SerializeToString())
