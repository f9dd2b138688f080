"""The shape of the code: imports go one way, start-up is cheap, modules stay readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROWS = [
    {"__main__"},
    {"cli", "__init__"},
    {"model_commands"},
    {"photo_commands", "training_commands", "support_commands"},
    {"options", "boundary"},
    {"training"},
    {"results", "cards"},
    {"console"},
    {"progress"},
    {"exam", "doctor"},
    {"charts"},
    {"pipeline", "evaluation", "sorting", "annotation", "frames"},
    {"agenda", "labeling", "executors", "destinations", "restoring", "holding", "drafts", "variations", "confidence"},
    {"sources", "images", "faces", "classifier", "tables", "ledger"},
    {"parquet", "models", "headers", "pillow", "crops", "journal", "placing"},
    {"formats", "bundles", "files", "folders", "locks", "pictures"},
    {"protobuf", "archives", "worker", "selection", "presence"},
    {"quiet"},
    {"streams"},
    {"records", "errors", "damage", "timings", "intervals"},
]
"""From the front doors down. A module imports only from rows below its own; `records` and `errors` import nothing."""

ROW_OF = {name: index for index, row in enumerate(ROWS) for name in row}


def imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, deferred ones too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in {"labeler", "training"}:
            package, _, module = node.module.partition(".")
            if package == "training":
                found.add("training")
            else:
                found.update([module] if module else [alias.name for alias in node.names])
        elif isinstance(node, ast.Import):
            for package, _, module in (alias.name.partition(".") for alias in node.names):
                found.add("training" if package == "training" else module if package == "labeler" else "")
    return found & set(ROW_OF)


MODULES = sorted((ROOT / "labeler").glob("*.py"))


def test_every_module_has_its_row() -> None:
    assert {path.stem for path in MODULES} == set(ROW_OF) - {"training"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_imports_go_one_way(path: Path) -> None:
    upward = {name for name in imports(path) - {path.stem} if ROW_OF[name] <= ROW_OF[path.stem]}

    assert upward == set()


def test_training_never_imports_the_command_line() -> None:
    found = set().union(*(imports(path) for path in (ROOT / "training").glob("*.py")))

    assert not {name for name in found if ROW_OF[name] < ROW_OF["training"]}


def test_only_its_commands_import_training() -> None:
    assert [path.stem for path in MODULES if "training" in imports(path)] == ["training_commands"]


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted((ROOT / "training").glob("*.py"))], ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_no_function_is_longer_than_eighty_lines(path: Path) -> None:
    functions = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef))

    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 80] == []


def loaded(statement: str) -> set[str]:
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    script = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.partition(".")[0] for name in answer.stdout.splitlines()[-1].split()}


def test_help_loads_nothing_heavy() -> None:
    heavy = {"numpy", "cv2", "PIL", "onnxruntime", "pyarrow", "pandas", "tensorflow", "keras", "matplotlib", "sklearn"}

    assert loaded("import labeler.cli") & heavy == set()


def test_classify_loads_neither_tensorflow_nor_pandas(model: Path, tmp_path: Path) -> None:
    photos = ROOT / "examples" / "photos"
    command = ["classify", str(photos), "--out", str(tmp_path / "t.csv"), "--model", str(model), "-q", "--workers", "1"]
    found = loaded(f"from labeler.cli import app\napp({command}, standalone_mode=False)")

    assert "onnxruntime" in found
    assert found & {"tensorflow", "keras", "pandas", "matplotlib", "sklearn", "tqdm"} == set()
