"""The per-batch function: every file a row, no row another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, ROOT, Folder, make_bundle

from labeler.evaluation import perturbations
from labeler.labeling import BatchLabeler, Looker
from labeler.native_output import decoders
from labeler.records import Faces, Row, Settings, Status


@pytest.fixture
def settings(folder: Folder, model: Path) -> Settings:
    return Settings(model=str(model), root=str(folder.path))


def test_every_file_gives_a_row_in_the_order_given(folder: Folder, settings: Settings) -> None:
    for index in range(5):
        folder.noise(f"{index}.jpg", seed=index)
    names = ["3.jpg", "gone.jpg", "0.jpg"]

    assert [row.file for row in BatchLabeler(settings)(names)] == names


def test_a_bad_file_between_two_good_ones_shifts_nothing(folder: Folder, settings: Settings) -> None:
    folder.noise("a.jpg", seed=1)
    folder.file("b.jpg")
    folder.noise("c.jpg", seed=2)
    labeler = BatchLabeler(settings)
    together = labeler(["a.jpg", "b.jpg", "c.jpg"])

    assert together == labeler(["a.jpg"]) + labeler(["b.jpg"]) + labeler(["c.jpg"])
    assert [row.status for row in together] == [Status.OK, Status.UNSUPPORTED, Status.OK]


def test_a_row_carries_the_whole_picture_as_its_box(folder: Folder, settings: Settings) -> None:
    folder.picture("a.jpg", side=100)
    (row,) = BatchLabeler(settings)(["a.jpg"])

    assert (row.face, row.x, row.y, row.width, row.height, row.face_score) == (0, 0, 0, 100, 100, None)


def test_probabilities_sum_to_one_and_the_score_is_the_winners(folder: Folder, settings: Settings) -> None:
    folder.noise("a.jpg", seed=1)
    (row,) = BatchLabeler(settings)(["a.jpg"])

    assert sum(row.probabilities) == pytest.approx(1, abs=1e-5)
    assert row.score == max(row.probabilities) == row.probabilities[CLASS_NAMES.index(row.label)]


def test_below_the_threshold_the_label_is_uncertain_and_the_score_stays(folder: Folder, model: Path) -> None:
    folder.picture("a.jpg")
    (row,) = BatchLabeler(Settings(model=str(model), root=str(folder.path), threshold=1.0))(["a.jpg"])

    assert (row.label, row.score) == ("uncertain", max(row.probabilities))


def test_a_file_without_a_face_has_no_label_no_score_and_a_reason(folder: Folder, settings: Settings) -> None:
    folder.file("a.jpg")
    (row,) = BatchLabeler(settings)(["a.jpg"])

    assert (row.label, row.score, row.probabilities, row.face) == ("", None, (), None)
    assert row.reason


def test_a_look_gives_the_crop_that_the_network_sees(folder: Folder, settings: Settings) -> None:
    folder.picture("a.jpg", colour=(10, 200, 90), side=48)
    ((face, crop),) = Looker(settings)("a.jpg").faces

    assert (face.width, crop.shape, crop.dtype) == (48, (64, 64, 3), "uint8")


def test_a_look_may_vary_the_face_before_it_is_scaled(folder: Folder, settings: Settings) -> None:
    folder.noise("a.png", seed=1, side=32)
    seen: list[tuple[int, ...]] = []
    ((_, crop),) = Looker(settings, vary=lambda pixels: seen.append(pixels.shape) or 255 - pixels)("a.png").faces  # type: ignore[func-returns-value]
    ((_, plain),) = Looker(settings)("a.png").faces

    assert seen == [(32, 32, 3)]
    assert np.abs(255 - crop.astype(int) - plain).max() <= 1


def test_varying_changes_labels_and_not_where_faces_are(folder: Folder, settings: Settings) -> None:
    folder.noise("a.png", seed=1)
    rows = [BatchLabeler(settings, vary=vary)(["a.png"])[0] for vary in (None, perturbations.rotated)]

    assert rows[0].probabilities != rows[1].probabilities
    assert rows[0][:7] == rows[1][:7]


@pytest.fixture
def doubting(folder: Folder, tmp_path: Path) -> Settings:
    """The settings for a model that takes the brightness of an image for the probability that it shows a face."""
    path = make_bundle(tmp_path / "doubting.onnx", face=True, face_threshold=0.5)
    return Settings(model=str(path), root=str(folder.path))


def test_a_small_image_that_does_not_look_like_a_face_gets_no_label(folder: Folder, doubting: Settings) -> None:
    folder.picture("bright.png", colour=(200, 200, 200))
    folder.picture("dark.png", colour=(5, 5, 5))
    bright, dark = BatchLabeler(doubting)(["bright.png", "dark.png"])

    assert (bright.status, bright.label in CLASS_NAMES) == (Status.OK, True)
    assert dark == Row(
        "dark.png",
        status=Status.NO_FACE,
        reason="the picture does not look like a face: 0.01, the model asks for at least 0.50",
        image_width=48,
        image_height=48,
        version=dark.version,
    )


def test_a_probability_just_below_the_threshold_is_not_shown_as_the_threshold(folder: Folder, tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5)
    folder.picture("a.png", colour=(127, 127, 127))
    (row,) = BatchLabeler(Settings(model=str(path), root=str(folder.path)))(["a.png"])

    assert "face: 0.49, the model asks for at least 0.50" in row.reason


def test_a_user_who_says_that_every_picture_is_a_face_is_believed(folder: Folder, doubting: Settings) -> None:
    folder.picture("dark.png", colour=(5, 5, 5))
    (row,) = BatchLabeler(replace(doubting, faces=Faces.WHOLE))(["dark.png"])

    assert (row.status, row.face, row.label in CLASS_NAMES) == (Status.OK, 0, True)


def test_a_face_that_the_detector_found_stays_a_face(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", face=True, face_threshold=1.0)
    settings = Settings(model=str(path), root=str(ROOT / "examples" / "photos" / "portraits"))
    (row,) = BatchLabeler(settings)(["collins.jpg"])

    assert row.face_score is not None
    assert row.label in CLASS_NAMES


def test_a_damaged_image_that_does_not_look_like_a_face_says_both(folder: Folder, tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", face=True, face_threshold=1.0)
    folder.damaged("a.jpg")
    with decoders():
        (row,) = BatchLabeler(Settings(model=str(path), root=str(folder.path)))(["a.jpg"])

    assert (row.status, row.label, row.face) == (Status.DAMAGED, "", None)
    assert row.reason.startswith("the picture does not look like a face: ")
    assert "the model asks for at least 1.00; " in row.reason


def test_only_crops_of_what_is_labelled_are_kept(folder: Folder, doubting: Settings) -> None:
    folder.picture("bright.png", colour=(200, 200, 200))
    folder.picture("dark.png", colour=(5, 5, 5))
    kept: list[tuple[str, int]] = []
    BatchLabeler(doubting, keep=lambda name, index, _: kept.append((name, index)) or "")(["dark.png", "bright.png"])  # type: ignore[func-returns-value]

    assert kept == [("bright.png", 0)]
