"""Corrections that were made elsewhere: each comes to its face, and what cannot is counted, never guessed."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from box_items import HOSTILE
from odd_rows import record_of, write_finished
from PIL import Image
from typer.testing import Result

from labeler.records import Face, Row, Status
from labeler.reviewers import export_names
from labeler.reviewers.said import LeftOut
from labeler.storage.local import version_of
from labeler.tables import decided, reader
from labeler.tables.cells import escape
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import Kind

Run = Callable[..., Result]
Xml = ElementTree.Element

NAMES = ("angry", "happy", "sad")
LEFT, RIGHT = Face(20.0, 30.0, 80.0, 100.0, 0.9), Face(200.3, 50.1, 60.0, 60.0, 0.8)
SIZE = (320, 240)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return the table of photos with two faces each, under all sorts of names, and of what gave no face."""
    photos = tmp_path / "photos"
    rows = []
    for name in HOSTILE:
        place = photos / name
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as file:
            Image.new("RGB", SIZE, (200, 30, 30)).save(file, "PNG")
        row = Row.of_image(name, *SIZE, version_of(place.stat()))
        for number, (face, shares) in enumerate(((LEFT, (0.1, 0.8, 0.1)), (RIGHT, (0.7, 0.2, 0.1)))):
            rows.append(row.located(number, face).labelled(shares, NAMES, 0.0))
    rows.append(Row.of_image("empty.jpg", *SIZE, "1-1").without_label(Status.NO_FACE, "no face"))
    rows.append(Row("bad.jpg").without_label(Status.UNREADABLE, "bad"))
    path = tmp_path / "t.csv"
    write_finished(path, record_of(NAMES, root=str(photos)), rows)
    return path


def imported(run: Run, table: Path, file: Path, source: str, *options: object, code: int = 0) -> dict[str, Any]:
    result = run("reviews", "import", table, file, "--from", source, "--json", "--quiet", *options)
    assert result.exit_code == code, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def refused(run: Run, table: Path, file: Path, source: str, *options: object) -> str:
    result = run("reviews", "import", table, file, "--from", source, *options)
    assert result.exit_code == 2, result.output
    assert not Log.of(table).path.exists()
    return str(result.stderr)


def faces(table: Path) -> dict[str, list[tuple[str, str | None]]]:
    """Return for each file the labels that count, each with that of the model where somebody looked."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for row in decided.rows(table):
        found.setdefault(row.file, []).append((row.label, row.before))
    return found


# --- Copies of the table.


def copied(table: Path, path: Path, change: Callable[[dict[str, str]], None], separator: str = ",") -> Path:
    """Write a copy of a table in CSV, as a spreadsheet saves it, with each row changed."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        change(row)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=separator)
        writer.writeheader()
        writer.writerows(rows[::-1])
    return path


def relabel(row: dict[str, str]) -> None:
    if row["face"] == "1":
        row["label"] = "sad"


@pytest.mark.parametrize("separator", [",", ";"])
def test_changed_labels_of_a_copy_come_to_their_faces(run: Run, table: Path, separator: str) -> None:
    def change(row: dict[str, str]) -> None:
        relabel(row)
        if separator == ";":
            row.update({name: row[name].replace(".", ",") for name in ("x", "y", "width", "height")})

    path = copied(table, table.parent / "copy.csv", change, separator)
    found = imported(run, table, path, "csv", "--reviewer", "ann")

    assert (found["new"], found["changed"], found["unchanged"]) == (len(HOSTILE), len(HOSTILE), len(HOSTILE) + 2)
    assert {name: faces(table)[name] for name in HOSTILE} == {
        name: [("happy", None), ("sad", "angry")] for name in HOSTILE
    }
    events = Log.of(table).read()
    assert {(event.reviewer, event.old, event.new, event.view) for event in events} == {
        ("ann", "angry", "sad", "import")
    }

    before = Log.of(table).path.read_bytes()
    assert imported(run, table, path, "csv", "--reviewer", "ann")["new"] == 0
    assert Log.of(table).path.read_bytes() == before


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_copies_in_the_other_formats_are_read_too(run: Run, table: Path, suffix: str) -> None:
    other = table.parent / f"other{suffix}"
    rows = list(reader.read(table))
    write_finished(other, record_of(NAMES), [row._replace(label="sad") if row.face == 1 else row for row in rows])

    assert imported(run, table, other, "csv")["changed"] == len(HOSTILE)
    assert all(faces(table)[name] == [("happy", None), ("sad", "angry")] for name in HOSTILE)


