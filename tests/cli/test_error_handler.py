"""How commands end: the right code and at most one line, whatever the standard streams and the locale are."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Folder

from labeler.tables import reader

LABELER = f"'{sys.executable}' -m labeler"
FULL = Path("/dev/full")


def shell(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash; LABELER in it is the command."""
    return subprocess.run(
        ["bash", "-c", "set -o pipefail; " + command.replace("LABELER", LABELER)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
    )


@pytest.fixture
def photos(folder: Folder) -> Folder:
    """Two pictures and a broken one: classifying them ends with 1."""
    for number in range(2):
        folder.noise(f"{number}.png", seed=number)
    folder.file("bad.jpg")
    return folder


@pytest.mark.parametrize(
    "closed", ["2>&-", "-q 2>&-", "--json >&-", "-q <&- >&- 2>&-", "2>/dev/full", "--workers 1 2>&-"]
)
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.usefixtures("photos")
def test_closed_and_full_streams_change_nothing(model: Path, tmp_path: Path, closed: str) -> None:
    done = shell(f"LABELER classify photos -o t.csv --model '{model}' --batch-size 1 {closed}", tmp_path)

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert len(list(reader.read(tmp_path / "t.csv"))) == 3


@pytest.mark.parametrize("command", ["models", "doctor", "annotate t.csv -o d", "sort t.csv --into s"])
def test_every_command_ends_as_ever_without_stderr(tmp_path: Path, command: str) -> None:
    assert shell(f"LABELER {command} 2>&-", tmp_path).returncode == shell(f"LABELER {command}", tmp_path).returncode


@pytest.mark.parametrize(
    "command", ["models", "models --json", "models show default", "doctor", "--help", "sort --help", "--version"]
)
@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_one_line_and_exit_code_5(tmp_path: Path, command: str) -> None:
    done = shell(f"LABELER {command} >/dev/full", tmp_path)

    assert (done.returncode, done.stderr) == (5, f"labeler: cannot write to stdout: {os.strerror(errno.ENOSPC)}\n")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.usefixtures("photos")
def test_a_plan_or_summary_that_cannot_be_written_is_exit_code_5(model: Path, tmp_path: Path) -> None:
    classify = shell(f"LABELER classify photos -o t.csv --model '{model}' -q --json >/dev/full", tmp_path)
    plan = shell("LABELER sort t.csv --into s --dry-run --progress none >/dev/full", tmp_path)

    assert (classify.returncode, plan.returncode) == (5, 5)
    assert classify.stderr == plan.stderr == f"labeler: cannot write to stdout: {os.strerror(errno.ENOSPC)}\n"
    assert len(list(reader.read(tmp_path / "t.csv"))) == 3


@pytest.mark.parametrize("command", ["models", "models --json", "--help", "--version", "doctor"])
def test_who_stops_reading_ends_a_command_quietly(tmp_path: Path, command: str) -> None:
    done = shell(f"LABELER {command} | true", tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")


@pytest.mark.usefixtures("photos")
def test_nobody_who_reads_stderr_stops_no_run(model: Path, tmp_path: Path) -> None:
    done = shell(f"(LABELER classify photos -o t.csv --model '{model}'; echo $? >code) 2>&1 | true", tmp_path)

    assert (done.stderr, (tmp_path / "code").read_text()) == ("", "1\n")


@pytest.mark.parametrize(
    ("command", "code", "kind"),
    [
        ("classify nowhere -o t.csv --json", 2, "usage"),
        ("classify photos --json", 2, "usage"),
        ("classify photos -o t.csv --threshold 7 --json", 2, "usage"),
        ("classify void -o t.csv --json", 3, "no_pictures"),
        ("classify photos -o t.csv --model nowhere --json", 4, "model"),
        ("models show nowhere --json", 4, "model"),
        ("sort nowhere.csv --into s --json", 2, "usage"),
        ("evaluate nowhere --json", 2, "usage"),
        ("audit nowhere -o a.csv --json", 2, "usage"),
        pytest.param("train nowhere -o r --json", 2, "usage", marks=pytest.mark.heavy),
    ],
)
@pytest.mark.usefixtures("photos")
def test_with_json_an_error_is_an_object_on_stdout(tmp_path: Path, command: str, code: int, kind: str) -> None:
    (tmp_path / "void").mkdir()
    done = shell(f"LABELER {command}", tmp_path)
    error = json.loads(done.stdout)["error"]

    assert (done.returncode, error["code"], error["kind"]) == (code, code, kind)
    assert error["message"]
    assert done.stderr


def test_with_json_a_bug_is_an_object_too(tmp_path: Path) -> None:
    script = "from labeler.cli import app; from labeler.inference import bundle; bundle.shipped = None; app.main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "models", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, json.loads(done.stdout)["error"]["kind"]) == (70, "bug")
    assert "this is a bug in labeler" in done.stderr


@pytest.fixture(scope="module")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user whose locale has ISO-8859-1."""
    folder = tmp_path_factory.mktemp("locale")
    if not shutil.which("localedef"):
        pytest.skip("no localedef to make a locale with")
    made = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", folder / "en_US.ISO-8859-1"]
    if subprocess.run(made, capture_output=True, check=False).returncode:
        pytest.skip("no sources of locales: apt-get install locales")
    return {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1", "PYTHONUTF8": "0"}


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.heavy
@pytest.mark.parametrize("where", ["latin_1", "ascii", "latin_1 output"])
def test_in_any_locale_a_table_holds_the_same_names_and_is_continued(
    folder: Folder, model: Path, tmp_path: Path, request: pytest.FixtureRequest, where: str
) -> None:
    environments = {"ascii": ASCII, "latin_1 output": {"PYTHONIOENCODING": "latin-1"}}
    environment = environments.get(where) or request.getfixturevalue("latin_1")
    for number, name in enumerate(["été.png", "東京.png", os.fsdecode(b"bad\xff.png")]):
        folder.noise(name, seed=number)
    folder.file("東.jpg")
    command = f"LABELER classify photos --model '{model}' --json --out"
    first = shell(f"{command} t.csv", tmp_path)
    (tmp_path / "u.csv").write_bytes((tmp_path / "t.csv").read_bytes())
    again = shell(f"{command} t.csv", tmp_path, **environment)
    alone = shell(f"{command} v.csv", tmp_path, **environment)

    assert [done.returncode for done in (first, again, alone)] == [1, 1, 1], again.stderr
    assert (json.loads(again.stdout)["resumed"], json.loads(again.stdout)["vanished"]) == (4, 0)
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "u.csv").read_bytes() == (tmp_path / "v.csv").read_bytes()


@pytest.mark.parametrize("command", ["sort t.csv --into s --dry-run", "sort t.csv --into s", "annotate t.csv -o d"])
def test_names_that_a_terminal_has_no_characters_for_are_printed_as_escapes(
    folder: Folder, model: Path, tmp_path: Path, latin_1: dict[str, str], command: str
) -> None:
    for number, name in enumerate(["東京.png", os.fsdecode(b"bad\xff.png")]):
        folder.noise(name, seed=number)
    folder.file("東.jpg")
    shell(f"LABELER classify photos -o t.csv --model '{model}'", tmp_path)
    done = shell(f"LABELER {command}", tmp_path, **latin_1)

    assert (done.returncode, "Traceback" in done.stderr) == (command.startswith("annotate"), False)
    assert command == "sort t.csv --into s" or "\\u6771" in done.stdout + done.stderr


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(tmp_path: Path, shell_name: str) -> None:
    disabled = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = shell(f"LABELER --show-completion {shell_name}", tmp_path, **disabled)

    assert (done.returncode, "COMPLETE" in done.stdout) == (0, True), done.stderr


def test_completion_knows_commands_and_options(tmp_path: Path) -> None:
    script = "import sys; from labeler.cli.app import app; app(prog_name='labeler')"
    for words, wanted in [("labeler cl", "classify"), ("labeler classify --ref", "--refresh")]:
        asked = {"_LABELER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **asked}, cwd=tmp_path, capture_output=True, text=True
        )
        assert done.stdout.split() == [wanted], done.stderr


@pytest.mark.parametrize(
    "command", ["annotate photos -o d", "evaluate photos --labels photos", "classify photos -o photos.csv"]
)
@pytest.mark.usefixtures("photos")
def test_a_folder_in_the_place_of_a_table_is_called_a_folder(tmp_path: Path, command: str) -> None:
    (tmp_path / "photos.csv").mkdir()
    done = shell(f"LABELER {command}", tmp_path)

    assert (done.returncode, "is a folder" in done.stderr) == (2, True), done.stderr


def test_convert_says_of_an_onnx_file_what_it_is(model: Path, tmp_path: Path) -> None:
    done = shell(f"LABELER models convert '{model}' --out m.onnx", tmp_path)

    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "is an ONNX network already" in done.stderr
    assert "docs/bundle.md" in done.stderr


def test_a_command_that_is_nearly_right_is_corrected(tmp_path: Path) -> None:
    assert "Did you mean 'classify'?" in shell("LABELER clasify photos", tmp_path).stderr
