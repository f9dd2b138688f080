"""The command line: what it prints where, and with which exit code."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, ROOT, Folder, make_bundle
from typer.testing import Result

import labeler
from labeler.cli import show_models
from labeler.inference import bundle
from labeler.records import Row
from labeler.tables import reader, run_record
from labeler.tables.comma_separated import Csv

Run = Callable[..., Result]


def in_a_process(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "100"}
    command = [sys.executable, "-m", "labeler", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def photos(folder: Folder) -> Folder:
    for index in range(3):
        folder.noise(f"{index}.jpg", seed=index)
    return folder


def test_classify_writes_the_table_and_exits_with_zero(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    result = run("classify", photos.path, "--out", tmp_path / "t.csv", "--model", model)

    assert (result.exit_code, result.stdout) == (0, "")
    assert len(list(reader.read(tmp_path / "t.csv"))) == 3


def test_the_summary_reconciles_what_was_found(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    photos.file("bad.jpg")
    photos.file("empty.jpg", b"")
    result = run("classify", photos.path, "--out", tmp_path / "t.csv", "--model", model)

    assert "5 files = 3 ok + 1 unreadable + 1 unsupported" in result.stderr


def test_some_failed_files_give_exit_code_one(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    photos.file("bad.jpg")

    assert run("classify", photos.path, "--out", tmp_path / "t.csv", "--model", model).exit_code == 1
    assert run("classify", photos.path, "--out", tmp_path / "t.csv", "--model", model).exit_code == 1


def test_quiet_prints_nothing(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    result = run("classify", photos.path, "--out", tmp_path / "t.csv", "--model", model, "--quiet")

    assert result.output == ""


def test_json_goes_to_stdout_alone(photos: Folder, model: Path, tmp_path: Path) -> None:
    done = in_a_process("classify", photos.path, "--out", "t.csv", "--model", model, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)

    assert (found["files"], found["ok"], found["exit_code"], done.returncode) == (3, 3, 0, 0)


def test_without_a_terminal_no_progress_bar_is_drawn(photos: Folder, model: Path, tmp_path: Path) -> None:
    done = in_a_process("classify", photos.path, "--out", "t.csv", "--model", model, cwd=tmp_path)

    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        pytest.param(["classify", "nowhere", "--out", "t.csv"], 2, "there is no file or folder", id="missing path"),
        pytest.param(["classify", "photos", "--out", "no/t.csv"], 2, "create it first: mkdir", id="missing folder"),
        pytest.param(["classify", "photos", "--out", "t.xlsx"], 2, "ends in .csv", id="unknown format"),
        pytest.param(["classify", "photos", "--out", "mine.csv"], 2, "not a table made by labeler", id="not ours"),
        pytest.param(["classify", "void", "--out", "t.csv"], 3, "no photos in", id="no photos"),
        pytest.param(["classify", "photos", "--out", "t.csv", "--model", "nowhere"], 4, "no model", id="missing model"),
        pytest.param(
            ["classify", "photos", "--out", "t.csv", "--model", "mute.onnx"], 4, "has no class names", id="no names"
        ),
        pytest.param(["models", "show", "mine.csv"], 4, "is not an ONNX model", id="no model to show"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_bad_input_gives_one_clear_line_and_its_exit_code(
    tmp_path: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    (tmp_path / "mine.csv").write_text("date,amount\n")
    (tmp_path / "void").mkdir()
    make_bundle(tmp_path / "mute.onnx", None)
    done = in_a_process(*arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (exit_code, "")
    assert message in done.stderr
    assert done.stderr.startswith("labeler: ")
    assert done.stderr.count("\n") == 1


def test_other_settings_on_the_same_table_are_refused(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    run("classify", photos.path, "--out", out, "--model", model)
    result = run("classify", photos.path, "--out", out, "--model", model, "--threshold", "0.9")

    assert (result.exit_code, "--threshold was 0.0, is 0.9" in result.stderr) == (2, True)


def test_overwrite_starts_anew(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    run("classify", photos.path, "--out", out, "--model", model)
    run("classify", photos.path, "--out", out, "--model", model, "--threshold", "1", "--overwrite")

    assert {row.label for row in reader.read(out)} == {"uncertain"}


def test_a_complete_table_is_summed_up_without_a_device(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    command = "classify", photos.path, "--out", tmp_path / "t.csv", "--model", model, "--progress", "none"
    titles = [run(*command).stderr.splitlines()[0] for _ in range(2)]

    assert titles[0] == f"{titles[1]} on cpu"


def test_a_bug_is_never_taken_for_a_finished_run(tmp_path: Path) -> None:
    script = "from labeler.cli import app\nimport labeler.pipeline\nlabeler.pipeline.classify = None\napp.main()"
    (tmp_path / "photos").mkdir()
    command = [sys.executable, "-c", script, "classify", "photos", "--out", "t.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, "this is a bug in labeler" in done.stderr) == (70, True)


def test_the_models_that_ship_are_listed_with_their_figures(run: Run) -> None:
    found = json.loads(run("models", "--json").stdout)

    assert "documented" in [card["name"] for card in found]
    assert all(0 < card["validation"]["accuracy"] < 1 for card in found)


def test_models_say_what_becomes_of_a_picture_that_is_no_face(
    run: Run, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    knowing = make_bundle(tmp_path / "knowing.onnx", face=True, face_threshold=0.25, prior=[0.2, 0.5, 0.3])
    show_models.show_all((bundle.card(path), None) for path in (model, knowing))
    unknown, known = (line.split() for line in capsys.readouterr().out.splitlines()[1:])

    assert (unknown[4], known[4]) == ("no", "yes")
    assert "face threshold 0.25 prior 0.2, 0.5, 0.3" in " ".join(run("models", "show", knowing).stdout.split())
    assert "None" not in run("models", "show", model).stdout


def test_a_card_shows_classes_and_hash(run: Run, model: Path) -> None:
    found = json.loads(run("models", "show", model, "--json").stdout)

    assert found["class_names"] == ["angry", "happy", "sad"]
    assert len(found["sha256"]) == 64


def test_all_that_is_known_of_a_model_that_ships_is_shown(run: Run) -> None:
    readme = json.loads(run("models", "show", "documented", "--json").stdout)["readme"]

    assert readme.startswith("# documented")
    assert "Limits and intended use" in run("models", "show", "documented").stdout


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version").stdout == f"labeler {labeler.__version__}\n"


def labelled(run: Run, photos: Folder, model: Path, out: Path) -> list[str]:
    """Classify and return the labels in the order of the files."""
    run("classify", photos.path, "--out", out, "--model", model)
    return [row.label for row in reader.read(out)]


def test_sort_puts_every_file_below_its_label(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    photos.file("bad.jpg")
    labels = labelled(run, photos, model, tmp_path / "t.csv")
    result = run("sort", tmp_path / "t.csv", "--into", tmp_path / "sorted")
    found = {path.relative_to(tmp_path / "sorted").as_posix() for path in (tmp_path / "sorted").rglob("*.jpg")}

    assert result.exit_code == 0
    assert found == {f"{label}/{index}.jpg" for index, label in enumerate(labels[:3])} | {"failed/bad.jpg"}


def test_a_folder_is_classified_and_sorted_in_one_go(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    result = run("sort", photos.path, "--into", tmp_path / "sorted", "--model", model)

    assert result.exit_code == 0
    assert (
        len(list((tmp_path / "sorted").rglob("*.jpg"))) == 3 == len(list(reader.read(tmp_path / "sorted/labels.csv")))
    )


def test_a_dry_run_prints_the_plan_and_changes_nothing(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    labels = labelled(run, photos, model, tmp_path / "t.csv")
    result = run("sort", tmp_path / "t.csv", "--into", tmp_path / "sorted", "--dry-run", "--json")
    plan = [json.loads(line) for line in result.stdout.splitlines()]

    assert [move["target"] for move in plan] == [
        str(tmp_path / "sorted" / f"{label}/{i}.jpg") for i, label in enumerate(labels)
    ]
    assert not (tmp_path / "sorted").exists()


def test_undo_brings_moved_files_back(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    labelled(run, photos, model, tmp_path / "t.csv")
    run("sort", tmp_path / "t.csv", "--into", tmp_path / "sorted", "--mode", "move")
    gone = not list(photos.path.iterdir())
    result = run("sort", "--undo", tmp_path / "sorted", "--json")

    assert (gone, json.loads(result.stdout)) == (True, {"undone": 3})
    assert len(list(photos.path.iterdir())) == 3


def on_a_terminal(*arguments: object) -> str:
    """Run a command in a process whose stderr is a terminal; return what it shows there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "labeler", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=os.environ | {"TERM": "xterm"}):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # What reading gives when the other end is closed.
            while block := os.read(ours, 4096):
                shown += block
    os.close(ours)
    return shown.decode()


