"""Every command that reads a table takes the corrected label, and with --no-reviews that of the model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Folder, make_bundle
from odd_rows import ODD_NAMES, record_of, write_finished
from reviewing import NAMES, event
from typer.testing import Result

import labeler
from labeler.cli.exports import To
from labeler.errors import LabelerError
from labeler.records import UNCERTAIN, Face, Row, Status
from labeler.storage.local import version_of
from labeler.storage.store import key
from labeler.tables import decided, reader, reviewed_labels
from labeler.tables.corrections import of_table
from labeler.tables.labels import Table
from labeler.tables.matching import Box, box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import NOT_A_FACE, Kind, path_of, picture_hash

Run = Callable[..., Result]

ADDED = Box(300.0, 300.0, 80.0, 80.0)


@pytest.fixture(params=[".csv", ".jsonl", ".parquet"])
def table(request: pytest.FixtureRequest, folder: Folder, tmp_path: Path) -> Path:
    """A table of photos with every kind of correction; all labels of the model are `happy`."""
    path = tmp_path / f"t{request.param}"
    rows = []
    for name in ("accepted", "added", "changed", "damaged", "none", "removed", "two", "unsure", "untouched"):
        found = folder.noise(f"{name}.jpg", seed=len(rows), side=640)
        row = Row.of_image(f"{name}.jpg", 640, 640, version_of(found.stat()))
        if name == "none":
            rows.append(row.without_label(Status.NO_FACE, "no face was found"))
            continue
        if name == "damaged":
            row = row.damaged("bytes are missing")
        one = row.located(0, Face(100.0, 100.0, 60.0, 60.0, 0.9)).labelled((0.1, 0.9), NAMES, 0.0)
        rows.append(one)
        if name == "two":
            rows.append(row.located(1, Face(300.0, 100.0, 40.0, 40.0, 0.8)).labelled((0.2, 0.8), NAMES, 0.0))
    write_finished(path, record_of(NAMES, root=str(folder.path), settings={"faces": "detect"}), rows)
    boxes = {row.file: Box(row.x or 0, row.y or 0, row.width or 0, row.height or 0) for row in rows if row.face == 0}
    said = {
        "accepted": "happy",
        "changed": "angry",
        "damaged": "angry",
        "removed": NOT_A_FACE,
        "two": NOT_A_FACE,
        "unsure": UNCERTAIN,
    }
    versions = {row.file: row.version for row in rows}
    events = [
        event(label, at, file=f"{name}.jpg", box=boxes[f"{name}.jpg"], version=versions[f"{name}.jpg"])
        for at, (name, label) in enumerate(said.items())
    ]
    events += [
        event("angry", 30, kind=Kind.ADD, file=name, box=ADDED, version=versions[name])
        for name in ("added.jpg", "none.jpg")
    ]
    Log.of(path).append(events)
    return path


def below(folder: Path) -> dict[str, list[str]]:
    """Return the names of the photos in each of the folders that they were sorted into."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.jpg")):
        found.setdefault(path.relative_to(folder).parts[0], []).append(path.stem)
    return found


def test_sort_takes_the_label_that_counts(run: Run, table: Path, tmp_path: Path) -> None:
    assert run("sort", table, "--into", tmp_path / "with", "-q").exit_code == 0
    assert run("sort", table, "--into", tmp_path / "without", "-q", "--no-reviews").exit_code == 0

    assert below(tmp_path / "with") == {
        "happy": ["accepted", "two", "untouched"],
        "angry": ["added", "changed", "damaged", "none"],  # Of the added face, which is the larger one.
        "no_face": ["removed"],
        "uncertain": ["unsure"],
    }
    assert set(below(tmp_path / "without")) == {"happy", "no_face"}


def test_read_has_two_more_columns(table: Path) -> None:
    frame = labeler.read(table)
    found = [(*row[:3], row[3]) for row in frame[["file", "label", "reviewed", "label_before"]].itertuples(index=False)]

    assert found == [
        ("accepted.jpg", "happy", True, "happy"),
        ("added.jpg", "happy", False, "happy"),
        ("added.jpg", "angry", True, ""),
        ("changed.jpg", "angry", True, "happy"),
        ("damaged.jpg", "angry", True, "happy"),
        ("none.jpg", "angry", True, ""),
        ("removed.jpg", "", True, "happy"),
        ("two.jpg", "happy", False, "happy"),
        ("unsure.jpg", "uncertain", True, "happy"),
        ("untouched.jpg", "happy", False, "happy"),
    ]
    assert frame["face"].tolist()[1:3] == [0, 1]
    assert frame["score"].isna().tolist() == [False, False, True, False, False, True, True, False, False, False]
    assert frame["status"].tolist()[5:7] == ["ok", "no_face"]
    assert str(frame.dtypes["reviewed"]) == "bool"
    assert frame.dtypes["face"] == labeler.read(table, reviews=False).dtypes["face"]
    assert "reviewed" not in labeler.read(table, reviews=False)
    assert set(labeler.read(table, reviews=False)["label"]) == {"happy", ""}