def test_the_column_corrected_is_the_label_where_it_is_not_empty(run: Run, table: Path) -> None:
    said = iter(["happy", "sad", "not_a_face", "uncertain"])

    def change(row: dict[str, str]) -> None:
        row["corrected"] = next(said, "") if row["face"] == "0" else ""

    path = copied(table, table.parent / "copy.csv", change)
    found = imported(run, table, path, "csv", "--reviewer", "ann")
    files = [row.file for row in reader.read(table) if row.face == 0][:4]

    assert (found["accepted"], found["changed"], found["not_a_face"], found["new"]) == (1, 2, 1, 4)
    assert [faces(table)[name] for name in files] == [
        [("happy", "happy"), ("angry", None)],
        [("sad", "happy"), ("angry", None)],
        [("angry", None)],
        [("uncertain", "happy"), ("angry", None)],
    ]


def test_a_table_of_corrections_alone_needs_no_boxes(run: Run, table: Path) -> None:
    path = table.parent / "few.csv"
    path.write_text("file,face,corrected\na/plain.jpg,1,sad\na/plain.png,,sad\na/plain.JPG,7,sad\n")
    found = imported(run, table, path, "csv", code=1)

    assert found["changed"] == 1
    assert faces(table)["a/plain.jpg"] == [("happy", None), ("sad", "angry")]
    assert found["left_out"] == {"a face that the table does not have, and no box inside the photo": 2}


def test_what_was_left_as_it_was_counts_only_if_the_user_says_so(run: Run, table: Path) -> None:
    path = copied(table, table.parent / "copy.csv", relabel)
    found = imported(run, table, path, "csv", "--accept", "--reviewer", "ann")

    assert (found["accepted"], found["changed"], found["new"]) == (len(HOSTILE), len(HOSTILE), 2 * len(HOSTILE))
    assert all(faces(table)[name] == [("happy", "happy"), ("sad", "angry")] for name in HOSTILE)


def test_hostile_cells_are_counted_and_named_and_never_guessed(run: Run, table: Path) -> None:
    path = table.parent / "hostile.csv"
    rows: list[dict[str, object]] = [
        {"file": "a/plain.jpg", "face": 0, "corrected": "Happy"},
        {"file": "a/plain.jpg", "face": 1, "corrected": "../../etc"},
        {"file": "A/Plain.jpg", "face": 0, "corrected": "sad"},
        {"file": "A/Plain.jpg", "face": 0, "corrected": "angry"},
        {"file": "a/plain.png", "x": "nan", "y": "1e300", "width": -5, "height": "wide", "corrected": "sad"},
        {"file": "a/plain.png", "x": 1e300, "y": 1e300, "width": 1e300, "height": 1e300, "corrected": "sad"},
        {"file": "a/plain-png.jpg", "face": 1, "corrected": "sad\u202e"},
        {"file": "a/plain-png.jpg", "face": -1, "corrected": "sad"},
        {"file": "bad.jpg", "face": 0, "corrected": "sad"},
        {"file": "empty.jpg", "face": 0, "corrected": "sad"},
        {"file": "../t.csv", "corrected": "sad"},
        {"file": "", "corrected": "sad"},
        {"file": "\x1b[2J", "corrected": "sad"},
    ]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["file", "face", "x", "y", "width", "height", "corrected"])
        writer.writeheader()
        writer.writerows(rows)
    result = run("reviews", "import", table, path, "--from", "csv")
    found = imported(run, table, path, "csv", code=1)

    assert (result.exit_code, "\x1b" in result.stderr) == (1, False)
    assert (found["new"], found["left_out"]) == (
        0,
        {
            "a label that is no class of the table": 3,
            "two labels for one face": 1,
            "a face that the table does not have, and no box inside the photo": 4,
            "a photo that the table could not read": 1,
            "a photo that is not in the table": 3,
        },
    )
    assert "'Happy' of a/plain.jpg" in found["examples"]["a label that is no class of the table"]
    assert found["examples"]["two labels for one face"] == ["A/Plain.jpg"]
    assert Log.of(table).read() == []


