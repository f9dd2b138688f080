"""Inspect a `.keras` file, which is a zip archive, before Keras loads it; keep JSON members of our own in it.

The safe mode of Keras alone is not enough: it has been bypassed more than once.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from labeler.errors import ModelError, one_line

MEMBER = "labeler.json"
"""The member in which `labeler train` stores the class names."""

MAX_BYTES = 1 << 29
"""Upper limit on the unpacked size: half a gigabyte, a hundred times what a network for images of 64x64 needs."""

MAX_JSON = 1 << 24
"""Upper limit on the bytes of JSON that is parsed, for what it becomes in memory is many times as large."""

_CONFIG = "config.json"
_MAX_MEMBERS = 1000
"""Upper limit on members; Keras writes three, and a thousand are no network."""

_REACHES_OUT = frozenset(
    "Lambda TFSMLayer TorchModuleWrapper JaxLayer FlaxLayer StringLookup IntegerLookup TextVectorization function "
    "__lambda__ __typespec__".split()
)
"""Classes that run code from the file, or that read other files."""


def note(path: Path) -> dict[str, Any]:
    """Return what `labeler train` stored in a file; an empty dict for a file of another origin.

    Raises:
        ModelError: the file is no ``.keras`` file, or its archive is refused.
    """
    found = _checked(path).get(MEMBER, {})
    return found if isinstance(found, dict) else {}


def check(path: Path) -> None:
    """Check that a file holds a network and nothing else: no code, no path out of its folder, no zip bomb.

    Raises:
        ModelError: the file holds more than that, or is no ``.keras`` file.
    """
    check_config(path, _checked(path).get(_CONFIG))


def check_config(path: Path, config: Any) -> None:
    """Check that the description of a network, parsed JSON, names nothing but Keras' own layers for images.

    Raises:
        ModelError: it names something that could run code or read other files.
    """
    for part in _objects(config):
        name, module = part["class_name"], part.get("module")
        ours = str(part.get("registered_name")).startswith("labeler>")
        if name in _REACHES_OUT or not (module is None or ours or str(module).partition(".")[0] == "keras"):
            what = one_line(f"{module}.{name}" if module else name)
            raise ModelError(
                f"{path} is refused: it holds {what}, which could run code or read other files; only networks "
                "of Keras' own layers for images are loaded"
            )


def add(path: Path, member: str, content: Any) -> None:
    """Add a JSON member to a ``.keras`` file; Keras ignores it."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, json.dumps(content))


def read(path: Path, member: str) -> Any:
    """Return a JSON member of a ``.keras`` file that `labeler train` wrote; None when there is no such member.

    Raises:
        OSError, ValueError, zipfile.BadZipFile: the file cannot be read, or is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(member)) if member in archive.namelist() else None


def _checked(path: Path) -> dict[str, Any]:
    """Return the JSON members, after the checks of the archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive.infolist())
            names = archive.namelist()
            return {name: json.loads(archive.read(name)) for name in (_CONFIG, MEMBER) if name in names}
    except Exception as exc:  # zipfile and its codecs raise almost anything on a damaged file.
        raise ModelError(f"{path} is not a .keras file that can be loaded: {one_line(exc)}") from exc


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    size = sum(member.file_size for member in members)
    if size > MAX_BYTES or len(names) > _MAX_MEMBERS:
        raise ValueError(f"unpacked it has {size:,} bytes in {len(names):,} members; the limit is {MAX_BYTES:,}")
    if any(member.file_size > MAX_JSON for member in members if member.filename in (_CONFIG, MEMBER)):
        raise ValueError("one of its JSON members is too long")
    if len(set(names)) < len(names):
        raise ValueError("two of its members have the same name")
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or name[1:2] == ":":
            raise ValueError(f"its member {one_line(name)} would be unpacked outside its folder")


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a configuration that names a class, however deeply nested."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
            if "class_name" in part:
                yield part
        elif isinstance(part, list):
            waiting += part
