"""What the code offers stands in the documentation, and the documentation names nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import ROOT, Folder
from onnx import TensorProto, helper, numpy_helper
from typer.main import get_command
from typer.testing import Result

from labeler import errors, pipeline
from labeler.cli import error_handler
from labeler.cli.app import app
from labeler.inference import bundle
from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, Settings, Status

README = (ROOT / "README.md").read_text("utf-8")
EXPORT = (ROOT / "docs" / "export.md").read_text("utf-8")
REVIEW = (ROOT / "docs" / "review.md").read_text("utf-8")
SCALE = (ROOT / "docs" / "scale.md").read_text("utf-8")
MODELS = (ROOT / "docs" / "models.md").read_text("utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def commands(command: Any, name: str = "labeler") -> Iterator[tuple[str, Any]]:
    for word, found in getattr(command, "commands", {}).items():
        yield f"{name} {word}", found
        yield from commands(found, f"{name} {word}")


ALL = dict(commands(get_command(app)))
OPTIONS = sorted(
    {
        option
        for command in (get_command(app), *ALL.values())
        for one in command.params
        for option in (*one.opts, *one.secondary_opts)
        if option[0] == "-"
    }
)


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_documented(name: str) -> None:
    assert name in COMMANDS


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_is_documented(option: str) -> None:
    assert re.search(rf"(?<![-\w]){option}(?![-\w])", COMMANDS)


def test_no_option_is_documented_that_does_not_exist() -> None:
    named = set(re.findall(r"(?<![-\w])--[a-z][a-z-]+", README + REVIEW + COMMANDS))

    assert named - set(OPTIONS) - {"--version", "--help"} == set()


@pytest.mark.parametrize("name", [*COLUMNS_BEFORE, *COLUMNS_AFTER, *Status])
def test_every_column_and_status_is_documented(name: str) -> None:
    assert f"`{name}`" in README


def test_every_exit_code_is_documented() -> None:
    classes = [errors.LabelerError, *errors.LabelerError.__subclasses__()]

    assert {0, 1, 70, error_handler.TERMINATED, *(one.exit_code for one in classes)} == {
        int(code) for code in re.findall(r"^\| (\d+) \|", README, re.M)
    }


@pytest.mark.parametrize(
    "command", re.findall(r"^labeler .*?(?=  #|$)", README + EXPORT + REVIEW + SCALE + MODELS, re.M)
)
def test_every_command_line_in_the_documentation_can_be_parsed(command: str) -> None:
    words = command.split()[1:]
    parser = get_command(app)
    with parser.make_context("labeler", list(words)) as context:
        name, found, rest = parser.resolve_command(context, words)
        assert name
        found.make_context(name, rest).close()


@pytest.mark.parametrize(
    "path",
    [
        "README.md",
        "docs/commands.md",
        "docs/bundle.md",
        "docs/export.md",
        "docs/models.md",
        "docs/review.md",
        "docs/scale.md",
        "CONTRIBUTING.md",
        "examples/photos/SOURCES.md",
    ],
)
def test_every_link_leads_somewhere(path: str) -> None:
    page = ROOT / path
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_command_that_makes_a_bundle_makes_one(
    folder: Folder, tmp_path: Path, run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.noise("a.png", seed=1)
    weights = np.random.default_rng(0).normal(0, 0.05, (48 * 48, 3)).astype(np.float32)
    network = helper.make_graph(
        [
            helper.make_node("Flatten", ["planes"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["scores"]),
        ],
        "network",
        [helper.make_tensor_value_info("planes", TensorProto.FLOAT, ["batch", 1, 48, 48])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    made = helper.make_model(network, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(made, tmp_path / "network.onnx")
    (command,) = re.findall(r"^labeler (models add .*)", (ROOT / "docs" / "bundle.md").read_text("utf-8"), re.M)
    monkeypatch.chdir(tmp_path)
    assert run(*command.split()).exit_code == 0
    (row,) = pipeline.label([folder.path], Settings(model="models/mine"))
    card = bundle.card(Path("models/mine/model.onnx"))

    assert (card.name, card.class_names) == ("mine", ("angry", "happy", "sad"))
    assert row.label in card.class_names
    assert sum(row.probabilities) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("key", sorted({*bundle._JSON_KEYS, "name", "training_data", "licence", "created_with"}))
def test_every_key_of_a_bundle_is_documented(key: str) -> None:
    assert f"`{key}`" in (ROOT / "docs" / "bundle.md").read_text("utf-8")


PLACES = re.findall(r"^\| (an? [^|]+) \| `([^`]+)/`(.*) \| `([^`]+)`: (.*) \|$", CONTRIBUTING, re.M)


def test_every_kind_of_thing_that_can_be_added_has_its_place() -> None:
    kinds = {kind.partition(" ")[2] for kind, *_ in PLACES}

    assert kinds == {
        *("image format", "table format", "command", "export", "executor", "face detector", "model family"),
    }


@pytest.mark.parametrize(("kind", "folder", "note", "example", "names"), PLACES, ids=[kind for kind, *_ in PLACES])
def test_the_place_to_add_something_and_the_example_to_follow_exist(
    kind: str, folder: str, note: str, example: str, names: str
) -> None:
    defined = re.findall(r"^(?:def |class )?(\w+)", (ROOT / example).read_text("utf-8"), re.M)

    assert (ROOT / folder / "__init__.py").is_file() or "made with the first" in note, kind
    assert Path(example).parent == Path(folder) or note, kind
    assert set(re.findall(r"`(\w+)`", names)) <= set(defined)
    for other in re.findall(r"`([\w/]+\.py)`", names):
        assert (ROOT / folder / other).is_file() or (ROOT / other).is_file()


def test_every_package_has_its_line_in_the_description_of_the_layout() -> None:
    packages = {path.parent.name for path in (ROOT / "labeler").glob("*/__init__.py")}

    assert packages == set(re.findall(r"^\| `(\w+)/` \|", CONTRIBUTING, re.M))