def test_a_class_may_be_an_emoji_that_is_joined_of_two(run: Run, tmp_path: Path) -> None:
    """Its joiner is no printable character."""
    names = ("happy", "\U0001f62e\u200d\U0001f4a8")
    table = tmp_path / "t.csv"
    row = Row.of_image("a.jpg", *SIZE, "1-1").located(0, LEFT).labelled((0.2, 0.8), names, 0.0)
    write_finished(table, record_of(names), [row])
    (tmp_path / "few.csv").write_text("file,corrected\na.jpg,happy\n")
    (tmp_path / "back.csv").write_text(f"file,corrected\na.jpg,{names[1]}\n", "utf-8")

    assert imported(run, table, tmp_path / "few.csv", "csv")["changed"] == 1
    assert imported(run, table, tmp_path / "back.csv", "csv")["changed"] == 1
    assert faces(table) == {"a.jpg": [(names[1], names[1])]}


def test_a_face_that_was_added_in_the_copy_has_a_box(run: Run, table: Path) -> None:
    path = table.parent / "more.csv"
    path.write_text("file,x,y,width,height,corrected\nempty.jpg,10,20,50,300,happy\na/plain.jpg,250,150,40,40,sad\n")
    found = imported(run, table, path, "csv")
    added = {row.file: row for row in decided.rows(table) if decided.is_added(row)}

    assert found["added"] == 2
    assert box_of(added["empty.jpg"]) == (10.0, 20.0, 50.0, 220.0)  # The part in the photo.
    assert faces(table)["a/plain.jpg"] == [("happy", None), ("angry", None), ("sad", "")]
    assert imported(run, table, path, "csv")["new"] == 0


def test_what_was_imported_is_found_again_when_the_photos_were_copied_and_labelled_anew(run: Run, table: Path) -> None:
    imported(run, table, copied(table, table.parent / "copy.csv", relabel), "csv")
    rows = list(reader.read(table))
    os.unlink(table)
    moved = [row._replace(version=f"{row.version}9") for row in rows]
    write_finished(table, record_of(NAMES, root=str(table.parent / "photos")), moved)

    assert all(faces(table)[name] == [("happy", None), ("sad", "angry")] for name in HOSTILE)


def test_a_photo_that_has_changed_since_it_was_labelled_gives_no_hash(run: Run, table: Path) -> None:
    with (table.parent / "photos" / "a/plain.jpg").open("ab") as file:
        file.write(b"more")
    imported(run, table, copied(table, table.parent / "copy.csv", relabel), "csv")

    assert {event.file for event in Log.of(table).read() if event.hash is None} == {"a/plain.jpg"}


def test_a_file_that_is_no_table_is_refused(run: Run, table: Path, tmp_path: Path) -> None:
    (tmp_path / "no.csv").write_text("file,score\na,1\n")
    (tmp_path / "no.xlsx").write_bytes(b"PK")
    (tmp_path / "no.jsonl").write_text(
        '{"file": "a/plain.jpg", "corrected": {"a": []}}\n{"file": 1, "corrected": "x"}\n'
    )

    assert "needs a column `label` or `corrected`" in refused(run, table, tmp_path / "no.csv", "csv")
    assert "cannot be read as a table" in refused(run, table, tmp_path / "no.jsonl", "csv")
    assert "cannot tell the format" in refused(run, table, tmp_path / "no.xlsx", "csv")
    assert "does not exist" in refused(run, table, tmp_path / "none.csv", "csv")
    assert "1 to 100 letters" in refused(run, table, tmp_path / "no.csv", "csv", "--reviewer", "a\nb")
    assert "--export is for" in refused(run, table, tmp_path / "no.csv", "csv", "--export", tmp_path)


