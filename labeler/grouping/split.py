"""What is learnt from and what is judged by: each picture once, and never two of a kind on different sides."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from labeler.errors import LabelerError
from labeler.evaluation import metrics
from labeler.grouping import duplicates
from labeler.grouping.duplicates import Groups
from labeler.tables.labels import tied
from training.data.decode import Read

IDENTICAL = "identical"
"""Why a picture is left out whose pixels another one has, in which it is counted."""

DISPUTED = "disputed"
"""Why a picture is left out whose copies have several labels, none of them the most frequent."""

NEAR_COPY, SAME_GROUP = "near_copy", "same_group"
"""Why a picture is left out of validation that is nearly a training picture, or in a group with one by its name."""

Mask = NDArray[np.bool_]


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
    distinct = read.at(first[settled])
    one_each = Read(distinct.files, distinct.places, shares[settled], distinct.fingerprints, distinct.hashes)
    return one_each, +Counter({IDENTICAL: len(copy_of) - len(first), DISPUTED: int((~settled).sum())})


def split(read: Read, share: float, seed: int, group_by: str) -> tuple[Read, Read, Counter[str]]:
    """Hold back a share of each class, whole groups at a time; return both sides and what validation leaves out."""
    groups = _by_name(duplicates.groups(read.hashes), read.files, group_by)
    held_back = _held_back(read.votes.argmax(axis=1), groups, share, seed)
    judged = read.at(held_back)
    ties = tied(judged.votes)
    return read.at(~held_back), judged.at(~ties), +Counter({metrics.TIE: int(ties.sum())})


def without_kin(judged: Read, learnt: Read, group_by: str) -> tuple[Read, Counter[str]]:
    """Leave out what is judged by and has a copy, or a picture in its group, among what is learnt from."""
    near = duplicates.groups(np.concatenate([learnt.hashes, judged.hashes]))
    groups = _by_name(near, learnt.files + judged.files, group_by)
    known = set(learnt.fingerprints)
    first = len(learnt)
    conditions = {
        metrics.COPY: np.array([fingerprint in known for fingerprint in judged.fingerprints], bool),
        NEAR_COPY: np.isin(near[first:], near[:first]),
        SAME_GROUP: np.isin(groups[first:], groups[:first]),
        metrics.TIE: tied(judged.votes),
    }
    reasons = np.select(list(conditions.values()), list(conditions), "")
    return judged.at(reasons == ""), Counter(reasons[reasons != ""].tolist())


def keys(files: Sequence[str], group_by: str) -> list[str]:
    """Return what each file's name holds of a regular expression: its first group, or else all that it matches.

    Raises:
        LabelerError: it is no regular expression, or matches no name.
    """
    try:
        matches = [re.search(group_by, file) for file in files]
    except re.error as exc:
        raise LabelerError(f"--group-by {group_by} is not a regular expression: {exc}") from exc
    found = [(match[1 if match.re.groups else 0] or "") if match else "" for match in matches]
    if not any(found):
        raise LabelerError(f"--group-by {group_by} finds nothing in any file name, such as {files[0]}")
    return found


def _by_name(groups: Groups, files: Sequence[str], group_by: str) -> Groups:
    """Join the groups of files with the same key; those without a key stay as they are."""
    if not group_by:
        return groups
    first_of: dict[str, int] = {}
    named = [(row, first_of.setdefault(key, row)) for row, key in enumerate(keys(files, group_by)) if key]
    left, right = np.array(named, np.int64).T
    return duplicates.joined(groups, left, right)


def _held_back(labels: NDArray[np.int64], groups: Groups, share: float, seed: int) -> Mask:
    """Choose groups, in the order of ``seed``, that bring each class nearer to its share, but never a class whole."""
    counts = np.zeros((groups.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (groups, labels), 1)
    total = counts.sum(axis=0)
    left = np.maximum(total - 1, 0)
    missing = np.minimum(np.maximum(np.round(total * share).astype(np.int64), 1), left)
    chosen = np.full(len(counts), False)
    for group in np.random.default_rng(seed).permutation(len(counts)):
        size = counts[group]
        if (size <= left).all() and np.abs(missing - size).sum() < np.abs(missing).sum():
            chosen[group] = True
            missing, left = missing - size, left - size
    return chosen[groups]
