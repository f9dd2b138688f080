"""Croissant, the description of a data set as JSON-LD: its files, and the fields of its records with their types.

Version 1.1 (docs.mlcommons.org/croissant), as `mlcroissant` reads it. What only a person knows is left out: url,
creator and date of publication.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from labeler.exports import card, json_ld, marker
from labeler.exports.annotation import WHOLE, kept_name
from labeler.exports.card import Counts
from labeler.exports.item import Item, Plan
from labeler.exports.json_ld import Node
from labeler.records import columns
from labeler.storage import atomic
from labeler.tables.cells import INTEGERS

NAME = "croissant.json"

TABLE = "croissant"
"""The format that describes a table in place, and exports nothing."""

_PICTURES = ("*.jpg", "*.jpeg", "*.png", "*.webp", "*.tif", "*.tiff", "*.bmp", "*.gif", "*.heic", "*.avif")

_MEDIA = ("image/jpeg", "image/png", "image/webp")
"""What pictures may be; crops too, for a photo that is itself one is taken as it is."""

_ABOUT = {"file": "sc:Text", "label": "sc:Text", "width": "sc:Integer", "height": "sc:Integer"}
_CROP = {"face": "sc:Integer", "score": "sc:Float"}
"""What stands about a picture: see `annotation.annotation`."""


class Croissant:
    """A table in place: no picture is read or placed. The description is written beside it as beside every export."""

    packs: ClassVar = True
    crops: ClassVar = False
    split: ClassVar[tuple[float, ...]] = ()

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write nothing: see `write`."""

    def path(self, item: Item) -> str:
        """Return the photo's name; it stays in place."""
        return item.name

    def add(self, item: Item) -> None:
        """Write nothing: the table has its rows."""


