"""What the tests promise about themselves: warnings of ours are errors, and fast tests never load TensorFlow."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from conftest import ROOT


def report(folder: Path, *options: str) -> str:
    """Run the tests of a folder under this configuration; return what pytest says of each, and the summary."""
    command = [sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", "-p", "conftest", "-rA", *options, folder]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("module", ["labeler.images.decode", "training.fit", "test_decode"])
def test_a_warning_of_ours_is_an_error(module: str) -> None:
    with pytest.raises(DeprecationWarning):
        warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module=module)


def test_a_warning_that_other_packages_cause_in_one_another_is_none() -> None:
    warnings.warn_explicit("old", DeprecationWarning, "file.py", 1, module="google.protobuf")


def test_a_file_that_is_left_open_fails_a_test(tmp_path: Path) -> None:
    (tmp_path / "test_open.py").write_text("def test_it():\n    open(__file__)\n")

    assert "1 failed" in report(tmp_path)


def test_a_missing_library_skips_a_test_and_fails_it_where_all_are_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "test_kinds.py").write_text(
        "import pytest\n\n"
        "def test_that_needs_it(): pytest.importorskip('no_such_library')\n\n"
        "def test_that_says_why(): pytest.importorskip('no_such_library', reason='it is installed by hand')\n\n"
        "def test_that_skips(): pytest.skip('a disk is missing')\n"
    )

    assert "3 skipped" in report(tmp_path)
    said = report(tmp_path, "--libraries")
    assert "1 failed, 2 skipped" in said
    assert "could not import 'no_such_library'" in said


def test_fast_tests_load_no_tensorflow(tmp_path: Path) -> None:
    (tmp_path / "test_module.py").write_text("import keras\n\ndef test_it(): pass\n")
    (tmp_path / "test_kinds.py").write_text(
        "import subprocess, sys\n\n"
        "def test_without(): pass\n\n"
        "def test_that_says_so(tensorflow): import keras\n\n"
        "def test_that_does_not(): import keras\n\n"
        "def test_in_a_process(): subprocess.run([sys.executable, '-c', 'import keras'], check=True)\n"
    )
    said = report(tmp_path, "--fast")

    assert "2 failed, 1 passed, 1 skipped, 1 deselected" in said
    assert "imports TensorFlow" in said
    assert "a fast test loads keras: it should ask for the fixture `tensorflow`" in said
