"""The user's own folder of bundles: the environment variable LABELER_MODELS, the configuration file, or the default."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from pathlib import Path

import typer

from labeler.errors import LabelerError, one_line

VARIABLE = "LABELER_MODELS"
_KEY = "models"
_NAME = re.compile(r"\w[\w.+-]{0,99}").fullmatch


def folder() -> Path:
    """Return the folder of the user's own bundles, which need not exist: absolute, for other processes.

    Raises:
        LabelerError: the configuration file cannot be used.
    """
    said = os.environ.get(VARIABLE, "")
    if said:
        return Path(os.path.abspath(os.path.expanduser(said)))
    return _configured(config_file()) or _data_folder() / "models"


def config_file() -> Path:
    """Return the configuration file, which need not exist."""
    return Path(typer.get_app_dir("labeler")) / "config.toml"


def place(name: str) -> Path:
    """Return the file of a new bundle of this name in the user's own folder. Nothing is created.

    Raises:
        LabelerError: the name is no name of a bundle, or is taken.
    """
    from labeler.inference import bundle  # Deferred: only a few commands need it.

    check_name(name)
    if name in bundle.shipped(bundle.CLASSIFIER):
        raise LabelerError(f"{name} is the name of a shipped bundle; give another --name")
    path = folder() / name / bundle.CLASSIFIER
    if path.parent.exists():
        raise LabelerError(f"{path.parent} exists already; give another --name, or remove that folder")
    return path


def check_name(name: str) -> None:
    """Check that a folder of bundles can hold one of this name.

    Raises:
        LabelerError: it cannot.
    """
    if not _NAME(name):
        raise LabelerError(f"{name!r} cannot be a bundle's name: use letters, digits, '.', '-', '_' and '+'")


def _configured(path: Path) -> Path | None:
    """Return the folder that the configuration file names, relative to its own folder; None where it names none."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as exc:
        raise LabelerError(f"{path} cannot be read: {one_line(exc)}; correct it or remove it") from exc
    unknown = ", ".join(one_line(key) for key in content if key != _KEY)
    if unknown:
        raise LabelerError(f"{path} has unknown settings: {unknown}; it may set {_KEY} alone")
    found = content.get(_KEY)
    if found is None:
        return None
    if not isinstance(found, str) or not found:
        raise LabelerError(f'{path}: {_KEY} is not the name of a folder; write {_KEY} = "/path/of/my/models"')
    return Path(os.path.abspath(path.parent / os.path.expanduser(found)))


def _data_folder() -> Path:
    """Return the folder of the user's data: that of the XDG specification, or of the platform."""
    if sys.platform in {"win32", "darwin"}:
        return Path(typer.get_app_dir("labeler"))
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return base / "labeler"
