"""A model is judged by folders or by a table, as pictures are and varied, and nothing is written over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, Folder, make_bundle

from labeler.errors import LabelerError, NoPicturesError
from labeler.evaluation import evaluate
from labeler.evaluation.evaluate import EvaluateSettings
from labeler.evaluation.perturbations import PERTURBATIONS
from labeler.tables.labels import Truth


@pytest.fixture
def asked(folder: Folder, model: Path) -> EvaluateSettings:
    """Twelve noisy pictures in three class folders."""
    for index in range(12):
        folder.noise(f"{CLASS_NAMES[index % 3]}/{index}.png", seed=index)
    return EvaluateSettings(data=folder.path, model=str(model), class_names=CLASS_NAMES, workers=1)


def test_the_truth_is_the_class_folders(asked: EvaluateSettings) -> None:
    figures = evaluate.evaluate(asked).figures

    assert (figures.n, figures.against, figures.per_class["sad"].support) == (12, "class folders", 4)


def test_the_truth_may_be_a_table(asked: EvaluateSettings) -> None:
    truth = Truth(
        labels={"sad/2.png": "happy", "happy/1.png": "angry"},
        class_names=("angry", "happy"),
        against="the labels in t.csv",
        ties=3,
    )
    figures = evaluate.evaluate(replace(asked, truth=truth)).figures

    assert (figures.n, figures.against, figures.left_out) == (2, "the labels in t.csv", {"tie": 3})
    assert [figures.per_class[name].support for name in CLASS_NAMES] == [1, 1, 0]


@pytest.mark.parametrize("robustness", [False, True])
def test_files_of_the_table_that_are_missing_are_counted_and_named(asked: EvaluateSettings, robustness: bool) -> None:
    truth = Truth(
        labels={"sad/2.png": "happy", "sad/gone.png": "sad", "gone/2.png": "sad"},
        class_names=("happy", "sad"),
        against="the labels",
    )
    found = evaluate.evaluate(replace(asked, truth=truth, robustness=robustness))

    assert (found.figures.n, found.figures.left_out) == (1, {"missing": 2})
    assert found.as_json()["missing"] == ("sad/gone.png", "gone/2.png")


def test_a_table_whose_files_are_all_missing_is_an_error(asked: EvaluateSettings) -> None:
    with pytest.raises(NoPicturesError, match=r"none of the 1 photos .* gone/2.png"):
        evaluate.evaluate(
            replace(
                asked, truth=Truth(labels={"gone/2.png": "sad"}, class_names=("happy", "sad"), against="the labels")
            )
        )


def test_copies_are_left_out_of_a_table_too(asked: EvaluateSettings) -> None:
    truth = Truth(
        labels={"sad/2.png": "happy", "happy/1.png": "angry"},
        class_names=("angry", "happy"),
        against="the labels in t.csv",
    )
    figures = evaluate.evaluate(replace(asked, truth=truth, copies=frozenset({"sad/2.png"}))).figures

    assert (figures.n, figures.left_out) == (1, {"copy": 1})


def test_a_class_of_the_table_that_the_model_does_not_know_is_an_error(asked: EvaluateSettings) -> None:
    truth = Truth(labels={"sad/2.png": "joy"}, class_names=("angry", "joy"), against="the labels in t.csv")
    with pytest.raises(LabelerError, match=r"the table's classes: joy - not known .* --classes"):
        evaluate.evaluate(replace(asked, truth=truth))


def test_every_variation_is_tried_on_the_same_pictures(asked: EvaluateSettings) -> None:
    found = evaluate.evaluate(replace(asked, robustness=True))

    assert [trial.variation for trial in found.trials] == list(PERTURBATIONS)
    assert all(trial.drop == pytest.approx(100 * (found.figures.accuracy - trial.accuracy)) for trial in found.trials)


def test_workers_change_no_trial(asked: EvaluateSettings) -> None:
    asked = replace(asked, robustness=True)

    assert evaluate.evaluate(asked) == evaluate.evaluate(replace(asked, workers=2))


def test_a_threshold_is_suggested_for_a_wanted_accuracy(asked: EvaluateSettings) -> None:
    found = evaluate.evaluate(replace(asked, wanted_accuracy=0.0))

    assert found.suggestion
    assert (found.suggestion.threshold, found.as_json()["suggestion"]["coverage"]) == (0, 1)


def test_what_comes_out_is_written_and_drawn(asked: EvaluateSettings, tmp_path: Path) -> None:
    found = evaluate.evaluate(replace(asked, wanted_accuracy=0.99))
    evaluate.write(found, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))

    assert (written["n"], written["wanted_accuracy"], written["against"]) == (12, 0.99, "class folders")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "metrics.json",
        "confusion.png",
        "reliability.png",
        "coverage.png",
    }


@pytest.mark.parametrize("name", ["metrics.json", "coverage.png"])
def test_nothing_is_written_over(asked: EvaluateSettings, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(LabelerError, match=f"{name} exists already"):
        evaluate.write(evaluate.evaluate(asked), tmp_path)

    assert [path.name for path in tmp_path.iterdir() if path.suffix] == [name]


def test_what_the_model_takes_for_no_face_is_left_out_and_counted(
    asked: EvaluateSettings, folder: Folder, tmp_path: Path
) -> None:
    folder.picture("sad/dark.png", colour=(5, 5, 5))
    model = make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.2)
    figures = evaluate.evaluate(replace(asked, model=str(model))).figures

    assert (figures.n, figures.left_out) == (12, {"no_face": 1})
