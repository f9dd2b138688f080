"""Which of a bundle's two files labels on a device: 8-bit integers are fast on processors, float32 on all others."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from labeler.inference import bundle
from labeler.records import Device


def chosen(path: Path, device: Device) -> tuple[Path, Device]:
    """Return the file of a bundle whose weights label on a device, and the device, found out if that decides it.

    The process that only hands out batches asks this, because the run record says which file it is. ONNX Runtime, whose
    import takes 0.2 s, is asked only where it may have CUDA.

    Raises:
        ModelError: CUDA is wanted and does not work here, or the two files have other classes.
    """
    if device is Device.CPU or not path.with_name(bundle.FLOAT32).is_file():
        return path, device
    if device is Device.AUTO and not _may_have_cuda():
        return path, Device.CPU
    from labeler.inference import session  # Deferred: see above.

    found = session.device(device)
    return of_device(path, found), found


def of_device(path: Path, device: Device) -> Path:
    """Return the file of a bundle whose weights label on a device that is known to work.

    Raises:
        ModelError: the two files have other classes.
    """
    return path if device is Device.CPU else bundle.float32(path)


def _may_have_cuda() -> bool:
    """Say whether the installed ONNX Runtime has the library that runs networks on CUDA, without importing it."""
    spec = find_spec("onnxruntime")
    folder = Path(spec.origin).parent / "capi" if spec and spec.origin else None
    return bool(folder and any(folder.glob("*onnxruntime_providers_cuda*")))
