"""Decisions about faces that reviewers label differently, by cleanlab's method for several annotators (CROWDLAB)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from cleanlab.multiannotator import get_label_quality_multiannotator

from labeler.errors import LabelerError
from labeler.reviewers.votes import Reviewed


def labels(faces: Sequence[Reviewed], class_names: Sequence[str]) -> list[str]:
    """Return the label of each face: that of the majority, but where reviewers give different classes cleanlab's.

    All votes for classes and the model's probabilities say how far each reviewer and the model can be trusted (Goh,
    Tkachenko and Mueller, "CROWDLAB", 2022). Whether a face has a class at all, the majority decides; so it does
    where cleanlab prefers a class that no reviewer gave.

    Raises:
        LabelerError: no face has the votes of two reviewers.
    """
    decided = [face.majority for face in faces]
    numbers = {name: number for number, name in enumerate(class_names)}
    ballots = {
        place: {who: numbers[label] for who, label in face.votes.items() if label in numbers}
        for place, face in enumerate(faces)
        if face.row.probabilities and decided[place] in numbers
    }
    if all(len(votes) < 2 for votes in ballots.values()):
        raise LabelerError(
            "--decide cleanlab weighs reviewers by the faces that several of them labelled, and there is none; "
            "merge the reviews of another reviewer, or use --decide majority"
        )
    for place, number in _chosen(ballots, [faces[place].row.probabilities for place in ballots]).items():
        votes = set(ballots[place].values())
        if len(votes) > 1 and number in votes:
            decided[place] = class_names[number]
    return decided


def _chosen(ballots: dict[int, dict[str, int]], probabilities: Sequence[tuple[float, ...]]) -> dict[int, int]:
    """Return the class that cleanlab prefers for each face."""
    reviewers = sorted({who for votes in ballots.values() for who in votes})
    found = get_label_quality_multiannotator(
        np.array([[votes.get(who, np.nan) for who in reviewers] for votes in ballots.values()]),
        np.array(probabilities),
        verbose=False,
        return_detailed_quality=False,
        return_annotator_stats=False,
    )
    return dict(zip(ballots, found["label_quality"]["consensus_label"].tolist(), strict=True))
