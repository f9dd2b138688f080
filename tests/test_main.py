"""Where the program starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from conftest import ROOT, Folder

from labeler import pipeline
from labeler.__main__ import REMOTE_MODULES, WORKER_MODULES, will_label


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["classify", "FOLDER", "--out", "t.csv"], True),
        (["classify", "FOLDER", "--workers", "2"], True),
        (["classify", "FOLDER", "--workers", "1"], True),
        (["classify", "FOLDER/a.jpg"], True),
        (["classify", "FOLDER/missing.jpg"], False),
        (["sort", "FOLDER", "--into", "sorted"], True),
        (["sort", "FOLDER/a.jpg", "--into", "FOLDER"], False),
        (["sort", "--undo", "FOLDER"], False),
        (["annotate", "FOLDER"], False),
        (["--help"], False),
        ([], False),
    ],
)
def test_workers_are_warmed_up_only_where_there_is_something_to_label(
    tmp_path: Path, arguments: list[str], expected: bool
) -> None:
    (tmp_path / "a.jpg").touch()
    given = [argument.replace("FOLDER", os.fspath(tmp_path)) for argument in arguments]

    assert will_label(given) is expected


def test_what_is_loaded_ahead_is_what_the_workers_of_the_pipeline_load() -> None:
    assert WORKER_MODULES == pipeline.WORKER_MODULES
    assert all(find_spec(name) for name in (*WORKER_MODULES, *REMOTE_MODULES))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_process_that_hands_out_batches_loads_no_network_and_no_decoder(
    folder: Folder, model: Path, tmp_path: Path, workers: str
) -> None:
    for number in range(20):
        folder.picture(f"{number}.jpg")
    given = ["labeler", "classify", str(folder.path), "--out", str(tmp_path / "t.csv"), "--model", str(model)]
    script = f"""
import atexit, sys
from labeler.__main__ import main
if __name__ == "__main__":
    sys.argv = {[*given, "--workers", workers, "--batch-size", "5"]!r}
    atexit.register(lambda: print(*sys.modules))
    main()
"""
    (tmp_path / "run.py").write_text(script)
    process = subprocess.run([sys.executable, tmp_path / "run.py"], capture_output=True, text=True, check=True)
    heavy = {"numpy", "cv2", "PIL", "onnxruntime", "pyarrow", "tensorflow"}

    assert heavy.intersection(process.stdout.split()) == set()
    assert (tmp_path / "t.csv").read_bytes().count(b"\r\n") == 21


STOP = """
import os, signal, sys

class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["STOP_AT"]:
            sys.meta_path.remove(self)
            os.killpg(os.getpgid(0), signal.SIGINT)

sys.meta_path.insert(0, Stop())
"""
"""Sends Ctrl-C to the whole process group when a module is about to be loaded, in whichever process that is."""


@pytest.mark.parametrize(
    "module",
    [
        pytest.param("labeler.executors.fork_server", id="before anything"),
        pytest.param("labeler.labeling", id="while the workers' server loads its modules"),
        pytest.param("typer", id="before the command line is parsed"),
        pytest.param("labeler.console", id="in the command"),
    ],
)
def test_ctrl_c_in_the_first_second_is_one_line(folder: Folder, model: Path, tmp_path: Path, module: str) -> None:
    folder.picture("1.jpg")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "sitecustomize.py").write_text(STOP)
    given = ["classify", str(folder.path), "--out", str(tmp_path / "t.csv"), "--model", str(model), "--workers", "2"]
    root = ROOT
    process = subprocess.run(
        [sys.executable, "-m", "labeler", *given],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "STOP_AT": module, "PYTHONPATH": f"{tmp_path / 'hooks'}{os.pathsep}{root}"},
        start_new_session=True,
        timeout=60,
    )
    code = process.returncode

    # Python ends itself by SIGINT where it interrupted an exec(), such as that of a dataclass; shells call both 130.
    assert code in {130, -signal.SIGINT}, process.stderr
    assert process.stderr.startswith("labeler: stopped")
    assert process.stderr.count("\n") == 1
