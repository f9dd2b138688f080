"""Tables say what pictures show: ours as they are, anybody's votes, and every row that is not used is counted."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from conftest import Folder

from labeler import pipeline
from labeler.errors import LabelerError
from labeler.records import Settings
from labeler.tables import labels, votes
from labeler.tables.labels import Table

VOTES: dict[str, Sequence[object]] = {
    "file": ["1.png", "2.png", "3.png", "4.png", "5.png"],
    "split": [1, 1, 1, 1, 1],
    "anger": [7, 0, 0, 2, 1],
    "joy": [1, 5, 0, 3, 1],
    "unknown": [2, 5, 10, 0, 0],
}


@pytest.fixture
def photos(folder: Folder) -> Folder:
    """Five pictures."""
    for number in range(1, 6):
        folder.noise(f"{number}.png", seed=number)
    return folder


def table(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    match path.suffix:
        case ".parquet":
            pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        case _:
            with path.open("w", newline="") as file:
                csv.writer(file).writerows([columns, *(row.values() for row in rows)])
    return path


def test_the_label_column_counts(photos: Folder) -> None:
    path = table(photos.path / "t.csv", {"file": ["1.png", "3.png"], "label": ["sad", "happy"]})
    found = Table(path).below(photos.path)

    assert (found.class_names, found.files, found.soft) == (("happy", "sad"), ("1.png", "3.png"), False)
    assert found.votes.tolist() == [[0, 1], [1, 0]]


def test_labels_may_be_numbers(photos: Folder) -> None:
    path = table(photos.path / "t.parquet", {"file": ["1.png", "3.png"], "label": [0, 1]})

    assert Table(path).class_names == ("0", "1")


def test_labels_are_chosen_and_renamed(photos: Folder) -> None:
    path = table(photos.path / "t.csv", {"file": ["1.png", "2.png", "3.png"], "label": ["sad", "joy", "odd"]})
    found = Table(path, {"sad": "sad", "joy": "happy"}).below(photos.path)

    assert (found.class_names, found.files) == (("sad", "happy"), ("1.png", "2.png"))
    assert found.passed_over == ("1 row of t.csv: another label",)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_format_gives_the_same_votes(photos: Folder, suffix: str) -> None:
    found = Table(table(photos.path / f"t{suffix}", VOTES), {"anger": "angry", "joy": "happy"}).below(photos.path)

    assert (found.class_names, found.files, found.soft) == (("angry", "happy"), ("1.png", "4.png", "5.png"), True)
    assert found.votes.tolist() == [[7, 1], [2, 3], [1, 1]]


def test_rows_that_vote_for_none_of_the_classes_are_passed_over_by_reason(photos: Folder) -> None:
    columns = VOTES | {"unknown": [2, 5, 0, 0, 0]}
    found = Table(table(photos.path / "t.csv", columns), {"anger": "angry", "joy": "happy"}).below(photos.path)

    assert set(found.passed_over) == {
        "1 row of t.csv: no vote for any class",
        "1 row of t.csv: unknown: one of these has at least as many votes as any class",
    }


def test_all_columns_of_numbers_are_classes_unless_reserved(photos: Folder) -> None:
    path = table(photos.path / "t.csv", VOTES | {"score": [1, 1, 1, 1, 1], "note": ["a", "", "b", "c", "d"]})

    assert Table(path).class_names == ("anger", "joy", "unknown")


def test_columns_of_one_name_are_added_up(photos: Folder) -> None:
    path = table(photos.path / "t.csv", VOTES)
    found = Table(path, {"anger": "bad", "unknown": "bad", "joy": "good"}).below(photos.path)

    assert found.class_names == ("bad", "good")
    assert found.votes[0].tolist() == [9, 1]


def test_an_empty_cell_is_no_vote(photos: Folder) -> None:
    path = table(photos.path / "t.csv", {"file": ["1.png", "2.png"], "anger": ["", 1], "joy": [0.5, ""]})

    assert Table(path).below(photos.path).votes.tolist() == [[0, 0.5], [1, 0]]


def test_numbers_that_become_fractions_late_are_read(photos: Folder) -> None:
    count = 200_000
    columns = {"file": ["1.png"] * count, "anger": [1] * count, "joy": [0] * (count - 1) + [0.5]}

    assert Table(table(photos.path / "t.csv", columns)).below(photos.path).votes[-1].tolist() == [1, 0.5]


def test_a_table_of_ours_is_accepted_as_it_is(photos: Folder, model: Path, tmp_path: Path) -> None:
    photos.file("broken.jpg")
    job = pipeline.Job(inputs=(photos.path,), out=tmp_path / "t.csv", settings=Settings(model=str(model)), workers=1)
    pipeline.classify(job)
    found = Table(tmp_path / "t.csv").below(photos.path)

    assert found.files == tuple(f"{number}.png" for number in range(1, 6))
    assert set(found.class_names) <= {"angry", "happy", "sad"}
    assert found.passed_over == ("1 row of t.csv: unsupported",)


def test_uncertain_rows_and_further_faces_are_passed_over(photos: Folder) -> None:
    columns = {
        "file": ["1.png", "1.png", "2.png", "3.png"],
        "face": [0, 1, 0, 0],
        "label": ["sad", "happy", "happy", "uncertain"],
        "status": ["ok"] * 4,
    }
    found = Table(table(photos.path / "t.csv", columns)).below(photos.path)

    assert found.files == ("1.png", "2.png")
    assert set(found.passed_over) == {
        "1 row of t.csv: not the largest face of its file",
        "1 row of t.csv: uncertain",
    }


def test_one_table_serves_several_folders(tmp_path: Path) -> None:
    columns = {"file": ["train/1.png", "valid/1.png", "train/2.png"], "label": ["sad", "sad", "happy"]}
    for number, name in enumerate(columns["file"]):
        Folder(tmp_path).noise(name, seed=number)
    opened = Table(table(tmp_path / "t.csv", columns))

    assert opened.below(tmp_path / "train").files == ("1.png", "2.png")
    assert opened.below(tmp_path / "valid").files == ("1.png",)
    assert opened.below(tmp_path / "valid").passed_over == (f"2 rows of t.csv: not below {tmp_path / 'valid'}",)


def test_files_may_be_relative_to_the_pictures_folder(photos: Folder, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", {"file": ["1.png", "2.png"], "label": ["sad", "happy"]})

    assert Table(path).below(photos.path).files == ("1.png", "2.png")


def test_files_may_be_absolute(photos: Folder, tmp_path: Path) -> None:
    names = [str(photos.path / "1.png"), str(photos.path / "2.png")]

    assert Table(table(tmp_path / "t.csv", {"file": names, "label": ["sad", "happy"]})).below(photos.path).files == (
        "1.png",
        "2.png",
    )


def test_a_part_of_what_was_classified_can_be_trained_on(model: Path, tmp_path: Path) -> None:
    pictures = Folder(tmp_path / "all")
    for number in range(12):
        pictures.noise(f"{'old' if number % 2 else 'new'}/{number:02}.png", seed=number)
    pipeline.classify(
        pipeline.Job(inputs=(pictures.path,), out=tmp_path / "t.csv", settings=Settings(model=str(model)), workers=1)
    )

    assert Table(tmp_path / "t.csv").below(pictures.path / "new").files == tuple(f"{n:02}.png" for n in range(0, 12, 2))


def test_a_file_is_known_by_its_name_even_if_it_looks_like_a_number(photos: Folder) -> None:
    photos.file("007")
    path = table(photos.path / "t.csv", {"file": ["007", "007"], "label": ["1", "2"]})

    assert Table(path).below(photos.path).files == ("007", "007")


@pytest.mark.parametrize(
    ("columns", "wanted", "told"),
    [
        ({"name": ["1.png"], "label": ["sad"]}, {}, "needs one column `file`; its columns are name, label"),
        ({"file": ["1.png"], "label": ["sad"]}, {}, "holds a single class, sad"),
        ({"file": ["1.png"], "note": ["sad"]}, {}, "holds no class"),
        (VOTES, {"anger": "angry", "fear": "fear"}, "has no numeric column fear; it has anger, joy, unknown"),
        ({"file": ["1.png"] * 2, "label": ["sad", "joy"]}, {"joy": "happy", "fear": "fear"}, "has no label fear"),
        ({"file": ["1.png"], "a": [-1], "b": [2]}, {}, "must be finite and not negative"),
        (VOTES, {"anger": "label", "joy": "happy"}, "no class may be called label"),
    ],
)
def test_a_table_that_cannot_be_used_says_why(
    photos: Folder, columns: dict[str, Sequence[object]], wanted: dict[str, str], told: str
) -> None:
    with pytest.raises(LabelerError, match=told):
        Table(table(photos.path / "t.csv", columns), wanted)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_something_else_is_no_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(b'\x00{""\x01' * 100)

    with pytest.raises(LabelerError, match=rf"t{suffix} (cannot be read as a table|needs one column `file`)"):
        Table(path)


def test_a_table_of_other_pictures_is_an_error(photos: Folder) -> None:
    path = table(photos.path / "t.csv", {"file": ["x/8.png", "x/9.png"], "label": ["sad", "happy"]})

    with pytest.raises(LabelerError, match=r"names a photo below .*photos; it names files like x/8\.png"):
        Table(path).below(photos.path)


def test_the_truth_of_votes_is_what_most_of_them_say(photos: Folder) -> None:
    truth = labels.truth(table(photos.path / "t.csv", VOTES), "anger=angry,joy=happy", photos.path)

    assert truth.labels == {"1.png": "angry", "4.png": "happy"}
    assert (truth.class_names, truth.against, truth.ties) == (("angry", "happy"), "the most votes in t.csv", 1)
    assert [line.partition(" of ")[0] for line in truth.passed_over] == ["1 row", "1 row"]


def test_the_truth_of_labels_is_what_they_say(photos: Folder) -> None:
    path = table(photos.path / "t.csv", {"file": ["1.png", "3.png"], "label": ["sad", "joy"]})
    truth = labels.truth(path, "sad,joy=happy", photos.path)

    assert (truth.labels, truth.against) == ({"1.png": "sad", "3.png": "happy"}, "the labels in t.csv")


def test_a_file_with_two_labels_is_tied(photos: Folder) -> None:
    path = table(photos.path / "t.csv", {"file": ["1.png", "1.png", "2.png"], "label": ["sad", "joy", "joy"]})
    truth = labels.truth(path, "", photos.path)

    assert (truth.labels, truth.ties) == ({"2.png": "joy"}, 1)


def test_classes_are_named_and_renamed() -> None:
    assert labels.parse_classes("anger=angry, sad") == {"anger": "angry", "sad": "sad"}


@pytest.mark.parametrize("wrong", ["sad,", "=sad", "sad=", "sad,sad"])
def test_a_choice_of_classes_with_a_gap_or_a_repetition_is_an_error(wrong: str) -> None:
    with pytest.raises(LabelerError, match="give each column or label once"):
        labels.parse_classes(wrong)


def test_a_label_that_is_no_class_has_no_one() -> None:
    assert np.array_equal(votes.one_hot(["b", "x", "a"], ["a", "b"]), [[0, 1], [0, 0], [1, 0]])


def test_a_quote_without_end_swallows_no_rows_unseen(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('file,label\na.jpg,joy\nb.jpg,"sad\n' + "c.jpg,joy\n" * 1000)
    with pytest.raises(LabelerError, match="cannot be the name of a class: blank, too long, or with a line break"):
        Table(tmp_path / "t.csv")


def test_a_table_of_votes_that_a_spreadsheet_has_saved_counts_as_it_did(photos: Folder) -> None:
    plain = table(photos.path / "t.csv", {"file": ["1.png", "2.png"], "anger": [0.75, 1.5], "joy": [0.25, 2]})
    text = plain.read_text().replace(",", ";").replace(".75", ",75").replace(".25", ",25").replace("1.5", "1,5")
    saved = photos.path / "saved.csv"
    saved.write_bytes(b"\xef\xbb\xbf" + text.encode())

    assert Table(saved).below(photos.path).votes.tolist() == Table(plain).below(photos.path).votes.tolist()
    assert Table(saved).class_names == ("anger", "joy")