def test_the_report_counts_what_was_reviewed_and_scores_only_what_the_model_said(
    run: Run, table: Path, tmp_path: Path
) -> None:
    Log.of(table).append([event("angry", 50, file="gone<b>.jpg")])
    result = run("report", table, "--out", tmp_path / "r.html", "--json", "-q")
    found = json.loads(result.stdout)
    page = (tmp_path / "r.html").read_text("utf-8")

    assert result.exit_code == 0
    assert (found["files"], found["faces"]) == (9, 9)
    assert found["labels"] == {"happy": 4, "angry": 4, "uncertain": 1}
    assert {status: count for status, count in found["statuses"].items() if count} == {
        "ok": 7, "damaged": 1, "no_face": 1
    }  # fmt: skip
    assert sum(map(sum, found["score_bins"].values())) == 4
    assert found["whole_photos"] == 0
    assert found["reviews"] == {
        "reviewed": 8, "changed": 3, "not_a_face": 2, "added": 2, "reviewers": {"ann": 8}, "orphans": {"gone<b>.jpg": 1}
    }  # fmt: skip
    assert "8 faces: 3 changed, 2 no face after all, 2 added" in page
    assert "gone&lt;b&gt;.jpg" in page
    plain = json.loads(run("report", table, "--out", tmp_path / "n.html", "--json", "-q", "--no-reviews").stdout)
    assert (plain["faces"], plain["labels"], plain["reviews"]) == (9, {"happy": 9}, None)


def test_a_report_beside_the_truth_judges_the_model_and_no_person(run: Run, table: Path, tmp_path: Path) -> None:
    names = ["accepted", "added", "changed", "none", "removed", "unsure", "untouched"]
    truth = tmp_path / "truth.csv"
    lines = [f"{name}.jpg,{'angry' if name == 'changed' else 'happy'}" for name in names]
    truth.write_text("\n".join(["file,label", *lines]))
    command = ("report", table, "--out", tmp_path / "r.html", "--labels", truth, "--classes", "happy,angry", "--json")
    found = json.loads(run(*command).stdout)

    assert found["truth"]["n"] == 5
    assert found["truth"]["accuracy"] == pytest.approx(4 / 5)


def test_diff_shows_what_a_review_changed(run: Run, table: Path, tmp_path: Path) -> None:
    other = tmp_path / f"model{table.suffix}"
    other.write_bytes(table.read_bytes())
    other.with_name(other.name + ".run.json").write_bytes(table.with_name(table.name + ".run.json").read_bytes())
    result = run("diff", other, table, "--json", "--out", tmp_path / "d.html")
    found = json.loads(result.stdout)

    assert result.exit_code == 0, result.output
    flip = found["flips"][0]
    assert flip["score"] == 0.9
    assert flip["b"] == {"face": 0, "label": "angry", "score": None, "reviewed": True}
    same = json.loads(run("diff", other, table, "--json", "-q", "--no-reviews").stdout)
    assert same["flips"] == []


FORMATS = [name for name in To if name is not To.CROISSANT]


@pytest.mark.parametrize("table", [".csv"], indirect=True)
@pytest.mark.parametrize("to", FORMATS)
def test_every_export_has_the_faces_that_count(run: Run, table: Path, tmp_path: Path, to: To) -> None:
    """A label that a person gave or confirmed has no score to miss."""
    options = ("--to", to.value, "--split", "1", "--min-score", "0.95", *([] if to is To.YOLO_CLS else ["--photos"]))
    result = run("export", table, "--out", tmp_path / "e", *options, "--json", "-q")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (counts,) = found["pictures"].values()

    assert counts == {"angry": 4, "happy": 1}
    assert found["faces"] == 5
    assert found["left_out"] == {"a score below --min-score": 3, "uncertain": 1, "no_face": 1}
    assert "Persons have checked the labels of 5 faces" in (tmp_path / "e" / "README.md").read_text("utf-8")


