"""Model files: where those are that ship, and how one is loaded. The only place that knows ONNX Runtime."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# From 1.32 on, importing ONNX Runtime leaves files in the user's cache folder, and it can send them; nothing of the
# kind is to happen here, and no later moment would prevent it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from labeler.errors import ModelError

CLASSIFIER, DETECTOR = "model.onnx", "detector.onnx"
"""What a bundle's file is called, in a folder of the bundle's name."""


def shipped(file: str) -> dict[str, Path]:
    """Return the bundles that ship, by name: of the installed package, else of the checkout."""
    package = Path(__file__).parent
    for folder in (package / "models", package.parent / "models"):
        found = sorted(folder.glob(f"*/{file}"))
        if found:
            return {path.parent.name: path for path in found}
    return {}


def load(path: Path) -> onnxruntime.InferenceSession:
    """Load an ONNX file to run in one thread: processes, not threads, use the cores.

    Raises:
        ModelError: it cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # What is wrong comes as an exception; the log would only repeat it.
    try:
        return onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # ONNX Runtime has a dozen exception classes without a common base.
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {first_line(exc)}") from exc


def first_line(exc: Exception) -> str:
    """Return what an exception of a foreign library says, in one line."""
    return str(exc).strip().partition("\n")[0][:300]


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
