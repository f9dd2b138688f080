"""Strata divide each label by score, and none is small without need."""

from __future__ import annotations

import numpy as np
import sessions

from labeler.certify import strata


def divided(labels: list[int], scores: list[float]) -> strata.Strata:
    return strata.divide(np.array(labels), np.array(scores))


def test_a_stratum_holds_one_label_and_a_range_of_scores() -> None:
    one = sessions.table(5000, 1)
    scores = one.probabilities.max(axis=1)
    found = strata.divide(one.labels, scores)
    for stratum, label in enumerate(found.label.tolist()):
        inside = found.of == stratum
        later = (found.of > stratum) & (one.labels == label)

        assert set(one.labels[inside].tolist()) == {label}
        assert not later.any() or scores[inside].max() < scores[later].min()


def test_sizes_are_counted_and_no_stratum_is_small_where_its_label_is_not() -> None:
    one = sessions.table(5000, 1)
    found = strata.divide(one.labels, one.probabilities.max(axis=1))

    assert found.size.tolist() == np.bincount(found.of).tolist()
    assert found.size.sum() == 5000
    assert all(
        size >= min(strata.SMALLEST, (one.labels == label).sum())
        for size, label in zip(found.size, found.label, strict=True)
    )


def test_equal_scores_share_a_stratum() -> None:
    found = divided([0] * 400, [1.0] * 300 + [0.5] * 100)

    assert found.size.tolist() == [100, 300]


def test_a_label_with_few_faces_is_one_stratum() -> None:
    assert divided([0] * 10 + [2] * 3, [0.1 * number for number in range(13)]).label.tolist() == [0, 2]


def test_faces_without_a_label_have_their_own_strata() -> None:
    found = divided([strata.ABSTAINED] * 200 + [0] * 200, [number / 400 for number in range(400)])

    assert set(found.label[found.of[:200]].tolist()) == {strata.ABSTAINED}


def test_division_does_not_depend_on_the_order_of_the_rows() -> None:
    one = sessions.table(3000, 2)
    scores, shuffled = one.probabilities.max(axis=1), np.random.default_rng(0).permutation(3000)

    assert (
        strata.divide(one.labels[shuffled], scores[shuffled]).of.tolist()
        == strata.divide(one.labels, scores).of[shuffled].tolist()
    )


def test_an_empty_table_has_no_stratum() -> None:
    assert divided([], []).label.tolist() == []
