"""The user's own bundles: where they are, and that their names are taken wherever a model's name is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Folder, make_bundle
from typer.testing import Result

from labeler.cli import own_models
from labeler.errors import LabelerError
from labeler.inference import bundle
from labeler.tables import run_record

Run = Callable[..., Result]


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder, with the bundle `mine`."""
    folder = tmp_path / "own"
    (folder / "mine").mkdir(parents=True)
    make_bundle(folder / "mine" / "model.onnx", name="mine")
    monkeypatch.setenv("LABELER_MODELS", str(folder))
    return folder


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration file of a user without the environment variable; it does not exist yet."""
    monkeypatch.delenv("LABELER_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = tmp_path / "config" / "config.toml"
    path.parent.mkdir()
    monkeypatch.setattr("typer.get_app_dir", lambda _: str(path.parent))
    return path


def test_a_bundle_of_ones_own_labels_by_its_name(run: Run, own: Path, folder: Folder, tmp_path: Path) -> None:
    folder.noise("a.png", seed=1)
    done = run("classify", folder.path, "--out", tmp_path / "t.csv", "--model", "mine", "--workers", "1")
    record = run_record.read(tmp_path / "t.csv")

    assert done.exit_code == 0
    assert record
    assert record.model_sha256 == bundle.sha256(own / "mine" / "model.onnx")


def test_what_a_table_was_labelled_by_is_found_by_the_record(
    run: Run, own: Path, folder: Folder, tmp_path: Path
) -> None:
    """The record holds the name, and not the path: a bundle may move, and be called anything."""
    folder.noise("a.png", seed=1)
    run("classify", folder.path, "--out", tmp_path / "t.csv", "--model", "mine", "--workers", "1")
    record = run_record.read(tmp_path / "t.csv")
    os.rename(own / "mine", own / "renamed")

    assert record
    assert bundle.that_labelled(record.model, record.model_sha256) == own / "renamed" / "model.onnx"


@pytest.mark.usefixtures("own")
def test_a_name_that_nobody_has_is_answered_with_ones_own_names_too(run: Run) -> None:
    done = run("models", "show", "mihne")

    assert done.exit_code == 4
    assert "did you mean mine?" in done.stderr
    assert "of one of yours (mine)" in done.stderr


def test_a_shipped_name_wins(run: Run, own: Path) -> None:
    os.rename(own / "mine", own / "documented")
    shown = json.loads(run("models", "show", "documented", "--json").stdout)
    (listed,) = [one for one in json.loads(run("models", "--json").stdout) if one["own"]]

    assert Path(shown["path"]).parts[-2:] == ("documented", "model.onnx")
    assert own not in Path(shown["path"]).parents
    assert "has the name of a shipped bundle" in listed["error"]


def test_the_list_has_ones_own_bundles_and_says_why_one_cannot_be_used(run: Run, own: Path) -> None:
    (own / "broken").mkdir()
    (own / "broken" / "model.onnx").write_bytes((own / "mine" / "model.onnx").read_bytes()[:999])
    told = run("models", "list")
    found = {Path(one["path"]).parent.name: one for one in json.loads(run("models", "list", "--json").stdout)}

    assert told.exit_code == 0
    assert told.stdout == run("models").stdout
    assert "documented" in told.stdout
    assert f"yours, in {own}:" in told.stdout
    assert "cut short" in found["broken"]["error"]
    assert (found["mine"]["own"], found["documented"]["own"]) == (True, False)


def test_the_folder_is_that_of_the_environment_before_that_of_the_file(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert own_models.folder() == tmp_path / "data" / "labeler" / "models"
    config.write_text('models = "here"\n')
    assert own_models.folder() == config.parent / "here"
    monkeypatch.setenv("LABELER_MODELS", str(tmp_path / "there"))
    assert own_models.folder() == tmp_path / "there"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("models =", "cannot be read"),
        ('modles = "x"', "unknown settings: modles"),
        ("models = 3", "is not the name of a folder"),
    ],
)
def test_a_configuration_that_is_wrong_is_one_line(run: Run, config: Path, content: str, said: str) -> None:
    config.write_text(content)
    done = run("models", "show", "mine")

    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


def test_looking_for_bundles_creates_nothing(run: Run, config: Path, tmp_path: Path) -> None:
    run("models")
    own_models.place("mine")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]
    assert not list(config.parent.iterdir())


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["default", "mine", "../x", "", "a/b", ".hidden"])
def test_a_name_that_cannot_be_given_is_refused(name: str) -> None:
    with pytest.raises(LabelerError):
        own_models.place(name)
