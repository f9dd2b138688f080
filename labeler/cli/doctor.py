"""What a bug report needs: versions, the machine, and whether images are decoded and models run here.

The report names none of the user's files or folders, and no environment variable. A package that cannot be imported is
a finding, so the checks import what they need.
"""

from __future__ import annotations

import io
import locale
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from labeler._version import __version__
from labeler.errors import LabelerError, ModelError, OutputError, one_line
from labeler.executors.cores import cores
from labeler.inference import bundle
from labeler.records import Device, Faces, Settings

NEEDED = ("numpy", "onnxruntime", "opencv-python-headless", "pandas", "pillow", "pyarrow", "rich", "tqdm", "typer")
_EVALUATE = ("matplotlib", "scikit-learn")
_EXPORT = ("imagehash", "scipy")
_REMOTE = ("arro3-core", "fsspec", "obstore")

EXTRAS = {
    "adapt": (*_EXPORT, "onnx"),
    "audit": (*_EVALUATE, *_EXPORT, "cleanlab", "threadpoolctl"),
    "calibrate": ("onnx",),
    "evaluate": _EVALUATE,
    "export": _EXPORT,
    "heif": ("pillow-heif",),
    "models": ("onnx",),
    "ray": (*_REMOTE, "ray"),
    "remote": _REMOTE,
    "review": ("starlette", "uvicorn"),
    "train": (*_EVALUATE, *_EXPORT, "keras", "onnx", "tensorflow", "tf2onnx"),
}
"""Packages of each extra, as in pyproject.toml."""

_MOST_PIXELS = 1 << 20
"""Upper limit on the pixels of the images that the checks decode: they make only small ones."""

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(kw_only=True)
class Report:
    """The findings; ``problems`` say what does not work, and the first of them decides the exit code."""

    found: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    exit_code: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {**self.found, "problems": self.problems, "exit_code": self.exit_code}

    def check(self, name: str, look: Callable[[], Any], code: int) -> None:
        """Record what a check returns; if it raises, record a problem with this exit code."""
        try:
            self.found[name] = look()
        except Exception as exc:  # noqa: BLE001 - the report lists whatever is broken here
            said = str(exc) if isinstance(exc, LabelerError) else f"{type(exc).__name__}: {exc}"
            self.problem(f"{name}: {_without_folders(said)}", code)
            self.found[name] = None

    def problem(self, said: str, code: int) -> None:
        """Record a problem."""
        self.problems.append(said)
        self.exit_code = self.exit_code or code


def examine() -> Report:
    """Run all checks; the models label the photo that is packed with them."""
    report = Report(found=_versions())
    report.found["extras"] = {name: _extra(name, packages) for name, packages in EXTRAS.items()}
    report.found["locale"] = {
        "language": locale.getlocale()[0],
        "encoding": locale.getpreferredencoding(False),
        "file_names": sys.getfilesystemencoding(),
        "stdout": sys.stdout.encoding,
    }
    report.found["cores"] = {"granted": cores(), "in_all": os.cpu_count()}
    report.check("memory_mb", _memory, 0)
    report.check("temporary_folder", _temporary_folder, OutputError.exit_code)
    report.check("formats", _formats, ModelError.exit_code)
    report.check("device", _device, ModelError.exit_code)
    for name in bundle.shipped(bundle.DETECTOR):
        report.check(f"detector {name}", _faces, ModelError.exit_code)
    for name, path in bundle.shipped(bundle.CLASSIFIER).items():
        report.check(f"model {name}", partial(_label, path), ModelError.exit_code)
    for name, path in bundle.shipped(bundle.FLOAT32).items():
        report.check(f"model {name}, {bundle.FLOAT32}", partial(_label, path), ModelError.exit_code)
    for one in bundle.SHIPPED_SHA256:
        name, file = one.split("/")
        if name not in bundle.shipped(file):
            what = f"{name}, {file}," if file == bundle.FLOAT32 else name
            report.problem(f"the model {what} is missing: install labeler again", ModelError.exit_code)
    return report


def _versions() -> dict[str, Any]:
    names = sorted({*NEEDED, *(name for packages in EXTRAS.values() for name in packages)})
    return {
        "labeler": __version__,
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": {name: _version(name) for name in names},
    }


def _version(package: str) -> str | None:
    for name in (package, f"{package}-gpu"):  # onnxruntime-gpu takes the place of onnxruntime.
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name)
    return None


def _extra(extra: str, packages: tuple[str, ...]) -> str:
    missing = [name for name in packages if _version(name) is None]
    return f"lacks {', '.join(missing)}: pip install 'labeler[{extra}]'" if missing else "installed"


def _memory() -> dict[str, int | None]:
    page = os.sysconf("SC_PAGE_SIZE")
    limit = _CGROUP_LIMIT.read_text("ascii").strip() if _CGROUP_LIMIT.is_file() else "max"
    return {
        "in_all": page * os.sysconf("SC_PHYS_PAGES") >> 20,
        "free": page * os.sysconf("SC_AVPHYS_PAGES") >> 20,
        "limit": None if limit == "max" else int(limit) >> 20,
    }


def _temporary_folder() -> str:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(1 << 20))
        file.flush()
    return "can be written"


def _formats() -> dict[str, str]:
    """Write and decode an image in each format; return what came of it."""
    from PIL import Image

    from labeler.images import pillow
    from labeler.images.decode import decode
    from labeler.images.picture import ImageError

    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    made = Image.new("RGB", (64, 64), (200, 30, 30))
    said = {}
    for name in pillow.FORMATS:
        file = io.BytesIO()
        try:
            made.save(file, name)
        except (OSError, KeyError, ValueError):
            said[name] = "not tried: Pillow cannot write it here"
            continue
        try:
            decode(file.getvalue(), 64, 64, _MOST_PIXELS)
            said[name] = "read"
        except ImageError as exc:
            said[name] = f"not read: {exc.reason}"
    return said


def _device() -> dict[str, Any]:
    from labeler.inference import session

    return {"used": str(session.device(Device.AUTO)), "providers": session.providers()}


def _faces() -> str:
    found = _look(Faces.DETECT)
    if len(found) != 1:
        raise ModelError(f"it finds {len(found)} faces where there is one")
    face = found[0][0]
    return f"finds the face of the example, {face.width:.0f} x {face.height:.0f} pixels, score {face.score:.3f}"


def _label(path: Path) -> str:
    from labeler.inference.classifier import Classifier

    network = Classifier(path)
    scores = network.predict(_look(Faces.DETECT)[0][1][None])[0]
    return f"labels the example {network.card.class_names[int(scores.argmax())]}, score {scores.max():.3f}"


def _look(faces: Faces) -> list[Any]:
    from labeler.labeling import Looker

    example = bundle.example()
    return Looker(Settings(root=str(example.parent), faces=faces))(example.name).faces


def _without_folders(text: str) -> str:
    """Replace each folder in a text by dots, for its name may be private."""
    folders = {str(bundle.example().parent), *(str(folder) for folder in bundle.folders()), tempfile.gettempdir()}
    for folder in sorted({*folders, sys.prefix, os.path.expanduser("~"), os.getcwd()} - {"/"}, key=len, reverse=True):
        text = text.replace(folder, "...")
    return one_line(text)