@pytest.mark.parametrize("table", [".csv"], indirect=True)
def test_an_exported_face_has_the_models_score_only_of_the_models_label(run: Run, table: Path, tmp_path: Path) -> None:
    assert run("export", table, "--to", "coco", "--out", tmp_path / "coco", "-q").exit_code == 0
    scores: dict[str, list[tuple[str, float | None]]] = {}
    for path in (tmp_path / "coco").rglob("*.json"):
        coco = json.loads(path.read_text("utf-8"))
        if "annotations" in coco:
            names = {image["id"]: image["file_name"] for image in coco["images"]}
            classes = {one["id"]: one["name"] for one in coco["categories"]}
            for one in coco["annotations"]:
                name = names[one["image_id"]].rpartition("/")[2].removesuffix(".jpg")
                scores.setdefault(name, []).append((classes[one["category_id"]], one.get("score")))

    assert scores["added"] == [("angry", None), ("happy", 0.9)]  # The added face is the larger one.
    assert scores["changed"] == [("angry", None)]
    assert scores["accepted"] == [("happy", 0.9)]
    assert scores["none"] == [("angry", None)]

    assert run("export", table, "--to", "imagefolder", "--photos", "--out", tmp_path / "i", "-q").exit_code == 0
    lines = (tmp_path / "i" / "train" / "metadata.jsonl").read_text("utf-8").splitlines()
    assert {line["file"]: line["objects"]["scores"] for line in map(json.loads, lines)}["added.jpg"] == [1.0, 0.9]


@pytest.mark.parametrize("table", [".csv"], indirect=True)
def test_an_export_is_another_one_once_something_else_was_reviewed(run: Run, table: Path, tmp_path: Path) -> None:
    command = ("export", table, "--to", "coco", "--out", tmp_path / "e", "-q")
    assert [run(*command).exit_code, run(*command).exit_code] == [0, 0]
    assert run(*command, "--no-reviews").exit_code == 2
    Log.of(table).append([event("angry", 99, file="untouched.jpg")])
    result = run(*command)

    assert result.exit_code == 2
    assert "SHA-256 of the reviews was" in result.stderr


def test_annotate_draws_the_faces_that_count(run: Run, table: Path, tmp_path: Path) -> None:
    assert run("annotate", table, "--out", tmp_path / "with", "-q").exit_code == 0
    assert run("annotate", table, "--out", tmp_path / "without", "-q", "--no-reviews").exit_code == 0
    same = {
        path.name.partition(".")[0]
        for path in (tmp_path / "with").iterdir()
        if path.read_bytes() == (tmp_path / "without" / path.name).read_bytes()
    }

    assert same == {"accepted", "untouched"}


def test_what_is_learnt_from_a_reviewed_table(table: Path, folder: Folder) -> None:
    """A photo is learnt by its largest face: not one of which that is none, nor one that the detector will not find."""
    found = Table(table).below(folder.path)
    votes = dict(zip(found.files, found.votes.argmax(axis=1).tolist(), strict=True))

    assert {file.removesuffix(".jpg"): found.class_names[vote] for file, vote in votes.items()} == {
        "accepted": "happy", "added": "happy", "changed": "angry", "damaged": "angry", "untouched": "happy"
    }  # fmt: skip
    reasons = [line.partition(": ")[2] for line in found.passed_over]
    assert sorted(reasons) == ["a face that a person added", "no_face", "not the largest face of its file", "uncertain"]
    with pytest.raises(LabelerError, match="a single class, happy"):  # All that the model says.
        Table(table, reviews=False)


def test_the_probabilities_of_a_corrected_face_become_its_vote(table: Path) -> None:
    content = reviewed_labels.corrected(table)
    votes = dict(zip(content["file"].to_pylist(), content["angry"].to_pylist(), strict=True))

    assert (votes["changed.jpg"], votes["untouched.jpg"], votes["unsure.jpg"]) == (1.0, 0.1, 0.0)


@pytest.fixture
def crops(run: Run, folder: Folder, model: Path, tmp_path: Path) -> Path:
    """A table of twelve face crops; a person said of each that it is `angry`, or `sad` of every third."""
    for number in range(12):
        folder.noise(f"{number:02}.png", seed=number)
    path = tmp_path / "t.csv"
    assert run("classify", folder.path, "--out", path, "--model", model, "-q").exit_code == 0
    rows = list(reader.read(path))
    Log.of(path).append(
        event("angry" if at % 3 else "sad", at, file=row.file, version=row.version, box=box_of(row))
        for at, row in enumerate(rows)
    )
    return path


