"""Form the training and the validation subset: each image once, and no group of near copies on both sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from labeler.evaluation import truth
from labeler.grouping import duplicates, split
from labeler.tables.votes import tied
from training.data.decode import Read

IDENTICAL = "identical"
"""Reason to leave an image out: its pixels equal those of another one, which counts for both."""

DISPUTED = "disputed"
"""Reason to leave an image out: identical copies have several labels, none of them the most frequent."""

NEAR_COPY, SAME_GROUP = "near_copy", "same_group"
"""Reasons to leave an image out of validation: a training image is a near copy, or in the same group by its name."""


def unified(read: Read, *, soft: bool) -> tuple[Read, Counter[str]]:
    """Merge identical images into one and count those left out; the votes (n, classes) of each image then sum to 1.

    Votes (``soft``) are summed. Of labels, the most frequent one wins.
    """
    numbers: dict[bytes, int] = {}
    copy_of = np.array([numbers.setdefault(one, len(numbers)) for one in read.fingerprints], np.int64)
    first = np.unique(copy_of, return_index=True)[1]
    votes = np.zeros((len(first), read.votes.shape[1]))
    np.add.at(votes, copy_of, read.votes)
    settled = np.full(len(first), True)
    if not soft:
        settled = ~tied(votes)
        votes = np.eye(votes.shape[1])[votes.argmax(axis=1)]
    shares = (votes / votes.sum(axis=1, keepdims=True)).astype(np.float32)
    one_each = replace(read.at(first[settled]), votes=shares[settled])
    return one_each, +Counter({IDENTICAL: len(copy_of) - len(first), DISPUTED: int((~settled).sum())})


def hold_back(read: Read, share: float, seed: int, group_by: str) -> tuple[Read, Read, Counter[str]]:
    """Hold back a share of each class, whole groups at a time; return training, validation and what was left out."""
    groups = split.by_name(duplicates.groups(read.hashes), read.files, group_by)
    held_back = split.held_back(read.votes.argmax(axis=1), groups, share, seed)
    validation = read.at(held_back)
    ties = tied(validation.votes)
    return read.at(~held_back), validation.at(~ties), +Counter({truth.TIE: int(ties.sum())})


def without_kin(validation: Read, training: Read, group_by: str) -> tuple[Read, Counter[str]]:
    """Leave out validation images with a copy, a near copy or a member of their group in the training subset."""
    near = duplicates.groups(np.concatenate([training.hashes, validation.hashes]))
    groups = split.by_name(near, training.files + validation.files, group_by)
    known = set(training.fingerprints)
    first = len(training)
    conditions = {
        truth.COPY: np.array([fingerprint in known for fingerprint in validation.fingerprints], bool),
        NEAR_COPY: split.leaking(near, first),
        SAME_GROUP: split.leaking(groups, first),
        truth.TIE: tied(validation.votes),
    }
    reasons = np.select(list(conditions.values()), list(conditions), "")
    return validation.at(reasons == ""), Counter(reasons[reasons != ""].tolist())