# --- Label Studio.


@pytest.fixture
def tasks(run: Run, table: Path) -> list[dict[str, Any]]:
    """Return the tasks of an export, each with an annotation that accepts its prediction, as Label Studio writes it."""
    out = table.parent / "label-studio"
    assert run("export", table, "--to", "label-studio", "--out", out, "--quiet").exit_code == 0
    found: list[dict[str, Any]] = json.loads((out / "tasks-00001.json").read_text())
    for number, task in enumerate(found):
        prediction = {**task["predictions"][0], "id": 900 + number, "task": number}
        task.update(id=number, predictions=[prediction], annotations=[annotated(prediction, number)])
    return found


def annotated(prediction: dict[str, Any], number: int, who: object = 7, **changes: Any) -> dict[str, Any]:
    copied = json.loads(json.dumps(prediction["result"]))
    results = [{**result, "id": f"new{at}", "origin": "prediction"} for at, result in enumerate(copied)]
    return {
        "id": 100 + number,
        "completed_by": who,
        "result": results,
        "was_cancelled": False,
        "updated_at": f"2026-11-20T10:00:{number:02}.123456Z",
        "lead_time": 3.2,
        "parent_prediction": prediction["id"],
        **changes,
    }


def written(table: Path, tasks: object) -> Path:
    path = table.parent / "project.json"
    path.write_text(json.dumps(tasks))
    return path


def label(task: dict[str, Any], face: int, name: str) -> None:
    task["annotations"][0]["result"][face]["value"]["rectanglelabels"] = [name]


def test_annotations_relabel_accept_remove_and_add(run: Run, table: Path, tasks: list[dict[str, Any]]) -> None:
    label(tasks[0], 1, "sad")
    del tasks[1]["annotations"][0]["result"][0]
    drawn = json.loads(json.dumps(tasks[2]["annotations"][0]["result"][0]))
    drawn["origin"] = "manual"
    drawn["value"].update(x=80.0, y=60.0, width=10.0, height=20.0, rectanglelabels=["sad"])
    tasks[2]["annotations"][0]["result"].append(drawn)
    tasks[3]["annotations"] = []
    tasks[4]["annotations"][0].update(was_cancelled=True, result=[])
    tasks[5]["annotations"][0]["result"] = []
    found = imported(run, table, written(table, tasks), "label-studio")
    files = [task["data"]["file"] for task in tasks]
    counting = {name.encode("utf-8", "surrogateescape"): said for name, said in faces(table).items()}
    of = [counting[os.fsencode(row_of(table, file))] for file in files]

    assert (found["changed"], found["not_a_face"], found["added"], found["left_out"]) == (1, 3, 1, {})
    assert found["accepted"] == 2 * (len(HOSTILE) - 3) - 1 - 1
    assert of[0] == [("happy", "happy"), ("sad", "angry")]
    assert of[1] == [("angry", "angry")]
    assert of[2] == [("happy", "happy"), ("angry", "angry"), ("sad", "")]
    assert of[3] == of[4] == [("happy", None), ("angry", None)]
    assert of[5] == [("", "happy")]
    assert all(one == [("happy", "happy"), ("angry", "angry")] for one in of[6:])
    added = next(event for event in Log.of(table).read() if event.kind is Kind.ADD)
    assert (added.box, added.reviewer) == ((256.0, 144.0, 32.0, 48.0), "label-studio 7")
    assert added.time == "2026-11-20T10:00:02.123Z"

    before = Log.of(table).path.read_bytes()
    assert imported(run, table, written(table, tasks), "label-studio")["new"] == 0
    assert imported(run, table, written(table, tasks[::-1]), "label-studio")["new"] == 0  # Exported again.
    assert Log.of(table).path.read_bytes() == before


def row_of(table: Path, escaped: str) -> str:
    """Return the file of the table that has this name in an export."""
    return next(row.file for row in reader.read(table) if escape(row.file) == escaped)


