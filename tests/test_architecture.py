"""The shape of the code: imports go one way, start-up is cheap, modules stay readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, ROOT, Folder

ROWS = [
    {"__main__"},
    {"cli"},
    {"training"},
    {"reviewers"},
    {"exports"},
    {"__init__"},
    {"report", "review"},
    {"certify"},
    {"evaluation"},
    {"cost", "adding"},
    {"parts"},
    {"pipeline", "labeler"},
    {"job"},
    {"labeling", "drawing", "lists"},
    {"sorting"},
    {"tables", "sources", "grouping"},
    {"images"},
    {"inference"},
    {"executors"},
    {"storage", "selection", "console", "progress", "native_output"},
    {"batches"},
    {"streams", "profile", "heap"},
    {"records", "member", "errors", "watched", "words", "_version"},
]
"""From the front doors down: packages, and the modules that are in none. Each imports only from rows below its own."""

ROW_OF = {name: index for index, row in enumerate(ROWS) for name in row}

MODULES = sorted([*(ROOT / "labeler").rglob("*.py"), *(ROOT / "training").rglob("*.py")])


def named(path: Path) -> str:
    """Return a module's full name; that of a package for its `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {named(path) for path in MODULES}


def unit(module: str) -> str:
    """Return the row's entry that a module belongs to."""
    top, _, rest = module.partition(".")
    return top if top == "training" else rest.partition(".")[0] or "__init__"


def imports(path: Path) -> set[str]:
    """Return the full names of the modules of ours that a file imports, deferred ones too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inside & NAMES or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & NAMES


def test_every_module_has_its_row() -> None:
    assert {unit(name) for name in NAMES} == set(ROW_OF)


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_imports_go_one_way(path: Path) -> None:
    here = unit(named(path))
    upward = {there for there in map(unit, imports(path)) if there != here and ROW_OF[there] <= ROW_OF[here]}

    assert upward == set()


def test_modules_of_one_package_import_each_other_without_a_circle() -> None:
    inside = {named(path): {name for name in imports(path) if unit(name) == unit(named(path))} for path in MODULES}

    tuple(TopologicalSorter(inside).static_order())  # It raises CycleError.


def test_only_its_commands_import_training() -> None:
    found = {named(path) for path in MODULES if "training" in set(map(unit, imports(path))) - {unit(named(path))}}

    assert found == {"labeler.cli.adapt", "labeler.cli.datasets"}


@pytest.mark.parametrize("path", MODULES, ids=named)
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
    heavy |= {"starlette", "uvicorn", "anyio", "sqlite3"}

    assert loaded("import labeler.cli.app") & heavy == set()


def test_classify_loads_neither_tensorflow_nor_pandas(model: Path, tmp_path: Path) -> None:
    photos = ROOT / "examples" / "photos"
    command = ["classify", str(photos), "--out", str(tmp_path / "t.csv"), "--model", str(model), "-q"]
    here = (
        f"from labeler import Settings, label\nprint(len(list(label({str(photos)!r}, Settings(model={str(model)!r})))))"
    )
    found = loaded(f"from labeler.cli.app import app\napp({command}, standalone_mode=False)\n{here}")

    assert "onnxruntime" in found
    assert found & {"tensorflow", "keras", "pandas", "matplotlib", "sklearn", "tqdm"} == set()


def test_evaluate_with_a_table_of_labels_needs_no_training(model: Path, folder: Folder) -> None:
    for number, label in enumerate(CLASS_NAMES):
        folder.noise(f"{label}.png", seed=number)
    table = folder.file(
        "labels.csv", "\n".join(["file,label", *(f"{label}.png,{label}" for label in CLASS_NAMES)]).encode()
    )
    command = ["evaluate", str(folder.path), "--labels", str(table), "--model", str(model), "-q", "--workers", "1"]
    found = loaded(f"from labeler.cli.app import app\napp({command}, standalone_mode=False)")

    assert "sklearn" in found
    assert found & {"training", "tensorflow", "keras", "imagehash", "cleanlab"} == set()


def test_no_two_files_of_tests_have_one_name() -> None:
    """Pytest refuses the second of them, but only when it collects both."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py")]

    assert sorted(names) == sorted(set(names))
