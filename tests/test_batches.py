"""The batches a network learns from: scaled as documented, the same in every run, augmented where they may be."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training import batches, steps
from training.dataset import Dataset, Pictures

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture
def pictures() -> Dataset:
    """Ten noisy training and four validation pictures of three classes."""
    chance = np.random.default_rng(0)
    subsets = [
        Pictures(np.arange(first, last), chance.integers(0, 3, last - first), (b"",) * (last - first))
        for first, last in ((0, 10), (10, 14))
    ]
    pixels = chance.integers(0, 256, (14, 64, 64, 3), dtype=np.uint8)
    return Dataset(("a", "b", "c"), pixels, *subsets, skipped=(), copies_left_out=0)


def training(
    pictures: Dataset, count: int, *, seed: int = 0, augment: bool = False, first_epoch: int = 0
) -> list[Batch]:
    endless = batches.training(pictures, 4, seed=seed, augment=augment, first_epoch=first_epoch)
    return [(steps.scaled(pixels[0]).numpy(), answers[0].numpy()) for pixels, answers in endless.take(count)]


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


@pytest.mark.parametrize("augment", [False, True])
def test_a_later_start_sees_what_it_would_have_seen(pictures: Dataset, augment: bool) -> None:
    whole = training(pictures, 9, augment=augment)
    resumed = training(pictures, 3, augment=augment, first_epoch=2)

    assert all(np.array_equal(one[0], other[0]) for one, other in zip(whole[6:], resumed, strict=True))


def test_augmentation_changes_training_pictures(pictures: Dataset) -> None:
    [(plain, _)] = training(pictures, 1)
    [(augmented, _)] = training(pictures, 1, augment=True)

    assert np.abs(plain - augmented).mean(axis=(1, 2, 3)).min() > 0.01


def test_augmentation_changes_each_picture_differently(pictures: Dataset) -> None:
    pictures.pixels[:] = pictures.pixels[0]
    [(augmented, _)] = training(pictures, 1, augment=True)

    assert np.abs(augmented[0] - augmented[1]).mean() > 0.01


def test_augmentation_changes_no_answer(pictures: Dataset) -> None:
    plain, augmented = (np.concatenate([b[1] for b in training(pictures, 3, augment=a)]) for a in (False, True))

    assert np.array_equal(plain, augmented)


def test_augmented_pixels_stay_between_0_and_1(pictures: Dataset) -> None:
    [(augmented, _)] = training(pictures, 1, augment=True)

    assert augmented.min() >= 0
    assert augmented.max() <= 1


def test_an_augmented_picture_comes_out_differently_in_the_next_epoch(pictures: Dataset) -> None:
    pictures.pixels[:] = pictures.pixels[0]
    whole = training(pictures, 6, augment=True)

    assert not np.array_equal(whole[0][0], whole[3][0])


def test_validation_pictures_are_in_order_and_never_augmented(pictures: Dataset) -> None:
    pixels = np.concatenate([pixels for pixels, _ in validation(pictures)])

    assert np.array_equal(pixels, pictures.pixels[10:].astype(np.float32) * np.float32(1 / 255))


def test_stacks_hold_the_same_batches_in_the_same_order_and_end_with_the_epoch(pictures: Dataset) -> None:
    single = training(pictures, 6)
    stacked = batches.training(pictures, 4, seed=0, augment=False, at_once=8).take(4)
    unstacked = [steps.scaled(pixels).numpy() for stack, _ in stacked for pixels in stack]

    assert batches.calls(pictures.training, 4, 8) == 2
    assert all(np.array_equal(one, other[0]) for one, other in zip(unstacked, single, strict=True))