def test_each_annotator_is_a_reviewer(run: Run, table: Path, tasks: list[dict[str, Any]]) -> None:
    prediction = tasks[0]["predictions"][0]
    tasks[0]["annotations"].append(annotated(prediction, 50, {"id": 8, "email": "bob@example.org"}))
    tasks[0]["annotations"][1]["result"][0]["value"]["rectanglelabels"] = ["sad"]
    path = written(table, tasks)

    assert "holds what 2 annotators said" in refused(run, table, path, "label-studio", "--reviewer", "ann")
    assert imported(run, table, path, "label-studio")["reviewers"] == ["bob@example.org", "label-studio 7"]
    votes = json.loads(run("reviews", "show", table, "--json").stdout)
    assert [(pair["n"], pair["agreed"]) for pair in votes["pairs"]] == [(2, 1)]


def test_the_only_annotator_can_be_given_a_name(run: Run, table: Path, tasks: list[dict[str, Any]]) -> None:
    assert imported(run, table, written(table, tasks), "label-studio", "--reviewer", "ann")["reviewers"] == ["ann"]
    assert {event.reviewer for event in Log.of(table).read()} == {"ann"}


@pytest.mark.parametrize(
    ("change", "removed", "missing"),
    [
        pytest.param(lambda task: task["annotations"][0].update(parent_prediction=None), 0, 1, id="begun empty"),
        pytest.param(lambda task: task.update(predictions=[900]), 0, 1, id="without predictions"),
        pytest.param(lambda task: task["annotations"][0].pop("parent_prediction"), 1, 0, id="from another program"),
        pytest.param(
            lambda task: task["annotations"][0].update(prediction=task["predictions"].pop()),
            1,
            0,
            id="in the annotation",
        ),
    ],
)
def test_a_face_is_removed_only_if_its_prediction_was_shown(
    run: Run,
    table: Path,
    tasks: list[dict[str, Any]],
    change: Callable[[dict[str, Any]], object],
    removed: int,
    missing: int,
) -> None:
    task = tasks[0]
    del task["annotations"][0]["result"][0]
    task["annotations"][0]["result"][0]["origin"] = "manual"
    change(task)
    found = imported(run, table, written(table, [task]), "label-studio")

    assert (found["not_a_face"], found["missing"]) == (removed, missing)


def broken_tasks() -> Iterator[Any]:
    """Yield changes to a task that cannot be understood, each with the reason."""

    def value(**changes: Any) -> Callable[[dict[str, Any]], None]:
        return lambda task: task["annotations"][0]["result"][0]["value"].update(changes)

    def result(**changes: Any) -> Callable[[dict[str, Any]], None]:
        return lambda task: task["annotations"][0]["result"][0].update(changes)

    yield "a box without one label", value(rectanglelabels=["happy", "sad"])
    yield "a box without one label", value(rectanglelabels=[])
    yield "a box without one label", value(rectanglelabels="happy")
    yield "a box that is none", value(x="1")
    yield "a box that is none", value(width=None)
    yield "a box without width or height", value(width=0)
    yield "a box without width or height", value(x=float("nan"))
    yield "a box without width or height", value(x=1e308, rotation=1e308)
    yield "a region that is no rectangle with a label", result(type="polygonlabels")
    yield "a region that is no rectangle with a label", result(type="ellipselabels")
    yield "a picture that was turned in Label Studio", result(image_rotation=90)
    yield "boxes without the size of the picture", result(original_width=64)
    yield "a photo that is not in the table", lambda task: task["data"].update(file="../elsewhere.jpg")
    yield "a photo that is not in the table", lambda task: task["data"].update(file="a\x00b")
    yield "a task without `file` in its data, which the export writes", lambda task: task["data"].pop("file")
    yield "a task without `file` in its data, which the export writes", lambda task: task.update(data=["x"])


