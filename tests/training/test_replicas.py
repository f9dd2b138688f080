"""A batch in equal parts: what the replicas learn from together is the batch, each image as often as before."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from training.replicas import divided


def parts(size: int, replicas: int, weights: bool = False) -> list[tuple[np.ndarray, ...]]:  # type: ignore[type-arg]
    """Divide one batch of so many numbered images."""
    numbers = np.arange(size, dtype=np.float32)
    given = (numbers, numbers[:, None], numbers + 1) if weights else (numbers, numbers[:, None])
    batch = tf.data.Dataset.from_tensors(given)
    return [tuple(tensor.numpy() for tensor in part) for part in divided(batch, replicas)]


def test_a_batch_is_divided_in_order() -> None:
    [first, second] = parts(6, 2)

    assert (first[0].tolist(), second[0].tolist()) == ([0, 1, 2], [3, 4, 5])
    assert first[2].tolist() == second[2].tolist() == [1, 1, 1]


def test_a_batch_that_cannot_be_divided_is_filled_up_with_images_that_count_nothing() -> None:
    found = parts(1, 3)

    assert [part[0].tolist() for part in found] == [[0], [0], [0]]
    assert [part[2].tolist() for part in found] == [[3], [0], [0]]


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(("size", "replicas"), [(8, 2), (5, 2), (7, 4), (2, 3), (1, 2)])
def test_the_mean_of_the_parts_is_that_of_the_batch(size: int, replicas: int, weights: bool) -> None:
    found = parts(size, replicas, weights)
    loss = np.arange(size) ** 2.0
    means = [np.mean(part[1][:, 0] ** 2 * part[2]) for part in found]

    assert len({len(part[0]) for part in found}) == 1
    assert np.mean(means) == pytest.approx(np.mean(loss * (np.arange(size) + 1 if weights else 1)))
