"""The training and the validation subset: each image once, and never two of a group on different sides."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from labeler.evaluation import truth
from labeler.grouping import duplicates, split
from labeler.tables.votes import tied
from training.data.decode import Read

IDENTICAL = "identical"
"""Why a picture is left out whose pixels another one has, in which it is counted."""

DISPUTED = "disputed"
"""Why a picture is left out whose copies have several labels, none of them the most frequent."""

NEAR_COPY, SAME_GROUP = "near_copy", "same_group"
"""Why a picture is left out of validation that is nearly a training picture, or in a group with one by its name."""


def unified(read: Read, *, soft: bool) -> tuple[Read, Counter[str]]:
    """Make one of identical pictures, and count those left out; its votes (n, classes) add up to 1.

    Votes are added up; of labels the most frequent one wins.
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
    """Hold back a share of each class, whole groups at a time; return both sides and what validation leaves out."""
    groups = split.by_name(duplicates.groups(read.hashes), read.files, group_by)
    held_back = split.held_back(read.votes.argmax(axis=1), groups, share, seed)
    judged = read.at(held_back)
    ties = tied(judged.votes)
    return read.at(~held_back), judged.at(~ties), +Counter({truth.TIE: int(ties.sum())})


def without_kin(judged: Read, learnt: Read, group_by: str) -> tuple[Read, Counter[str]]:
    """Leave out what is judged by and has a copy, or a picture in its group, among what is learnt from."""
    near = duplicates.groups(np.concatenate([learnt.hashes, judged.hashes]))
    groups = split.by_name(near, learnt.files + judged.files, group_by)
    known = set(learnt.fingerprints)
    first = len(learnt)
    conditions = {
        truth.COPY: np.array([fingerprint in known for fingerprint in judged.fingerprints], bool),
        NEAR_COPY: split.leaking(near, first),
        SAME_GROUP: split.leaking(groups, first),
        truth.TIE: tied(judged.votes),
    }
    reasons = np.select(list(conditions.values()), list(conditions), "")
    return judged.at(reasons == ""), Counter(reasons[reasons != ""].tolist())
