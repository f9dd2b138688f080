"""Load networks in ONNX files on a device. The only place that knows ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

# Telemetry: from 1.32 on, importing ONNX Runtime writes files into the user's cache folder, and can send them. Only
# setting this before the import prevents it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from labeler.errors import ModelError, one_line
from labeler.inference import bundle, onnx_metadata
from labeler.records import Device

_PROVIDERS = {Device.CPU: "CPUExecutionProvider", Device.CUDA: "CUDAExecutionProvider"}

_OUT_OF_MEMORY = ("failed to allocate memory", "out of memory", "bad allocation")
"""Out-of-memory messages of ONNX Runtime's allocator (BFCArena), CUDA and C++."""


def device(wanted: Device) -> Device:
    """Return the device to run networks on: `wanted`; for `auto` CUDA where it works, else the CPU.

    Raises:
        ModelError: CUDA is wanted and does not work here.
    """
    if wanted is Device.CPU:
        return Device.CPU
    if _PROVIDERS[Device.CUDA] not in onnxruntime.get_available_providers():
        if wanted is Device.CUDA:
            raise ModelError(
                f"the installed ONNX Runtime {onnxruntime.__version__} cannot use CUDA: pip uninstall onnxruntime, "
                "pip install onnxruntime-gpu, or use --device cpu"
            )
        return Device.CPU
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # It prints missing libraries to stdout.
            onnxruntime.preload_dlls()  # pip may have installed CUDA's libraries where no linker looks.
        load(bundle.detector(""), Device.CUDA)  # The smallest model available.
    except ModelError:
        if wanted is Device.CUDA:
            raise
        return Device.CPU
    return Device.CUDA


def providers() -> list[str]:
    """Return the execution providers of the installed ONNX Runtime."""
    return list(onnxruntime.get_available_providers())


def load(path: Path, device: Device = Device.CPU, content: bytes = b"") -> onnxruntime.InferenceSession:
    """Load an ONNX file, or ``content`` made from it, to run in one thread: processes, not threads, use the cores.

    Raises:
        ModelError: it cannot be loaded, or not on this device, or it has external data.
    """
    onnx_metadata.check_self_contained(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # Errors come as exceptions; the log would only repeat them.
    providers = list(dict.fromkeys([_PROVIDERS[device], _PROVIDERS[Device.CPU]]))
    try:
        fallback = int(device is Device.CUDA)  # A second try on the CPU prints on stdout.
        source = content or os.fspath(path)
        session = onnxruntime.InferenceSession(source, options, providers=providers, enable_fallback=fallback)
    except Exception as exc:  # ONNX Runtime has a dozen exception classes without a common base.
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {one_line(exc)}") from exc
    if providers[0] not in session.get_providers():  # It falls back to the CPU silently.
        raise ModelError("ONNX Runtime finds no CUDA device, driver or library that it can use; use --device cpu")
    return session


def is_out_of_memory(exc: Exception) -> bool:
    """Say whether the device had too little memory for a run; ONNX Runtime has no exception class for it."""
    return isinstance(exc, MemoryError) or any(sign in str(exc).lower() for sign in _OUT_OF_MEMORY)
