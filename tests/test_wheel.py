"""What people install: the wheel, in a clean environment, run from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path, PurePosixPath

import pytest
from conftest import ROOT, Folder
from packaging.requirements import Requirement


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
    """A fresh virtual environment with the wheel and nothing but what it asks for; no index is asked.

    The packages are links to those installed here, so pip refuses the wheel where one that it asks for is missing.
    """
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for installed in needed(wheel):
        for name in {path.parts[0] for path in installed.files or ()} - {"..", "__pycache__"}:
            if not (packages / name).exists():
                (packages / name).symlink_to(Path(str(installed.locate_file(name))).resolve())
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", wheel]
    subprocess.run(install, check=True)
    return folder


def needed(wheel: Path) -> list[Distribution]:
    """Return the installed packages that a wheel requires, and those that they require in turn, without extras."""
    (packed,) = distributions(path=[str(wheel)])
    found: dict[str, Distribution] = {}
    unmet = list(packed.requires or [])
    while unmet:
        one = Requirement(unmet.pop())
        if one.name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found[one.name] = distribution(one.name)
            unmet += found[one.name].requires or []
    return list(found.values())


def test_the_wheel_holds_every_bundle_its_card_and_the_type_marker(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    bundles = {f"labeler/{path.relative_to(ROOT).as_posix()}" for path in (ROOT / "models").glob("*/*")}

    assert bundles | {"labeler/py.typed", "training/fit.py"} <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


def test_the_wheel_holds_the_page_of_reviews(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    static = {path.relative_to(ROOT).as_posix() for path in (ROOT / "labeler" / "review" / "static").iterdir()}

    assert {"labeler/review/static/index.html", "labeler/review/static/main.js"} <= static <= names


def test_no_module_of_the_wheel_has_the_name_of_the_folder_that_the_bundles_lie_in(wheel: Path) -> None:
    """`labeler/models.py` beside the folder `labeler/models` would hide one of the two from an import."""
    paths = [PurePosixPath(name) for name in zipfile.ZipFile(wheel).namelist()]
    python = [path for path in paths if path.suffix == ".py"]
    modules = {path.parent if path.name == "__init__.py" else path.with_suffix("") for path in python}
    folders = {folder for path in paths if path.suffix == ".onnx" for folder in path.parents}

    assert folders & modules == {PurePosixPath("labeler")}


def test_the_installed_command_labels_pictures_from_another_folder(
    environment: Path, folder: Folder, tmp_path: Path
) -> None:
    folder.noise("a.jpg", seed=1)
    done = installed(environment, "classify", "photos", "--out", "labels.csv", "--model", "documented", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "labels.csv").read_text().count("\n") == 2


def test_training_without_tensorflow_says_what_to_install(environment: Path, folder: Folder, tmp_path: Path) -> None:
    folder.noise("happy/a.jpg", seed=1)
    done = installed(environment, "train", "photos", "--out", "run", cwd=tmp_path)

    assert (done.returncode, "pip install 'labeler[train]'" in done.stderr) == (2, True), done.stderr


def installed(environment: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command as its user would: nothing leads to the checkout."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [environment / "bin" / "labeler", *arguments]
    return subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, check=False)