@pytest.mark.parametrize(("reason", "change"), broken_tasks())
def test_what_cannot_be_understood_leaves_out_the_photo_and_only_that(
    run: Run, table: Path, tasks: list[dict[str, Any]], reason: str, change: Callable[[dict[str, Any]], object]
) -> None:
    change(tasks[0])
    found = imported(run, table, written(table, tasks[:2]), "label-studio", code=1)

    assert found["left_out"] == {reason: 1}
    assert (found["accepted"], found["new"]) == (2, 2)


def test_a_label_that_is_no_class_leaves_out_only_its_face(run: Run, table: Path, tasks: list[dict[str, Any]]) -> None:
    label(tasks[0], 0, "Happy ")
    found = imported(run, table, written(table, tasks[:1]), "label-studio", code=1)

    assert (found["left_out"], found["accepted"]) == ({"a label that is no class of the table": 1}, 1)


def test_a_crop_is_not_taken_for_the_photo(run: Run, table: Path) -> None:
    out = table.parent / "crops"
    assert run("export", table, "--to", "label-studio", "--out", out, "--crops", "-q").exit_code == 0
    tasks = json.loads((out / "tasks-00001.json").read_text())
    for task in tasks:
        task["annotations"] = [annotated({**task["predictions"][0], "id": 1}, 0)]
    found = imported(run, table, written(table, tasks), "label-studio", code=1)

    assert found["new"] == 0
    assert found["left_out"] == {"a picture of another size than the photo: a crop, or another photo": len(tasks)}


