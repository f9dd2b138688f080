"""The batches a network learns from: scaled as documented, the same in every run, augmented where they may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from training.data import augmentation, batches
from training.data.augmentation import Augmentation
from training.data.batches import BatchSettings
from training.data.dataset import Dataset, Subset
from training.networks import fast_steps

Batch = tuple[NDArray[np.float32], ...]
MILD = augmentation.Mild(0)


@pytest.fixture
def pictures() -> Dataset:
    """Ten noisy training and four validation pictures of three classes."""
    chance = np.random.default_rng(0)
    subsets = [
        Subset(
            places=np.arange(first, last),
            labels=chance.integers(0, 3, last - first),
            fingerprints=(b"",) * (last - first),
        )
        for first, last in ((0, 10), (10, 14))
    ]
    pixels = chance.integers(0, 256, (14, 64, 64, 3), dtype=np.uint8)
    return Dataset(class_names=("a", "b", "c"), pixels=pixels, training=subsets[0], validation=subsets[1])


def training(pictures: Dataset, count: int, *, first_epoch: int = 0, **lessons: Any) -> list[Batch]:
    endless = batches.training(pictures, BatchSettings(batch_size=4, **{"seed": 0, **lessons}), first_epoch)
    batch_by_batch = endless if lessons.get("vary") else endless.unbatch()
    return [
        (fast_steps.scaled(pixels).numpy(), *(part.numpy() for part in parts))
        for pixels, *parts in batch_by_batch.take(count)
    ]


def validation(pictures: Dataset) -> list[Batch]:
    return [(pixels.numpy(), answers.numpy()) for pixels, answers in batches.validation(pictures, 3)]


def test_pixels_are_scaled_by_1_255(pictures: Dataset) -> None:
    [(pixels, _), *_] = validation(pictures)

    assert np.array_equal(pixels, pictures.pixels[10:13].astype(np.float32) * np.float32(1 / 255))


def test_answers_are_one_hot(pictures: Dataset) -> None:
    answers = np.concatenate([answers for _, answers in validation(pictures)])

    assert np.array_equal(answers, np.eye(3)[pictures.validation.labels])


def test_an_epoch_shows_every_picture_once(pictures: Dataset) -> None:
    epoch = training(pictures, batches.steps(pictures.training, 4))
    shown = sorted(round(float(one.sum())) for pixels, _ in epoch for one in pixels.astype(np.float64))

    assert shown == sorted(round(float(one.sum() / 255)) for one in pictures.pixels[:10].astype(np.float64))


def test_every_epoch_has_an_order_of_its_own() -> None:
    assert not np.array_equal(batches.order(100, 0, 0), batches.order(100, 0, 1))


def test_the_seed_decides_the_order() -> None:
    assert np.array_equal(batches.order(100, 3, 1), batches.order(100, 3, 1))
    assert not np.array_equal(batches.order(100, 3, 1), batches.order(100, 4, 1))


@pytest.mark.parametrize("vary", [None, MILD, augmentation.Strong(0)])
def test_a_later_start_sees_what_it_would_have_seen(pictures: Dataset, vary: Augmentation | None) -> None:
    whole = training(pictures, 9, vary=vary)
    resumed = training(pictures, 3, vary=vary, first_epoch=2)

    assert all(np.array_equal(one[0], other[0]) for one, other in zip(whole[6:], resumed, strict=True))


def test_augmentation_changes_no_answer(pictures: Dataset) -> None:
    plain, augmented = (np.concatenate([b[1] for b in training(pictures, 3, vary=vary)]) for vary in (None, MILD))

    assert np.array_equal(plain, augmented)


def test_an_augmented_picture_comes_out_differently_in_the_next_epoch(pictures: Dataset) -> None:
    pictures.pixels[:] = pictures.pixels[0]
    whole = training(pictures, 6, vary=MILD)

    assert not np.array_equal(whole[0][0], whole[3][0])


def test_a_smoothed_label_leaves_a_share_to_all_classes(pictures: Dataset) -> None:
    [(_, answers)] = training(pictures, 1, smoothing=0.3)

    assert np.allclose(np.sort(answers, axis=1), [[0.1, 0.1, 0.8]] * 4)


def test_votes_are_shown_as_they_are(pictures: Dataset) -> None:
    votes = np.random.default_rng(1).dirichlet((1, 1, 1), 14).astype(np.float32)
    shown = training(replace(pictures, shares=votes), 3, smoothing=0.3)

    assert {tuple(row) for _, answers in shown for row in answers} == {tuple(row) for row in votes[:10]}


def test_validation_answers_are_never_smoothed(pictures: Dataset) -> None:
    assert {answer for _, answers in validation(pictures) for answer in answers.ravel()} == {0, 1}


def test_balanced_classes_count_the_same(pictures: Dataset) -> None:
    pictures.training.labels[:] = [0] * 7 + [1, 1, 2]
    epoch = training(pictures, 3, balance=1)
    answers, weights = (np.concatenate([batch[place] for batch in epoch]) for place in (1, 2))

    assert np.allclose(weights @ answers, [10 / 3] * 3)


def test_nothing_is_weighed_unless_told(pictures: Dataset) -> None:
    assert [len(batch) for batch in training(pictures, 3)] == [2, 2, 2]


def test_validation_pictures_are_in_order_and_never_augmented(pictures: Dataset) -> None:
    pixels = np.concatenate([pixels for pixels, _ in validation(pictures)])

    assert np.array_equal(pixels, pictures.pixels[10:].astype(np.float32) * np.float32(1 / 255))