def test_evaluate_compares_with_what_persons_said(run: Run, crops: Path, folder: Folder, model: Path) -> None:
    pytest.importorskip("sklearn")
    command = ("evaluate", folder.path, "--labels", crops, "--model", model, "--json", "-q", "--workers", "1")
    found = json.loads(run(*command).stdout)
    support = {name: one["support"] for name, one in found["per_class"].items()}

    assert (found["n"], support) == (12, {"angry": 8, "happy": 0, "sad": 4})


@pytest.mark.usefixtures("tensorflow")
def test_train_learns_what_persons_said(run: Run, crops: Path, folder: Folder, tmp_path: Path) -> None:
    command = ("train", folder.path, "--labels", crops, "--epochs", "1", "--workers", "1", "--json")
    result = run(*command, "--out", tmp_path / "run")

    assert result.exit_code == 0, result.output
    assert list(json.loads(result.stdout)["per_class"]) == ["angry", "sad"]


def test_reviews_of_a_table_with_hostile_names_reach_every_reader(run: Run, tmp_path: Path) -> None:
    for suffix in (".csv", ".jsonl", ".parquet"):
        table = tmp_path / f"odd{suffix}"
        names = sorted(ODD_NAMES, key=key)
        rows = [
            Row.of_image(name, 64, 64, "1-1").located(0, Face(0.0, 0.0, 64.0, 64.0)).labelled((0.1, 0.9), NAMES, 0.0)
            for name in names
        ]
        write_finished(table, record_of(NAMES, root=str(tmp_path)), rows)
        box = Box(0.0, 0.0, 64.0, 64.0)
        Log.of(table).append([event("angry", at, file=name, box=box) for at, name in enumerate(names)])
        frame = labeler.read(table)

        assert frame["file"].tolist() == names
        assert set(frame["label"]) == {"angry"}
        assert [(row.file, row.label) for row in decided.rows(table)] == [(name, "angry") for name in names]
        assert reviewed_labels.corrected(table)["label"].to_pylist() == ["angry"] * len(names)
        report = json.loads(run("report", table, "--out", tmp_path / "r.html", "--no-pictures", "--json").stdout)
        assert report["reviews"]["changed"] == len(ODD_NAMES)


def test_a_damaged_log_stops_every_reader_with_one_line(run: Run, table: Path, tmp_path: Path) -> None:
    path_of(table).write_bytes(b"{}\n")
    for command in (
        ("sort", table, "--into", tmp_path / "s"),
        ("report", table, "--out", tmp_path / "r.html"),
        ("diff", table, table),
        ("export", table, "--to", "coco", "--out", tmp_path / "e"),
        ("annotate", table, "--out", tmp_path / "a"),
    ):
        result = run(*command)
        assert result.exit_code == 2
        assert "line 1 of" in result.stderr
        assert "Traceback" not in result.output
    with pytest.raises(LabelerError, match="line 1 of"):
        labeler.read(table)


def test_corrections_survive_another_model_a_refresh_and_moved_boxes(run: Run, folder: Folder, tmp_path: Path) -> None:
    """A file that was only touched keeps its corrections by its hash; one whose picture is another does not."""
    for name in ("same", "touched", "other"):
        folder.noise(f"{name}.png", seed=len(name))
    table = tmp_path / "t.csv"
    models = [make_bundle(tmp_path / f"{name}.onnx", class_names=list(NAMES)) for name in ("one", "two")]
    command = ("classify", folder.path, "--out", table, "-q", "--model")
    assert run(*command, models[0]).exit_code == 0
    events = [
        event(
            "angry" if row.label == "happy" else "happy", at, file=row.file, version=row.version, box=box_of(row),
            hash=picture_hash((folder.path / row.file).read_bytes()),
        )
        for at, row in enumerate(reader.read(table))
    ]  # fmt: skip
    Log.of(table).append(events)
    said = {one.file: one.new for one in events}
    assert {row.file: row.label for row in decided.rows(table)} == said

    os.utime(folder.path / "touched.png", (1, 1))
    folder.noise("other.png", seed=77)
    assert run(*command, models[0], "--refresh").exit_code == 0
    corrections = of_table(table)
    assert corrections
    kept = {row.file: row.before is not None for row in corrections.rows(reader.read(table))}
    assert kept == {"other.png": False, "same.png": True, "touched.png": True}
    assert corrections.counts.orphans == {"other.png": 1}

    assert run(*command, models[1], "--overwrite").exit_code == 0
    assert {row.file: row.before is not None for row in decided.rows(table)} == kept