def test_a_box_that_was_turned_is_the_upright_one_around_it(run: Run, table: Path, tasks: list[dict[str, Any]]) -> None:
    """A quarter turn clockwise about the left upper corner: it then lies to the left of it."""
    drawn = json.loads(json.dumps(tasks[0]["annotations"][0]["result"][0]))
    drawn["value"].update(x=90.0, y=60.0, width=10.0, height=20.0, rotation=90)
    tasks[0]["annotations"][0]["result"].append(drawn)
    imported(run, table, written(table, tasks[:1]), "label-studio")
    added = next(event for event in Log.of(table).read() if event.kind is Kind.ADD)

    assert added.box == (240.0, 144.0, 48.0, 32.0)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[1]", b"[[[", b"[" * 100_000, b"\xff\xfe", b'[{"data": {}}]', b'[{"image": "x", "label": []}]'],
)
def test_what_is_no_export_of_label_studio_is_refused(run: Run, table: Path, content: bytes) -> None:
    path = table.parent / "x.json"
    path.write_bytes(content)

    assert "export the project from Label Studio as JSON" in refused(run, table, path, "label-studio")


def test_an_annotation_without_the_size_of_the_picture_has_that_of_the_prediction(
    run: Run, table: Path, tasks: list[dict[str, Any]]
) -> None:
    """Programs that make annotations leave it out, which the schema allows."""
    for result in tasks[0]["annotations"][0]["result"]:
        del result["original_width"], result["original_height"]

    assert imported(run, table, written(table, tasks[:1]), "label-studio")["accepted"] == 2


@pytest.mark.slow
def test_the_sdk_takes_our_annotations_for_its_own_and_we_take_its(
    run: Run, table: Path, tasks: list[dict[str, Any]]
) -> None:
    interface = pytest.importorskip("label_studio_sdk.label_interface").LabelInterface
    types = pytest.importorskip("label_studio_sdk.types")
    read = interface((table.parent / "label-studio" / "config.xml").read_text())
    for task in tasks:
        annotation = task["annotations"][0]
        assert read.validate_annotation(annotation)
        assert types.Annotation(**annotation).parent_prediction == annotation["parent_prediction"]
    tasks[0]["annotations"] = [{**read.generate_sample_annotation(), "completed_by": number} for number in range(20)]
    result = run("reviews", "import", table, written(table, tasks), "--from", "label-studio", "--json", "-q")
    found = json.loads(result.stdout)

    outside = {"a face that the table does not have, and no box inside the photo", "a box without width or height"}
    assert set(found["left_out"]) <= outside  # Where the boxes lie, the SDK chooses at random.
    assert found["accepted"] >= 2 * (len(HOSTILE) - 1)
    assert len(found["reviewers"]) >= 20


# --- CVAT.


@pytest.fixture
def exported(run: Run, table: Path) -> Path:
    out = table.parent / "cvat"
    assert run("export", table, "--to", "cvat", "--out", out, "--quiet").exit_code == 0
    return out


def edited(exported: Path, change: Callable[[list[Xml]], object]) -> Path:
    """Return the annotations of an export after somebody edited them in CVAT."""
    tree = ElementTree.parse(exported / "annotations.xml")
    change(tree.getroot().findall("image"))
    path = exported.parent / "edited.xml"
    tree.write(path, encoding="utf-8", xml_declaration=True)
    return path


def everything(images: list[Xml]) -> None:
    """Relabel the second face of the first photo, remove the first of the second, add one to the third."""
    images[0].findall("box")[1].set("label", "sad")
    images[1].remove(images[1].findall("box")[0])
    box = {"label": "sad", "source": "manual", "occluded": "0", "xtl": "250", "ytl": "150", "xbr": "290", "ybr": "190"}
    ElementTree.SubElement(images[2], "box", box)


def test_boxes_relabel_remove_and_add(run: Run, table: Path, exported: Path) -> None:
    path = edited(exported, everything)
    found = imported(run, table, path, "cvat", "--export", exported, "--reviewer", "ann")
    files = [row.file for row in reader.read(table) if row.face == 0]

    assert (found["changed"], found["not_a_face"], found["added"], found["left_out"]) == (1, 1, 1, {})
    assert (found["new"], found["unchanged"]) == (3, 2 * len(HOSTILE) - 2)
    assert faces(table)[files[0]] == [("happy", None), ("sad", "angry")]
    assert faces(table)[files[1]] == [("angry", None)]
    assert faces(table)[files[2]] == [("happy", None), ("angry", None), ("sad", "")]
    assert imported(run, table, path, "cvat", "--export", exported, "--reviewer", "ann")["new"] == 0


def test_without_the_export_nobody_knows_what_was_taken_out(run: Run, table: Path, exported: Path) -> None:
    found = imported(run, table, edited(exported, everything), "cvat")

    assert (found["changed"], found["not_a_face"], found["added"], found["missing"]) == (1, 0, 1, 1)


def relabel_all(images: list[Xml]) -> None:
    for image in images:
        image.findall("box")[1].set("label", "sad")


@pytest.mark.parametrize("mode", ["copy", "symlink", "none"])
def test_every_name_leads_back_to_its_photo(run: Run, table: Path, mode: str) -> None:
    out = table.parent / "out"
    assert run("export", table, "--to", "cvat", "--out", out, "--mode", mode, "--quiet").exit_code == 0
    found = imported(run, table, edited(out, relabel_all), "cvat", "--export", out)

    assert (found["changed"], found["left_out"]) == (len(HOSTILE), {})
    assert all(faces(table)[name] == [("happy", None), ("sad", "angry")] for name in HOSTILE)


def test_names_with_the_folders_of_the_export_and_names_without_folders_are_found(
    run: Run, table: Path, exported: Path
) -> None:
    def change(images: list[Xml]) -> None:
        relabel_all(images)
        for image in images:
            name = str(image.get("name"))
            image.set("name", f"images/{name}" if "/" not in name else name.rpartition("/")[2])

    found = imported(run, table, edited(exported, change), "cvat", "--export", exported, code=1)
    names = [str(image.get("name")).rpartition("/")[2] for image in edited_images(exported)]

    assert names.count("x.jpg") == 3
    assert found["changed"] == len(names) - 3
    assert found["left_out"].keys() == {"a picture that is there twice"}


def edited_images(exported: Path) -> list[Xml]:
    return ElementTree.parse(exported / "annotations.xml").getroot().findall("image")


def broken_images() -> Iterator[Any]:
    def element(tag: str) -> Callable[[list[Xml]], object]:
        return lambda images: ElementTree.SubElement(images[0], tag, {"label": "sad"})

    yield "a shape that is no box", element("polygon")
    yield "an element box without what it needs", element("box")
    yield "an element box without what it needs", lambda images: images[0].findall("box")[0].set("xtl", "left")
    yield "a box without width or height", lambda images: images[0].findall("box")[0].set("xtl", "nan")
    yield "a box without width or height", lambda images: images[0].findall("box")[0].set("xbr", "-1e300")
    yield "an element image without what it needs", lambda images: images[0].set("width", "wide")
    yield (
        "a picture of another size than the photo: a crop, or another photo",
        lambda images: images[0].set("width", "319"),
    )
    yield "a picture that is not in the table", lambda images: images[0].set("name", "../../elsewhere.jpg")
    yield "a picture that is there twice", lambda images: images[0].set("name", str(images[1].get("name")))


@pytest.mark.parametrize(("reason", "change"), broken_images())
def test_an_image_that_cannot_be_understood_is_left_out(
    run: Run, table: Path, exported: Path, reason: str, change: Callable[[list[Xml]], object]
) -> None:
    def both(images: list[Xml]) -> None:
        relabel_all(images)
        change(images)

    found = imported(run, table, edited(exported, both), "cvat", "--export", exported, code=1)

    assert found["left_out"] == {reason: 1}
    assert found["changed"] == len(HOSTILE) - (2 if "twice" in reason else 1)
    assert found["not_a_face"] == 0


LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;">]><annotations><image name="&m;" width="1" height="1"/>'
    b"</annotations>"
)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"<annotations/>", b"<annotations><image", b"[]", b"\xff\xfe\x00", LAUGHS,
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotations/>', b"<annotations><track/></annotations>",
        b"<other><image name='a' width='1' height='1'/></other>",
    ],
)  # fmt: skip
def test_what_is_no_xml_of_cvat_is_refused(run: Run, table: Path, content: bytes) -> None:
    path = table.parent / "x.xml"
    path.write_bytes(content)

    assert 'export the task from CVAT as "CVAT for images 1.1"' in refused(run, table, path, "cvat")


