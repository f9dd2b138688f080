"""The report on an installation: true, complete, and nothing in it that is the user's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from conftest import ROOT, make_bundle

from labeler.cli import doctor
from labeler.images import pillow
from labeler.inference import bundle


def report(cwd: Path, *, package: Path = ROOT, **environment: str) -> tuple[int, dict[str, object], str]:
    """Return the exit code, the object and all that was printed by a real run."""
    done = subprocess.run(
        [sys.executable, "-m", "labeler", "doctor", "--json"],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package), os.environ["PYTHONPATH"]]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


def test_here_all_works(tmp_path: Path) -> None:
    exit_code, found, _ = report(tmp_path)

    assert (exit_code, found["exit_code"], found["problems"]) == (0, 0, [])
    assert found["model default"] == "labels the example happy, score 1.000"
    assert str(found["detector yunet"]).startswith("finds the face of the example")
    assert {name: found["formats"][name] for name in pillow.FORMATS} == dict.fromkeys(pillow.FORMATS, "read")  # type: ignore[index]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a run needs, to damage it."""
    place = tmp_path / "of a user"
    for name in ("labeler", "models", "training"):
        shutil.copytree(ROOT / name, place / name)
    shutil.copytree(ROOT / "examples" / "photos" / "portraits", place / "examples" / "photos" / "portraits")
    return place


def test_a_damaged_and_a_missing_model_are_named_without_their_folder(checkout: Path, tmp_path: Path) -> None:
    make_bundle(checkout / "models" / "default" / "model.onnx")
    (checkout / "models" / "documented" / "model.onnx").unlink()
    exit_code, found, printed = report(tmp_path, package=checkout)

    assert (exit_code, found["model default"]) == (4, None)
    damaged, missing = found["problems"]  # type: ignore[misc]
    assert "model.onnx is damaged: its SHA-256 is not that of the shipped default" in damaged
    assert "documented is missing" in missing
    assert "of a user" not in printed


def test_a_temporary_folder_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    script = "import tempfile, sys; tempfile.tempdir = '/nowhere/of a user'; from labeler.cli.app import app; app()"
    done = subprocess.run(
        [sys.executable, "-c", script, "doctor", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 5
    assert "temporary_folder: FileNotFoundError" in done.stdout
    assert "of a user" not in done.stdout


def test_nothing_of_the_environment_is_told(tmp_path: Path) -> None:
    home = tmp_path / "home-of-a-user"
    home.mkdir()
    _, _, printed = report(home, HOME=str(home), API_TOKEN="a-secret")

    assert "a-secret" not in printed
    assert "home-of-a-user" not in printed


def test_what_the_extras_install_is_what_the_package_says() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]

    def names(requirements: list[str]) -> set[str]:
        found: set[str] = set()
        for requirement in requirements:
            inner = re.match(r"labeler\[(\w+)\]", requirement)
            found |= names(extras[inner[1]]) if inner else {re.split(r"[\[><=]", requirement)[0]}
        return found

    assert set(doctor.NEEDED) == names(project["dependencies"])
    assert {extra: set(packages) | {"numpy"} for extra, packages in doctor.EXTRAS.items()} == {
        extra: names(requirements) | {"numpy"}
        for extra, requirements in extras.items()
        if extra not in {"dev", "libraries"}
    }


def test_every_model_that_ships_is_looked_at() -> None:
    found = doctor.examine().found

    assert {f"model {name}" for name in bundle.shipped(bundle.CLASSIFIER)} <= found.keys()
