"""The command `report`: what the page says, what it reads, and what it never overwrites."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hostile
import pytest
from conftest import CLASS_NAMES, Folder
from typer.testing import Result

from labeler.inference import bundle
from labeler.records import Row
from labeler.report import gallery, sprites
from labeler.tables import reader, run_record
from labeler.tables.comma_separated import Csv
from labeler.tables.run_record import RunRecord

Run = Callable[..., Result]


@pytest.fixture
def photos(folder: Folder) -> Folder:
    for index in range(6):
        folder.noise(f"{CLASS_NAMES[index % 3]}/{index}.jpg", seed=index)
    folder.picture("no_face/gray.png", (90, 90, 90), side=200)
    folder.file("failed/text.jpg")
    folder.file("failed/empty.jpg", b"")
    return folder


@pytest.fixture
def table(run: Run, photos: Folder, model: Path, tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    assert run("classify", photos.path, "--out", path, "--model", model).exit_code == 1
    return path


def shown(page: Path) -> str:
    """Return the text of a page, with a space for each element."""
    content = re.sub(r"<style>.*?</style>", "", page.read_text("utf-8"), flags=re.S)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", content)))


def made(run: Run, table: Path, *options: object) -> Path:
    page = table.with_name("report.html")
    result = run("report", table, "--out", page, *options)
    assert (result.exit_code, result.stdout) == (0, ""), result.output
    return page


def test_the_page_reconciles_what_was_found(run: Run, table: Path) -> None:
    text = shown(made(run, table))

    assert "9 files = 6 ok + 1 no_face + 1 unreadable + 1 unsupported" in text
    assert "6 faces in 9 photos" in text
    assert re.search(r"duration \d+\.\d s ", text)
    assert "unreadable the file is empty failed/empty.jpg 1" in text


def test_each_labelled_face_is_in_the_page_with_score_label_and_file(run: Run, table: Path) -> None:
    text = shown(made(run, table))

    for row in reader.read(table):
        if row.label:
            assert f"{row.score:.2f} {row.label} {row.file}" in text


def test_the_same_table_gives_the_same_page(run: Run, table: Path) -> None:
    first = made(run, table).read_bytes()
    for hash_seed in "123":
        command = [
            sys.executable,
            "-m",
            "labeler",
            "report",
            str(table),
            "--out",
            str(table.with_name("again.html")),
            "-q",
        ]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
        assert table.with_name("again.html").read_bytes() == first

    assert made(run, table, "--samples", "1", "--seed", "5").read_bytes() != first


def test_a_page_says_that_people_are_in_it_only_where_they_are(run: Run, table: Path) -> None:
    warning = "This page holds pictures of people."
    with_faces = made(run, table)
    assert warning in shown(with_faces)
    assert "data:image/webp" in with_faces.read_text("utf-8")
    without = made(run, table, "--no-pictures")

    assert warning not in shown(without)
    assert "image/webp" not in without.read_text("utf-8")
    assert "angry/0.jpg" in shown(without)


def test_without_pictures_the_photos_may_have_gone(run: Run, table: Path, photos: Folder) -> None:
    photos.path.rename(photos.path.with_name("elsewhere"))
    refused = run("report", table, "--out", table.with_name("r.html"))

    assert (refused.exit_code, "name their folder: --root" in refused.stderr) == (2, True)
    made(run, table, "--no-pictures")
    assert "data:image/webp" in made(run, table, "--root", photos.path.with_name("elsewhere")).read_text("utf-8")


def test_photos_that_went_away_or_changed_are_said(run: Run, table: Path, photos: Folder) -> None:
    (photos.path / "angry/0.jpg").unlink()
    photos.noise("happy/1.jpg", seed=77, side=64)
    text = shown(made(run, table))

    assert "unreadable: No such file or directory" in text
    assert "Changed since they were labelled: 1 of these files." in text


def test_the_model_says_how_it_was_measured_and_what_it_does_not_know(run: Run, photos: Folder, tmp_path: Path) -> None:
    run("classify", photos.path, "--out", tmp_path / "t.csv")
    text = shown(made(run, tmp_path / "t.csv"))

    measured = bundle.card(bundle.find("")).validation
    accuracy, (low, high) = measured["accuracy"], measured["accuracy_interval"]

    assert f"accuracy ({low:.1%} to {high:.1%}) {accuracy:.1%}" in text
    assert "measured on FER-2013 PublicTest" in text
    assert "The model holds no reliability curve" in text


def test_the_reliability_of_a_model_is_drawn_where_it_was_measured(run: Run, table: Path) -> None:
    path = run_record.beside(table, run_record.RECORD)
    record = json.loads(path.read_text())
    record["model_figures"] = {
        "reliability": [{"n": 40, "score": 0.5, "right": 10}, {"n": 60, "score": 0.9, "right": 54}]
    }
    path.write_text(json.dumps(record))
    text = shown(made(run, table))

    assert "Reliability of the model, as measured" in text
    assert "0.90 90.0% 79.9% to 95.3% 60" in text


def test_class_folders_are_the_truth_when_asked(run: Run, table: Path) -> None:
    text = shown(made(run, table, "--class-folders"))
    right = sum(row.label == row.file.split("/")[0] for row in reader.read(table) if row.label)

    assert f"{right / 6:.1%}" in text
    assert "Precision, recall and F1 of each class" in text
    assert "1 no_face" in text


def test_a_table_of_labels_is_the_truth(run: Run, table: Path, photos: Folder) -> None:
    rows = [row for row in reader.read(table) if row.label]
    true = "".join(f"{row.file},{row.file.split('/')[0].upper()}\n" for row in rows[:5])
    labels = photos.file("truth.csv", f"file,label\n{true}".encode())
    classes = ",".join(f"{name.upper()}={name}" for name in CLASS_NAMES)
    page = table.with_name("r.html")
    result = run("report", table, "--out", page, "--labels", labels, "--classes", classes, "--json")
    truth = json.loads(result.stdout)["truth"]

    assert (truth["n"], truth["against"]) == (5, "the labels in truth.csv")
    assert truth["accuracy"] == sum(row.label == row.file.split("/")[0] for row in rows[:5]) / 5
    assert truth["left_out"]["no true label"] == 1


def test_json_is_what_the_page_says(run: Run, table: Path) -> None:
    found = json.loads(run("report", table, "--out", table.with_name("r.html"), "--json", "--quiet").stdout)

    assert (found["files"], found["faces"], found["statuses"]["no_face"]) == (9, 6, 1)
    assert {one["names"][0] for one in found["reasons"]} == {"failed/empty.jpg", "failed/text.jpg", "no_face/gray.png"}


def test_quiet_prints_nothing(run: Run, table: Path) -> None:
    assert run("report", table, "--out", table.with_name("r.html"), "--quiet").output == ""


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["t.csv", "--out", "mine.html"], 2, "exists and is no page of labeler", id="another page"),
        pytest.param(["t.csv", "--out", "photo.jpg"], 2, "is no name of a web page", id="a photo"),
        pytest.param(["t.csv", "--out", "folder.html"], 2, "is a folder", id="a folder"),
        pytest.param(
            ["t.csv", "--out", "linked.html", "--overwrite"], 2, "is what the report is about", id="the table"
        ),
        pytest.param(["t.csv", "--out", "no/r.html"], 2, "create it first: mkdir", id="no folder"),
        pytest.param(["mine.html", "--out", "r.html"], 2, "mine.html", id="no table"),
        pytest.param(["gone.csv", "--out", "r.html"], 2, "does not exist", id="table gone"),
        pytest.param(["t.csv", "--out", "r.html", "--classes", "a=b"], 2, "--classes selects", id="classes alone"),
        pytest.param(
            ["t.csv", "--out", "r.html", "--class-folders", "--labels", "t.csv"], 2, "give one of them", id="two truths"
        ),
    ],
)
def test_a_report_that_cannot_be_made_says_what_to_do_and_changes_nothing(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str
) -> None:
    folder = table.parent
    monkeypatch.chdir(folder)
    (folder / "mine.html").write_text("<!doctype html>\n<title>my page</title>")
    (folder / "folder.html").mkdir()
    (folder / "linked.html").symlink_to(table)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run("report", *arguments)

    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_file_that_is_no_report_is_replaced_when_asked(run: Run, table: Path) -> None:
    table.with_name("report.html").write_text("mine")

    assert "9 files" in shown(made(run, table, "--overwrite"))


def test_a_comparison_without_any_truth_writes_nothing(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    run("classify", photos.path / "angry", "--out", tmp_path / "t.csv", "--model", model)
    result = run("report", tmp_path / "t.csv", "--out", tmp_path / "r.html", "--class-folders")

    assert (result.exit_code, "no labelled photo is left" in result.stderr) == (3, True)
    assert not (tmp_path / "r.html").exists()


def test_a_report_needs_no_extra(table: Path) -> None:
    command = ["report", str(table), "--out", str(table.with_name("r.html")), "--class-folders", "-q"]
    script = (
        "import sys\nfor name in ('sklearn', 'matplotlib', 'tensorflow', 'pandas'): sys.modules[name] = None\n"
        f"from labeler.cli.app import app\napp({command})"
    )

    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).returncode == 0


def test_a_table_without_any_face_has_a_page(run: Run, photos: Folder, model: Path, tmp_path: Path) -> None:
    run("classify", photos.path / "failed", "--out", tmp_path / "t.csv", "--model", model)

    assert "No face was labelled." in shown(made(run, tmp_path / "t.csv"))


def test_a_table_of_the_first_schema_without_a_record_has_a_page(run: Run, tmp_path: Path) -> None:
    rows = [Row("a.jpg", 0, 1.0, 2.0, 30.0, 30.0, 0.9).labelled((0.2, 0.5, 0.3), CLASS_NAMES, 0)]
    csv = (Csv().header(CLASS_NAMES) + Csv().encode(rows, CLASS_NAMES)).decode()
    (tmp_path / "t.csv").write_text(csv.replace(",image_width,image_height,version", "").replace(",,,,ok", ",ok"))

    assert "There is no run record" in shown(made(run, tmp_path / "t.csv", "--no-pictures"))
    assert "No such file" in shown(made(run, tmp_path / "t.csv", "--root", tmp_path))


@pytest.mark.parametrize(("name", "text"), hostile.NAMES.items())
def test_a_hostile_name_is_text(run: Run, tmp_path: Path, name: str, text: str) -> None:  # noqa: ARG001 - its id
    page = made(run, hostile.make_table(tmp_path / "t.csv")).read_text("utf-8")

    assert f"<bdi>{html.escape(text)}</bdi>" in page


def test_a_page_keeps_its_limits_whatever_a_table_holds(run: Run, tmp_path: Path, folder: Folder) -> None:
    """60 labels with 100 samples each, noise that does not compress, and names as long as a file system allows."""
    classes = tuple(f"{'&' * 80}{number}" for number in range(80))
    files = [folder.noise(f"{'&' * 200}{number}.png", number, side=128).name for number in range(1000)]
    rows = []
    for number in range(8000):
        shares = [0.0] * 80
        shares[number % 80], shares[(number + 1) % 80] = 0.5, 0.45
        row = Row(files[number % 1000], number // 1000, 0.0, 0.0, 128.0, 128.0, 0.9, image_width=128, image_height=128)
        rows.append(row.labelled(tuple(shares), classes, 0))
        rows.append(Row(f"{'<' * 250}{number}").without_label(rows[0].status.UNREADABLE, "'" * (number % 250 + 1)))
    table = tmp_path / "t.csv"
    table.write_bytes(Csv().header(classes) + Csv().encode(rows, classes))
    run_record.write(table, _record(classes, folder.path), "")
    page = made(run, table, "--samples", "100", "--seed", "1")

    assert page.stat().st_size < 6_000_000
    assert page.read_text("utf-8").count("<use ") <= sprites.MOST_FACES


def test_fewer_faces_are_shown_of_each_of_many_labels() -> None:
    assert gallery.per_strip(12, 7) == 12
    assert 0 < gallery.per_strip(100, 61) * 3 * 61 < sprites.MOST_FACES


def _record(classes: tuple[str, ...], root: Path) -> RunRecord:
    return RunRecord(
        version="1", schema_version=2, model="m", model_sha256="", class_names=classes, root=str(root),
        inputs=("x",), settings={}, finished=True,
    )  # fmt: skip
