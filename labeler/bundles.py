"""Model bundles: where they are and what they say about themselves. Reads no network: that is for those who run it."""

from __future__ import annotations

import hashlib
import json
import mmap
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labeler.errors import ModelError
from labeler.records import INPUT_SIDE, RESERVED_NAMES

DEFAULT_MODEL = "documented"
CLASSIFIER, DETECTOR, README = "model.onnx", "detector.onnx", "README.md"
"""What a bundle's files are called, in a folder of the bundle's name."""

KERAS_MEMBER = "labeler.json"
"""The zip member of a `.keras` file in which `labeler train` leaves the class names."""

BLOCK = 8
"""Pictures per run of a network on a processor, unless its bundle says otherwise: few, for a block that is not full is
filled up (blocks of 8 to 256 take the documented network the same time per picture)."""

_JSON_KEYS = frozenset({"class_names", "input_size", "temperature", "validation", "block"})
_GRAPH, _METADATA_PROPS, _KEY, _VALUE = 7, 14, 1, 2
"""Field numbers of ModelProto, and of StringStringEntryProto, in onnx.proto."""


@dataclass(frozen=True)
class Card:
    """What a model says about itself."""

    name: str
    class_names: tuple[str, ...]
    input_size: int = INPUT_SIDE
    temperature: float = 1.0
    block: int = BLOCK
    validation: dict[str, Any] = field(default_factory=dict)
    training_data: str = ""
    licence: str = ""
    created_with: str = ""
    path: str = ""
    sha256: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def shipped(file: str) -> dict[str, Path]:
    """Return the bundles that ship, by name: of the installed package, else of the checkout."""
    package = Path(__file__).parent
    for folder in (package / "models", package.parent / "models"):
        found = sorted(folder.glob(f"*/{file}"))
        if found:
            return {path.parent.name: path for path in found}
    return {}


def find(model: str) -> Path:
    """Return the file of a model given as a bundle's name, a run directory, or a path; empty is the default.

    Raises:
        ModelError: there is no such model.
    """
    bundles = shipped(CLASSIFIER)
    path = bundles.get(model or DEFAULT_MODEL) or Path(model)
    if path.is_dir():
        path = path / CLASSIFIER
    if not path.is_file():
        names = ", ".join(bundles) or "none"
        raise ModelError(
            f"there is no model {model or DEFAULT_MODEL!r}: give a run directory, an .onnx or .keras file, "
            f"or the name of a bundle that ships ({names})"
        )
    return path


def detector(path: str) -> Path:
    """Return the file of a face detector; of the one that ships when ``path`` is empty.

    Raises:
        ModelError: there is no such file.
    """
    found = Path(path) if path else next(iter(shipped(DETECTOR).values()), Path(DETECTOR))
    if not found.is_file():
        raise ModelError(f"there is no face detector {found}; give an .onnx file in YuNet's format")
    return found


def card(path: Path) -> Card:
    """Return a model's card.

    Raises:
        ModelError: the file is no model, or does not say what its classes are.
    """
    about = _of_keras(path) if path.suffix == ".keras" else _parsed(metadata(path))
    names = about.get("class_names")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"{path} does not say what its classes are. Make a bundle that does: "
            "labeler models convert FILE.keras --class-names angry,disgust,... --out model.onnx"
        )
    unusable = sorted(RESERVED_NAMES.intersection(names)) or sorted({n for n in names if names.count(n) > 1})
    if unusable:
        raise ModelError(f"{path} has class names that are reserved or stand there twice: {', '.join(unusable)}")
    if about.get("input_size", INPUT_SIDE) != INPUT_SIDE:
        raise ModelError(f"{path} wants pictures of {about['input_size']} pixels; labeler gives {INPUT_SIDE}")
    return Card(
        name=about.get("name") or (path.parent.name if path.stem in {"model", "best_model"} else path.stem),
        class_names=tuple(names),
        temperature=about.get("temperature", 1.0),
        block=about.get("block", BLOCK),
        validation=about.get("validation", {}),
        training_data=about.get("training_data", ""),
        licence=about.get("licence", ""),
        created_with=about.get("created_with", ""),
        path=str(path),
        sha256=sha256(path),
    )


def readme(path: Path) -> str:
    """Return what is written about a bundle that ships, in Markdown; nothing about any other."""
    return (path.parent / README).read_text("utf-8") if path in shipped(CLASSIFIER).values() else ""


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_keras(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            metadata = json.loads(archive.read(KERAS_MEMBER)) if KERAS_MEMBER in members else {}
    except (OSError, zipfile.BadZipFile, ValueError) as exc:
        raise ModelError(f"{path} is not a .keras file: {exc}") from exc
    return metadata if isinstance(metadata, dict) else {}


def metadata(path: Path) -> dict[str, str]:
    """Return the metadata of an ONNX file.

    To load the network for it, and ONNX Runtime before, would cost the process that only hands out batches 0.1 s.

    Raises:
        ModelError: it is none.
    """
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for entry in (value for number, value in _fields(content) if number == _METADATA_PROPS):
                named = {number: value.decode() for number, value in _fields(entry)}
                found[named[_KEY]] = named.get(_VALUE, "")
    except (OSError, ValueError, IndexError, KeyError) as exc:
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {exc}") from exc
    return found


def _parsed(metadata: dict[str, str]) -> dict[str, Any]:
    return {key: _decoded(value) if key in _JSON_KEYS else value for key, value in metadata.items()}


def _fields(content: mmap.mmap | bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each field of a protobuf message that has a length; the graph's is left out.

    See "Encoding" in the Protocol Buffers documentation: a field is a key, which is its number and kind, and a value.
    """
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 0:
            _, at = _varint(content, at)
        elif kind in (1, 5):
            at += 8 if kind == 1 else 4
        elif kind == 2:
            length, at = _varint(content, at)
            if at + length > len(content):
                raise ValueError("the file is cut short")
            yield key >> 3, content[at : at + length] if key >> 3 != _GRAPH else b""
            at += length
        else:
            raise ValueError("it is no protobuf message")


def _varint(content: mmap.mmap | bytes, at: int) -> tuple[int, int]:
    """Return the number that begins at a place, seven bits a byte, and where it ends."""
    number = shift = 0
    while shift < 64:
        byte = content[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
    raise ValueError("it is no protobuf message")


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None
