"""Networks in ONNX files: loaded, on a device. The only place that knows ONNX Runtime."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

# From 1.32 on, importing ONNX Runtime leaves files in the user's cache folder, and it can send them; nothing of the
# kind is to happen here, and no later moment would prevent it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from labeler.errors import ModelError, one_line
from labeler.inference import bundle, onnx_metadata
from labeler.records import Device

_PROVIDERS = {Device.CPU: "CPUExecutionProvider", Device.CUDA: "CUDAExecutionProvider"}

_OUT_OF_MEMORY = ("failed to allocate memory", "out of memory", "bad allocation")
"""What ONNX Runtime's allocator (BFCArena), CUDA and C++ say."""


def device(wanted: Device) -> Device:
    """Return what networks run on here: `wanted`, or for `auto` CUDA where it works and else the processor.

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
        with contextlib.redirect_stdout(io.StringIO()):  # It says on stdout what it does not find.
            onnxruntime.preload_dlls()  # CUDA's libraries may have been installed by pip, where no linker looks.
        load(bundle.detector(""), Device.CUDA)  # The smallest model that is there.
    except ModelError:
        if wanted is Device.CUDA:
            raise
        return Device.CPU
    return Device.CUDA


def providers() -> list[str]:
    """Return what the installed ONNX Runtime was built for."""
    return list(onnxruntime.get_available_providers())


def load(path: Path, device: Device = Device.CPU, content: bytes = b"") -> onnxruntime.InferenceSession:
    """Load an ONNX file, or what was made of it, to run in one thread: processes, not threads, use the cores.

    Raises:
        ModelError: it cannot be loaded, or not on this device, or it needs other files.
    """
    onnx_metadata.check_self_contained(path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # What is wrong comes as an exception; the log would only repeat it.
    providers = list(dict.fromkeys([_PROVIDERS[device], _PROVIDERS[Device.CPU]]))
    try:
        session = onnxruntime.InferenceSession(content or os.fspath(path), options, providers=providers)
    except Exception as exc:  # ONNX Runtime has a dozen exception classes without a common base.
        raise ModelError(f"{path} is not an ONNX model that can be loaded: {one_line(exc)}") from exc
    if providers[0] not in session.get_providers():  # It falls back to the processor by itself, without a word.
        raise ModelError("ONNX Runtime finds no CUDA device, driver or library that it can use; use --device cpu")
    return session


def is_out_of_memory(exc: Exception) -> bool:
    """Say whether the device had too little memory for a run; ONNX Runtime has no exception class for it."""
    return any(sign in str(exc).lower() for sign in _OUT_OF_MEMORY)
