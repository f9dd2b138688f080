"""`.keras` files: refused before Keras sees them when they hold more than a network."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from labeler.errors import ModelError
from labeler.inference import bundle, keras_file, keras_network

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3}}
CODE = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None, "closure": None}}


def archive(path: Path, config: Any = None, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        opened.writestr("config.json", json.dumps(config or sequential(DENSE)))
        opened.writestr("labeler.json", json.dumps({"class_names": ["angry", "happy", "sad"], "input_size": 64}))
        for name, content in members.items():
            opened.writestr(name, content)
    return path


def sequential(*layers: Any) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def test_a_network_of_keras_own_layers_passes(tmp_path: Path) -> None:
    keras_file.check(archive(tmp_path / "m.keras"))


@pytest.mark.parametrize(
    "part",
    [
        {"module": "keras.layers", "class_name": "Lambda", "config": {"function": CODE}},
        {"module": "os", "class_name": "system", "config": "touch marker"},
        {"module": "builtins", "class_name": "function", "config": "eval", "registered_name": "function"},
        {"module": "keras.utils", "class_name": "function", "config": "get_file", "registered_name": "function"},
        {"module": "kerasevil", "class_name": "Dense", "config": {}},
        {"module": "subprocess", "class_name": "Popen", "config": {}, "registered_name": "Popen"},
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp/evil"}},
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {**DENSE, "config": {"units": 3, "activation": CODE}},
        {**DENSE, "config": {"units": 3, "kernel_initializer": {"module": "os", "class_name": "system", "config": {}}}},
    ],
    ids=lambda part: str(part["class_name"]),
)
def test_what_could_run_code_or_read_files_is_refused(tmp_path: Path, part: dict[str, Any]) -> None:
    path = archive(tmp_path / "m.keras", sequential(DENSE, part))
    with pytest.raises(ModelError, match="could run code or read other files"):
        keras_network.load(path)


@pytest.mark.parametrize(
    "name", ["../evil.txt", "assets/../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt"]
)
def test_a_member_that_would_lie_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "m.keras", **{name: b"evil"})
    with pytest.raises(ModelError, match="would be unpacked outside"):
        bundle.card(path)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", **{"model.weights.h5": bytes(1000)})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # The last entry of the directory: its size, unpacked.
    content[at : at + 4] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ModelError, match="unpacked it has"):
        bundle.card(path)


@pytest.mark.parametrize("name", ["config.json", "labeler.json"])
def test_a_long_description_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, b" " * ((1 << 24) + 1))
    with pytest.raises(ModelError, match="too long"):
        bundle.card(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "m.keras", **{"config.json": b"{}"})
    with pytest.raises(ModelError, match="two of its members have the same name"):
        bundle.card(path)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"{", b"\xff", b""])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("config.json", content)
    with pytest.raises(ModelError, match=r"is not a \.keras file that can be loaded"):
        bundle.card(path)


def test_a_file_of_the_old_kind_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    """Keras loads HDF5 files without its safe mode."""
    path = tmp_path / "m.keras"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    with pytest.raises(ModelError, match=r"is not a \.keras file that can be loaded"):
        keras_network.load(path)
