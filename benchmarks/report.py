"""What every benchmark prints: how it was called, on what machine, and whether a goal is met."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path


def print_setup(subject: str, packages: Sequence[str]) -> None:
    """Print the command, what it measures, the machine and the versions."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"Command: `python {shlex.join(sys.argv)}`\n")
    print(f"- {subject}")
    print(f"- {cpu()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}{load()}")
    print(f"- Python {platform.python_version()}, {versions}\n", flush=True)


def version(package: str) -> str:
    """Return the installed version of a package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "(from the checkout)"


def cpu() -> str:
    """Return the processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def load() -> str:
    """Say how busy the machine was in the minute before; figures taken beside other work are worth less."""
    return f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""


def verdict(met: bool) -> str:
    """Say in a word whether a goal is met."""
    return "met" if met else "missed"
