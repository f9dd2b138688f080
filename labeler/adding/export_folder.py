"""Find the network of an export, and what the files beside it say; nothing outside its folder is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from labeler.adding import hugging_face, json_file, timm
from labeler.adding.said import Said
from labeler.errors import LabelerError, ModelError, one_line

_OTHERS = {
    ".tflite": "convert it with python -m tf2onnx.convert --tflite",
    ".pb": "convert its folder with python -m tf2onnx.convert --saved-model",
    **dict.fromkeys((".pt", ".pth", ".safetensors", ".bin"), "export its network with torch.onnx.export"),
    ".json": "give the folder of the export, with its model.onnx",
}
"""What to do with the formats of networks that are not read, by their suffixes."""

_NETWORKS = ("model.onnx", "onnx/model.onnx")
_MAX_README = 1 << 20
_has_licence = re.compile(r"\A---\n(?:.*\n)*?license: *(\S.*)\n(?:.*\n)*?---\n").match


@dataclass(frozen=True, kw_only=True)
class Found:
    """The network of a source, and what its files say of it."""

    network: Path
    """The ONNX file."""
    said: Said
    given: Path | None = None
    """The file that the user gave, where the ONNX file was made of it."""
    pytorch: bool = False
    """Whether it was written by a library whose networks take channels first."""


def find(source: Path) -> Found:
    """Return the network of an .onnx file or of an export's folder.

    Raises:
        LabelerError: there is no such file.
        ModelError: the folder holds no network, or a file says something that cannot be.
    """
    if not source.exists():
        raise LabelerError(f"there is no {source}; give an .onnx, .keras or .h5 file, or the folder of an export")
    if source.suffix in _OTHERS:
        raise ModelError(f"{source} is no ONNX file: {_OTHERS[source.suffix]}, and add what that writes")
    if not source.is_dir():
        return Found(network=source, said=Said())
    network = next((path for name in _NETWORKS if (path := _inside(source, name))), None)
    if network is None:
        raise ModelError(f"{source} holds none of {', '.join(_NETWORKS)}; give the .onnx file itself")
    config = _inside(source, "config.json")
    if config is None:
        return Found(network=network, said=Said())
    about = json_file.load(config)
    if "pretrained_cfg" in about.content:
        return Found(network=network, said=timm.said(about), pytorch=True)
    processor = _inside(source, "preprocessor_config.json")
    said = hugging_face.said(about, json_file.load(processor) if processor else None)
    return Found(network=network, said=said, pytorch=True)


def licence(source: Path) -> str:
    """Return the licence that the model card beside a network names, its README.md; empty where there is none."""
    path = _inside(source, "README.md") if source.is_dir() else None
    if path is None or path.stat().st_size > _MAX_README:
        return ""
    found = _has_licence(path.read_text("utf-8", errors="replace"))
    return one_line(found[1]) if found else ""


def _inside(folder: Path, name: str) -> Path | None:
    """Return a file of a folder; None where it is missing.

    Raises:
        ModelError: it is a link that leads out of the folder.
    """
    path = folder / name
    if not path.is_file():
        return None
    root = folder.resolve()
    if root.parent.name == "snapshots":  # Hugging Face's cache: links from here to the files in `blobs`.
        root = root.parent.parent
    if not path.resolve().is_relative_to(root):
        raise ModelError(f"{path} is a link to a file outside {folder}, which is not read; copy the file there")
    return path