def test_a_terminal_shows_what_a_sort_is_doing(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    labelled(run, photos, model, tmp_path / "t.csv")
    assert "planning" in on_a_terminal("sort", tmp_path / "t.csv", "--into", tmp_path / "sorted", "--dry-run")
    shown = on_a_terminal("sort", tmp_path / "t.csv", "--into", tmp_path / "sorted")
    assert ("planning" in shown, "sorting" in shown, "3/3" in shown) == (True, True, True)
    shown = on_a_terminal("sort", "--undo", tmp_path / "sorted")
    assert ("reading the journal" in shown, "undoing" in shown) == (True, True)


def test_a_plan_is_printed_line_by_line_whatever_the_names_are(run: Run, photos: Folder, tmp_path: Path) -> None:
    photos.file("line\nbreak \x1b[31m.jpg")
    row = Row("line\nbreak \x1b[31m.jpg", 0, label="happy", probabilities=(0, 1, 0))
    table = tmp_path / "t.csv"
    table.write_bytes(Csv().header(CLASS_NAMES) + Csv().encode([row], CLASS_NAMES))
    result = run("sort", table, "--root", photos.path, "--into", tmp_path / "sorted", "--dry-run")

    place = rf"{photos.path}/line\nbreak \x1b[31m.jpg  ->  {tmp_path}/sorted/happy/line\nbreak \x1b[31m.jpg"
    assert result.stdout == f"copy  {place}  (to be sorted)\n"


def test_files_that_were_left_behind_are_named_and_give_exit_code_one(
    run: Run, photos: Folder, model: Path, tmp_path: Path
) -> None:
    labelled(run, photos, model, tmp_path / "t.csv")
    (photos.path / "1.jpg").unlink()
    result = run("sort", tmp_path / "t.csv", "--into", tmp_path / "sorted")

    assert (result.exit_code, "1.jpg: not found" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "name a table or a folder and --into", id="nothing named"),
        pytest.param(["--undo", "photos"], "there is no sort to undo", id="nothing to undo"),
        pytest.param(["photos", "--into", "photos"], "contains the photos", id="into the photos"),
        pytest.param(["lone.csv", "--into", "sorted"], "has no run record", id="no record"),
        pytest.param(["nowhere.csv", "--into", "sorted"], "does not exist", id="no table"),
    ],
)
def test_a_sort_that_cannot_be_done_says_what_to_do(
    run: Run, photos: Folder, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    labelled(run, photos, model, tmp_path / "lone.csv")
    (tmp_path / "lone.csv.run.json").unlink()
    result = run("sort", *arguments)

    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


@pytest.fixture(scope="module")
def trained(tensorflow: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001 - it is loaded
    """The run directory of `labeler train`, run for two epochs on bright and dark pictures."""
    place = tmp_path_factory.mktemp("training")
    faces = Folder(place / "faces")
    for index in range(12):
        faces.picture(f"bright/{index}.png", (250 - index, 240, 230))
        faces.picture(f"dark/{index}.png", (5 + index, 10, 20))
    done = in_a_process("train", "faces", "--out", "run", "--epochs", "2", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "epoch" in done.stderr
    return place / "run"


def test_train_fills_the_run_directory(trained: Path) -> None:
    wanted = {"best_model.keras", "model.onnx", "history.csv", "metrics.json", "curves.png", "confusion.png"}

    assert wanted <= {path.name for path in trained.iterdir()}


@pytest.mark.parametrize("model", [".", "model.onnx", "best_model.keras"])
def test_what_was_trained_classifies(run: Run, trained: Path, tmp_path: Path, model: str) -> None:
    result = run("classify", trained.parent / "faces", "--out", tmp_path / "t.csv", "--model", trained / model)

    assert result.exit_code == 0
    assert reader.class_names(tmp_path / "t.csv") == ("bright", "dark")


def test_the_keras_file_and_the_bundle_say_the_same(run: Run, trained: Path, tmp_path: Path) -> None:
    found = []
    for model in ("model.onnx", "best_model.keras"):
        run("classify", trained.parent / "faces", "--out", tmp_path / f"{model}.csv", "--model", trained / model)
        found.append([row.probabilities for row in reader.read(tmp_path / f"{model}.csv")])

    assert len(found[0]) == 24
    assert [one for row in found[0] for one in row] == pytest.approx([one for row in found[1] for one in row], abs=1e-5)


def test_the_bundle_holds_the_reliability_of_its_scores_and_report_draws_it(
    run: Run, trained: Path, tmp_path: Path
) -> None:
    run("classify", trained.parent / "faces", "--out", tmp_path / "t.csv", "--model", trained)
    run("report", tmp_path / "t.csv", "--out", tmp_path / "r.html")
    validation = bundle.card(trained / "model.onnx").validation

    assert sum(one["n"] for one in validation["reliability"]) == validation["n"]
    assert "Reliability of the model, as measured" in (tmp_path / "r.html").read_text("utf-8")
    assert "reliability" not in run("models", "show", trained).stdout


def test_train_from_a_model_prints_what_it_was_worth_before(trained: Path) -> None:
    adapting = ("train", "faces", "--from", "run", "--out", "adapted", "--epochs", "1")
    done = in_a_process(*adapting, cwd=trained.parent)

    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^before: accuracy .*, by run\nrecalibrated alone .*\nafter:  accuracy .* \(n = 4, always", done.stderr, re.M
    )


def test_evaluate_reports_and_draws(run: Run, trained: Path, tmp_path: Path) -> None:
    result = run("evaluate", trained.parent / "faces", "--model", trained, "--out", tmp_path / "report", "--json")
    figures = json.loads(result.stdout)

    assert (result.exit_code, figures["n"], figures["class_names"]) == (0, 24, ["bright", "dark"])
    drawn = ["confusion.png", "coverage.png", "metrics.json", "reliability.png"]
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == drawn


def test_evaluate_judges_by_a_table(run: Run, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("file,light,night,other\nbright/0.png,3,1,0\ndark/0.png,0,9,1\ndark/1.png,0,0,4\n")
    told = ("--labels", tmp_path / "t.csv", "--classes", "light=bright,night=dark")
    result = run("evaluate", trained.parent / "faces", "--model", trained, *told, "--json")
    figures = json.loads(result.stdout)

    assert (result.exit_code, figures["n"], figures["against"]) == (0, 2, "the most votes in t.csv")
    assert "passed over: 1 row of t.csv" in result.stderr


def test_evaluate_suggests_a_threshold_and_tries_variations(run: Run, trained: Path) -> None:
    asked = ("--wanted-accuracy", "0.1", "--robustness")
    result = run("evaluate", trained.parent / "faces", "--model", trained, *asked)

    assert "for an accuracy of 10.0%: --threshold 0.00 keeps 100.0% of the faces" in result.stderr
    assert "JPEG of quality 30" in result.stderr


def test_classes_without_a_table_are_refused(run: Run, trained: Path) -> None:
    result = run("evaluate", trained.parent / "faces", "--model", trained, "--classes", "a=b")

    assert (result.exit_code, "--classes selects from a table" in result.stderr) == (2, True)


def test_evaluate_leaves_copies_out(run: Run, trained: Path) -> None:
    faces = trained.parent / "faces"
    result = run("evaluate", faces, "--model", trained, "--without-copies-of", faces)

    assert (result.exit_code, "no labelled photo left" in result.stderr) == (3, True)


def test_evaluate_refuses_folders_the_model_does_not_know(run: Run, trained: Path, folder: Folder) -> None:
    folder.picture("cheerful/1.png")
    result = run("evaluate", folder.path, "--model", trained)

    assert result.exit_code == 2
    assert "cheerful - not known to the model. It knows bright, dark" in result.stderr


def test_a_keras_file_is_converted_with_its_classes(run: Run, trained: Path, tmp_path: Path) -> None:
    result = run("models", "convert", trained / "best_model.keras", "--out", tmp_path / "m.onnx")
    shown = json.loads(run("models", "show", tmp_path / "m.onnx", "--json").stdout)

    assert (result.exit_code, shown["class_names"]) == (0, ["bright", "dark"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["void", "--out", "new"], "holds no class folders", id="empty directory"),
        pytest.param(["nowhere", "--out", "new"], "nowhere", id="missing directory"),
        pytest.param(["photos", "--out", "photos"], "is not empty", id="run directory in use"),
        pytest.param(["photos", "--out", "new", "--resume"], "no run to resume", id="nothing to resume"),
    ],
)
@pytest.mark.usefixtures("tensorflow")
def test_a_training_that_cannot_be_done_says_what_to_do(
    run: Run, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "void").mkdir()
    for name in ("a/1.png", "b/1.png"):
        folder.picture(name)
    result = run("train", *arguments)

    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_annotate_draws_every_picture_and_names_those_it_cannot(
    run: Run, photos: Folder, model: Path, tmp_path: Path
) -> None:
    photos.file("bad.jpg")
    labelled(run, photos, model, tmp_path / "t.csv")
    result = run("annotate", tmp_path / "t.csv", "--out", tmp_path / "drawn")

    assert (result.exit_code, "bad.jpg: unsupported" in result.stderr) == (1, True)
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == [f"{i}.jpg.annotated.jpg" for i in range(3)]


def test_a_photograph_without_a_face_is_no_failure(run: Run, model: Path, tmp_path: Path) -> None:
    no_face = ROOT / "examples" / "photos" / "no_face"
    result = run("classify", no_face, "--out", tmp_path / "t.csv", "--model", model)

    assert (result.exit_code, "2 files = 0 ok + 2 no_face" in result.stderr) == (0, True)


def test_the_record_says_how_long_a_run_took_that_labelled_all(
    run: Run, photos: Folder, model: Path, tmp_path: Path
) -> None:
    def seconds(table: Path, *options: object) -> float | None:
        run("classify", photos.path, "--out", table, "--model", model, *options)
        record = run_record.read(table)
        assert record
        return record.seconds

    whole = seconds(tmp_path / "whole.csv")
    assert whole
    assert whole > 0
    assert seconds(tmp_path / "whole.csv") == whole
    assert seconds(tmp_path / "pieces.csv", "--limit", "1")
    assert seconds(tmp_path / "pieces.csv") is None
