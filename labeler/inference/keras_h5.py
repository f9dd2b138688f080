"""Inspect an `.h5` file of a Keras network before Keras loads it, which reads the old format without its safe mode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labeler.errors import ModelError, needs, one_line
from labeler.inference import keras_file

SUFFIXES = frozenset({".h5", ".hdf5"})

_CONFIG = "model_config"
"""The attribute with the network's layers, in JSON; a file of weights alone has none."""

_VERSION = "keras_version"
_MAX_MEMBERS = 100_000
"""Upper limit on groups and datasets; a network of a thousand layers has some ten thousand."""


def check(path: Path) -> None:
    """Check that a file holds a network and nothing else: no code, no data of other files, no bomb.

    Raises:
        LabelerError: h5py is not installed.
        ModelError: the file holds more than that, or no network, or is no HDF5 file.
    """
    h5py = _h5py()
    try:
        _check_members(h5py, path)
        config = json.loads(_attribute(path, _CONFIG) or "null")
    except Exception as exc:  # h5py raises almost anything on a damaged file.
        raise ModelError(f"{path} is not a Keras .h5 file that can be loaded: {one_line(exc)}") from exc
    if config is None:
        raise ModelError(
            f"{path} holds weights and no network: save the whole network with network.save('FILE.keras') in Keras"
        )
    keras_file.check_config(path, config)


def version(path: Path) -> str:
    """Return the version of Keras that wrote a file; empty where the file does not say.

    Raises:
        OSError: the file cannot be read.
    """
    return one_line(_attribute(path, _VERSION))


def _attribute(path: Path, name: str) -> str:
    with _h5py().File(path, "r") as file:
        value = file.attrs.get(name, "")
    text = value.decode() if isinstance(value, bytes) else str(value)
    if len(text) > keras_file.MAX_JSON:
        raise ValueError(f"its {name} is too long")
    return text


def _check_members(h5py: Any, path: Path) -> None:
    if path.stat().st_size > keras_file.MAX_BYTES:
        raise ValueError(f"it is larger than {keras_file.MAX_BYTES:,} bytes")
    unpacked = members = 0
    with h5py.File(path, "r") as file:
        waiting = [file]
        while waiting:
            group = waiting.pop()
            members += len(group)
            if members > _MAX_MEMBERS:
                raise ValueError(f"it has more than {_MAX_MEMBERS:,} members")
            for name in group:
                if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                    raise ValueError(f"its member {one_line(name)} is a link to elsewhere")
                member = group[name]
                if isinstance(member, h5py.Group):
                    waiting.append(member)
                elif isinstance(member, h5py.Dataset):
                    unpacked += _size(member)
        if unpacked > keras_file.MAX_BYTES:
            raise ValueError(f"unpacked it has {unpacked:,} bytes; the limit is {keras_file.MAX_BYTES:,}")


def _size(dataset: Any) -> int:
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"its member {one_line(dataset.name)} lies in other files")
    return (dataset.size or 0) * int(dataset.dtype.itemsize)


def _h5py() -> Any:
    with needs("train", "h5py"):
        import h5py  # Deferred: only an .h5 file needs it.
    return h5py