def test_a_label_that_was_put_back_in_an_export_of_corrections_counts(run: Run, table: Path) -> None:
    """The export shows what counts, not the model's label: to put that back is a change."""
    corrections = table.parent / "few.csv"
    corrections.write_text("file,face,corrected\na/plain.jpg,0,sad\n")
    imported(run, table, corrections, "csv", "--reviewer", "bob")
    out = table.parent / "again"
    assert run("export", table, "--to", "cvat", "--out", out, "--quiet").exit_code == 0

    def put_back(images: list[Xml]) -> None:
        for image in images:
            for box in image.findall("box"):
                if box.get("label") == "sad":
                    box.set("label", "happy")

    found = imported(run, table, edited(out, put_back), "cvat", "--export", out, "--reviewer", "ann")
    assert (found["changed"], found["new"]) == (1, 1)
    assert faces(table)["a/plain.jpg"][0] == ("happy", "happy")


def test_a_name_that_several_photos_end_with_is_left_out() -> None:
    left = LeftOut()
    files = ["a/x.jpg", "a/x.jpg", "b/x.jpg", "b/y.jpg", "y.jpg", "c/z.jpg", "images/train/w.jpg"]
    names = ["x.jpg", "y.jpg", "z.jpg", "images/a/x.jpg", "images/train/w.jpg", "none.jpg", "/etc/passwd"]
    found = export_names.files_of(names, files, "/photos", left)

    assert found == {
        "y.jpg": "y.jpg",
        "z.jpg": "c/z.jpg",
        "images/a/x.jpg": "a/x.jpg",
        "images/train/w.jpg": "images/train/w.jpg",
    }
    assert left.examples == {
        "a picture that is not in the table": ["/etc/passwd", "none.jpg"],
        "a name that several photos of the table have": ["x.jpg"],
    }


def test_what_is_imported_has_the_boxes_of_the_table(run: Run, table: Path, exported: Path) -> None:
    imported(run, table, edited(exported, relabel_all), "cvat", "--export", exported)

    assert {event.box for event in Log.of(table).read()} == {box_of(row) for row in reader.read(table) if row.face == 1}
