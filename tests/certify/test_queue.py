"""Every beginning of the queue is a stratified random sample."""

from __future__ import annotations

import numpy as np
import sessions

from labeler.certify import keys, queue, strata
from labeler.certify.keys import Keys
from labeler.certify.strata import Strata


def made(faces: int = 5000, seed: int = 1) -> tuple[Strata, Keys]:
    one = sessions.table(faces, 1)
    names = [f"{number}.jpg" for number in range(faces)]
    found = keys.of_faces(names, np.zeros((faces, 4)), seed)
    return strata.divide(one.labels, one.probabilities.max(axis=1)), found


def test_the_queue_holds_every_face_once() -> None:
    assert sorted(queue.order(*made()).tolist()) == list(range(5000))


def test_within_a_stratum_the_keys_decide() -> None:
    divided, key = made()
    order = queue.order(divided, key)
    for stratum in range(len(divided.size)):
        inside = order[divided.of[order] == stratum]

        assert (np.diff(key[inside].astype(object)) >= 0).all()


def test_a_sample_of_any_size_is_shared_out_to_within_a_card() -> None:
    divided, key = made()
    shares, order = queue.shares(divided), queue.order(divided, key)
    for cards in (10, 50, 200, 400):
        counts = np.bincount(divided.of[order[:cards]], minlength=len(shares))
        left = divided.size > counts
        wanted = (cards - counts[~left].sum()) * shares / shares[left].sum()

        assert (np.abs(counts - wanted)[left] <= 1).all()


def test_each_label_gets_cards_and_doubtful_strata_more_for_their_size() -> None:
    divided, key = made()
    picked = divided.of[queue.order(divided, key)[:200]]
    counts = np.bincount(picked, minlength=len(divided.size))
    happy = np.flatnonzero(divided.label == 3)
    by_label = np.bincount(divided.label[picked], minlength=7)
    faces = np.bincount(divided.label, divided.size, minlength=7)

    assert (by_label >= np.minimum(faces, 14)).all()
    assert counts[happy[0]] / divided.size[happy[0]] > 3 * counts[happy[-1]] / divided.size[happy[-1]]


def test_the_sample_does_not_depend_on_the_order_of_the_rows() -> None:
    divided, key = made()
    shuffled = np.random.default_rng(0).permutation(5000)
    moved = Strata(of=divided.of[shuffled], label=divided.label, size=divided.size, spread=divided.spread)

    assert set(key[queue.order(divided, key)[:300]].tolist()) == set(
        key[shuffled][queue.order(moved, key[shuffled])[:300]].tolist()
    )


def test_every_face_of_a_stratum_is_sampled_about_equally_often() -> None:
    """With 300 seeds each face of a stratum with a sampling rate p is in 300 p samples, give or take chance."""
    divided, _ = made(1000)
    times = np.zeros(1000)
    for seed in range(300):
        times[queue.order(divided, made(1000, seed)[1])[:200]] += 1
    for stratum in range(len(divided.size)):
        inside = times[divided.of == stratum]
        rate = inside.mean() / 300
        if 0 < rate < 1:
            square = ((inside - inside.mean()) ** 2).sum() / (300 * rate * (1 - rate))

            assert square < len(inside) + 5 * np.sqrt(2 * len(inside))
