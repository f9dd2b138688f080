"""The parts of a Croissant description as JSON-LD: files, sets of files, sets of records and their fields."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from labeler.tables.cells import escape

Node = dict[str, Any]

TYPES = {
    ".csv": "text/csv",
    ".jsonl": "application/jsonlines",
    ".parquet": "application/x-parquet",
    ".json": "application/json",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
    ".txt": "text/plain",
}
"""Media types of tables and annotations, by suffix; those of tables as `mlcroissant` calls them."""

CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The terms of version 1.1."""


def file(identity: str, folder: Path, path: str, kind: str = "") -> Node:
    """Return one file, by its path relative to the description."""
    with (folder / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    return {
        "@type": "cr:FileObject",
        "@id": identity,
        "name": escape(os.path.basename(path)),
        "contentUrl": escape(path.replace(os.sep, "/")),
        "contentSize": f"{size} B",
        "encodingFormat": kind or TYPES[os.path.splitext(path)[1].lower()],
        "sha256": digest,
    }


def file_set(identity: str, *kinds: str, includes: list[str], within: list[Node] | None = None) -> Node:
    """Return the files that match a pattern; ``*`` matches slashes, too."""
    inside = {"containedIn": [{"@id": one["@id"]} for one in within]} if within else {}
    return {
        "@type": "cr:FileSet",
        "@id": identity,
        "name": identity,
        **inside,
        "encodingFormat": list(kinds),
        "includes": includes,
    }


def record_set(identity: str, about: str, fields: list[Node]) -> Node:
    """Return the records that have these fields; ``about`` says what one is."""
    return {"@type": "cr:RecordSet", "@id": identity, "name": identity, "description": about, "field": fields}


def field(identity: str, name: str, kind: str, source: Node, extract: Node, transform: Node | None = None) -> Node:
    """Return a field, with its type and where it is found: in which files, by which extract and transform."""
    which = "fileObject" if source["@type"] == "cr:FileObject" else "fileSet"
    found: Node = {which: {"@id": source["@id"]}, "extract": extract}
    if transform:
        found["transform"] = transform
    return {"@type": "cr:Field", "@id": identity, "name": name, "dataType": kind, "source": found}
