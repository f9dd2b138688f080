"""Rows against the truth: every file is judged or counted by the reason why it is not."""

from __future__ import annotations

import pytest
from conftest import Folder

from labeler.errors import LabelerError
from labeler.evaluation import classes, truth
from labeler.records import UNCERTAIN, Row, Status

NAMES = ("angry", "happy", "sad")


def row(file: str, label: str = "happy", probabilities: tuple[float, ...] = (0.1, 0.7, 0.2), face: int = 0) -> Row:
    return Row(file, face=face, label=label, score=max(probabilities), probabilities=probabilities)


def test_the_truth_of_a_row_is_its_first_folder() -> None:
    figures = truth.of_folders([row("happy/deep/down/1.jpg"), row("sad/2.jpg")], NAMES)

    assert (figures.n, figures.accuracy) == (2, 0.5)


def test_an_uncertain_row_counts_as_its_most_probable_class() -> None:
    figures = truth.of_folders([row("sad/1.jpg", UNCERTAIN, (0.3, 0.3, 0.4))], NAMES)

    assert figures.accuracy == 1


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    rows = [
        row("happy/1.jpg"),
        row("happy/1.jpg", face=1),
        Row("sad/2.jpg").without_label(Status.NO_FACE, "no face was found"),
        Row("sad/3.jpg").without_label(Status.UNREADABLE, "broken"),
        Row("sad/4.jpg").without_label(Status.UNREADABLE, "broken"),
        row("sad/5.jpg"),
    ]
    figures = truth.of_folders(rows, NAMES, copies={"sad/5.jpg"})

    assert (figures.n, figures.left_out) == (1, {"further_face": 1, "no_face": 1, "unreadable": 2, "copy": 1})


def test_a_folder_the_model_does_not_know_is_an_error_even_when_none_of_it_was_labelled() -> None:
    rows = [row("happy/1.jpg"), Row("joy/2.jpg").without_label(Status.UNREADABLE, "broken")]

    with pytest.raises(LabelerError, match="class folders: joy - not known"):
        truth.of_folders(rows, NAMES)


def test_a_file_outside_the_class_folders_is_an_error() -> None:
    with pytest.raises(LabelerError, match=r"^1.jpg is in no class folder"):
        truth.of_folders([row("1.jpg")], NAMES)


def test_copies_are_found_by_their_pixels_whatever_their_names(folder: Folder) -> None:
    folder.noise("train/happy/a.png", seed=1)
    folder.noise("valid/sad/b.bmp", seed=1)
    folder.noise("valid/sad/a.png", seed=2)
    folder.file("valid/sad/broken.png")

    assert truth.copies_of(folder.path / "train", folder.path / "valid") == {"sad/b.bmp"}


def test_hidden_folders_are_no_classes(folder: Folder) -> None:
    folder.noise("happy/a.png", seed=1)
    folder.noise(".cache/a.png", seed=1)

    assert classes.class_folders(folder.path) == ("happy",)


def test_a_missing_directory_is_named(folder: Folder) -> None:
    with pytest.raises(LabelerError, match="nowhere cannot be read: No such file"):
        classes.class_folders(folder.path / "nowhere")
