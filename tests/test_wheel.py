"""What people install: the wheel, in a clean environment, run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, Folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution as an index would get it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel and nothing but what it asks for."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True)
    return folder


def test_the_wheel_holds_every_bundle_its_card_and_the_type_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    bundles = {f"labeler/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "models").glob("*/*")}

    assert bundles | {"labeler/py.typed", "training/fit.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


def test_the_installed_command_labels_pictures_from_another_folder(
    environment: Path, folder: Folder, tmp_path: Path
) -> None:
    folder.noise("a.jpg", seed=1)
    command = [environment / "bin" / "labeler", "classify", "photos", "--out", "labels.csv", "--model", "documented"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "labels.csv").read_text().count("\n") == 2


def test_training_without_tensorflow_says_what_to_install(environment: Path, folder: Folder, tmp_path: Path) -> None:
    folder.noise("happy/a.jpg", seed=1)
    command = [environment / "bin" / "labeler", "train", folder.path, "--out", tmp_path / "run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, "pip install 'labeler[train]'" in done.stderr) == (2, True), done.stderr