def write(plan: Plan, counts: Counts) -> None:
    """Write the description of a complete export into its folder.

    Raises:
        OutputError: it cannot be written.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    atomic.write_json(plan.out / NAME, document(plan, counts))


def document(plan: Plan, counts: Counts) -> Node:
    """Return the description of a complete export, whose files are read for their SHA-256."""
    files, records = [], [_classes(plan)]
    for found, record in _PARTS.get(plan.format, _other)(plan):
        files += found
        records += record
    return {
        "@context": json_ld.CONTEXT,
        "@type": "sc:Dataset",
        "name": card.title(plan),
        "description": card.description(plan, counts),
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "license": "unknown: that of the photos",
        "version": "1.0.0",
        "keywords": [word.replace("-", " ") for word in card.keywords(plan)],
        "rai:dataAnnotationProtocol": f"By the model {card.model(plan)}; no person has checked the labels.",
        "rai:personalSensitiveInformation": card.people(plan),
        "distribution": files,
        "recordSet": records,
    }


Parts = Iterator[tuple[list[Node], list[Node]]]
"""Files, and the sets of records in them."""


def _table(plan: Plan) -> Parts:
    """Yield the table itself: a record for each face, and for each file without one."""
    source = json_ld.file("table", plan.out, os.path.relpath(plan.table, plan.out))
    record = plan.record
    # An identity has no space, a class may have one.
    identities = {name: f"probability-{number}" for number, name in enumerate(() if record.top else record.class_names)}
    identities |= {name: f"kept-{number}" for number, name in enumerate(record.keep)}
    fields = []
    texts = record.layout.texts
    for name in columns(*record.layout):
        kind = "sc:Text" if name in texts else "sc:Integer" if name in INTEGERS else "sc:Float"
        fields.append(json_ld.field(f"faces/{identities.get(name, name)}", name, kind, source, {"column": name}))
    yield (
        [source],
        [json_ld.record_set("faces", "One row for each face; a photo without a usable face has one, too.", fields)],
    )


def _imagefolder(plan: Plan) -> Parts:
    for subset in plan.subsets or (WHOLE,):
        source = json_ld.file(f"{subset}-metadata", plan.out, f"{subset}/metadata.jsonl")
        pictures = json_ld.file_set(f"{subset}-pictures", *_MEDIA, includes=_below(subset))
        fields = [
            json_ld.field(f"{subset}/file_name", "file_name", "sc:Text", source, {"column": "file_name"}),
            *_about(plan, subset, source, _ABOUT),
        ]
        yield [source, pictures], [json_ld.record_set(subset, "What is known of each picture.", fields)]


def _parquet(plan: Plan) -> Parts:
    for subset in plan.subsets or (WHOLE,):
        source = json_ld.file_set(f"{subset}-files", json_ld.TYPES[".parquet"], includes=[f"data/{subset}-*.parquet"])
        picture = {"column": "image"}, {"jsonPath": "bytes"}
        fields = [
            json_ld.field(f"{subset}/image", "image", "sc:ImageObject", source, *picture),
            *_about(plan, subset, source, {**_ABOUT, "label": "sc:Integer", "label_name": "sc:Text"}),
        ]
        yield [source], [json_ld.record_set(subset, "The pictures, and what is known of each.", fields)]


def _about(plan: Plan, subset: str, source: Node, kinds: dict[str, str]) -> Iterator[Node]:
    """Yield the fields of a picture that are columns of a table."""
    for name, kind in (kinds | _CROP if plan.crops else kinds).items():
        yield json_ld.field(f"{subset}/{name}", name, kind, source, {"column": name})
    for place, column in enumerate(map(kept_name, plan.record.keep)):
        yield json_ld.field(f"{subset}/kept-{place}", column, "sc:Text", source, {"column": column})
    if not plan.crops:
        number = "sc:Integer" if kinds["label"] == "sc:Integer" else "sc:Text"
        for name, kind, shape in (
            ("bbox", "sc:Float", "-1,4"),
            ("categories", number, "-1"),
            ("scores", "sc:Float", "-1"),
        ):
            field = json_ld.field(f"{subset}/{name}", name, kind, source, {"column": "objects"}, {"jsonPath": name})
            yield {**field, "isArray": True, "arrayShape": shape}


def _webdataset(plan: Plan) -> Parts:
    """Yield the tar files and what they hold; `mlcroissant` reads no JSON in an archive (its issue 1010)."""
    suffix = ".png" if plan.crops else ".jpg"
    for subset in plan.subsets or (WHOLE,):
        names = sorted(path.name for path in plan.out.glob(f"{subset}-*.tar"))
        shards = [json_ld.file(name, plan.out, name, "application/x-tar") for name in names]
        inside = [
            json_ld.file_set(f"{subset}-pictures", *_MEDIA, includes=[f"*{suffix}"], within=shards),
            json_ld.file_set(f"{subset}-json", json_ld.TYPES[".json"], includes=["*.json"], within=shards),
            json_ld.file_set(f"{subset}-classes", json_ld.TYPES[".txt"], includes=["*.cls"], within=shards),
        ]
        name = {"fileProperty": "filename"}
        fields = [
            json_ld.field(f"{subset}/key", "key", "sc:Text", inside[0], name, {"regex": "^([0-9]+)[.].*$"}),
            json_ld.field(f"{subset}/image", "image", "sc:ImageObject", inside[0], {"fileProperty": "content"}),
        ]
        yield (
            [*shards, *inside],
            [json_ld.record_set(subset, "The pictures; JSON and class have the same key.", fields)],
        )


def _folders(plan: Plan) -> Parts:
    """Yield pictures in folders by class, and by subset where there are some."""
    source = json_ld.file_set("picture-files", *_MEDIA, includes=list(_PICTURES))
    whole = {"fileProperty": "fullpath"}
    levels = ("subset", "label") if plan.subsets else ("label",)
    folders = {name: {"regex": f"^{'[^/]+/' * level}([^/]+)/.*$"} for level, name in enumerate(levels)}
    fields = [
        json_ld.field("pictures/path", "path", "sc:Text", source, whole),
        *(json_ld.field(f"pictures/{name}", name, "sc:Text", source, whole, found) for name, found in folders.items()),
        json_ld.field("pictures/image", "image", "sc:ImageObject", source, {"fileProperty": "content"}),
    ]
    yield [source], [json_ld.record_set("pictures", "The pictures, with the class that their folder has.", fields)]


def _other(plan: Plan) -> Parts:
    """Yield the files of a format whose annotations have no records that Croissant can name."""
    for folder in ("", "annotations", "ImageSets/Main", *plan.subsets):
        paths = [f"{folder}/{name}" if folder else name for name in _annotations(plan.out / folder)]
        yield [json_ld.file(path, plan.out, path) for path in paths], []
    for folder, suffix in (("labels", ".txt"), ("Annotations", ".xml")):
        if (plan.out / folder).is_dir():
            yield [json_ld.file_set(folder, json_ld.TYPES[suffix], includes=[f"{folder}/*{suffix}"])], []
    if plan.mode is not None:
        yield [json_ld.file_set("picture-files", *_MEDIA, includes=list(_PICTURES))], []


def _annotations(folder: Path) -> list[str]:
    """Return the names of annotations that lie in a folder itself."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if os.path.splitext(entry.name)[1] in json_ld.TYPES)
    # The marker changes after the description is written: its SHA-256 would be wrong.
    return [name for name in names if name not in {NAME, marker.NAME} and not name.startswith(".")]


_PARTS = {
    TABLE: _table,
    "imagefolder": _imagefolder,
    "parquet": _parquet,
    "webdataset": _webdataset,
    "yolo-cls": _folders,
}


def _classes(plan: Plan) -> Node:
    """Return the classes: a number where a class is one, and a name."""
    parts = {"number": "sc:Integer", "name": "sc:Text"}
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "The classes, in the order of the model.",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/name"},
        "field": [
            {"@type": "cr:Field", "@id": f"classes/{name}", "name": name, "dataType": kind}
            for name, kind in parts.items()
        ],
        "data": [{"classes/number": at, "classes/name": name} for at, name in enumerate(plan.class_names)],
    }


def _below(subset: str) -> list[str]:
    return [f"{subset}/{pattern}" for pattern in _PICTURES]
