"""The prior: the shares of the classes that probabilities assume, and those that they are to assume instead.

Of a network that learnt from photos half of which were happy, a probability of `happy` is that of a photo that is happy
half of the time. For other shares, each probability is multiplied by the wanted share and divided by the assumed one,
and all are normalised: M. Saerens, P. Latinne, C. Decaestecker: Adjusting the Outputs of a Classifier to New a Priori
Probabilities, Neural Computation 14, 2002. The offsets of `labeler calibrate` are the same correction, fitted.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError, ModelError, one_line
from labeler.inference import bundle
from labeler.inference.bundle import Card, is_prior

TRAINED, BALANCED = "trained", "balanced"
"""Names of the shares that the model states, and of equal ones."""

_DECIMALS = 9
"""Decimals of a share: enough to tell any two apart, few enough to be read in a run record."""

_LONGEST = 1 << 24
"""Upper limit on the characters of a file of shares; one of 10,000 classes has a tenth of them."""

_EXAMPLE = "give lines of a class and its share or count, such as happy,0.25, in a .csv file, or a .json object of them"


def wanted(given: str, model: str) -> tuple[float, ...]:
    """Return the shares that probabilities are to assume, in the order of a model's classes; empty for its own.

    ``given`` is `trained`, `balanced`, or a ``.csv`` or ``.json`` file with a share or a count for each class.

    Raises:
        LabelerError: the file cannot be read, or does not hold a number above 0 for each class.
        ModelError: there is no such model, or it does not state its prior.
    """
    if given == TRAINED:
        return ()
    card = bundle.card(bundle.find(model))
    shares = [1.0] * len(card.class_names) if given == BALANCED else _read(Path(given), card.class_names)
    normalised = tuple(round(share / sum(shares), _DECIMALS) for share in shares)
    ratios(card, normalised)
    return normalised


def ratios(card: Card, shares: Sequence[float]) -> tuple[float, ...]:
    """Return what each probability of a model is multiplied by, before all are normalised, to assume these shares.

    It is empty if ``shares`` is, which stands for the model's own.

    Raises:
        ModelError: the model does not state its prior.
        LabelerError: there is not one share for each class, or they are not above 0 with a sum of 1.
    """
    if not shares:
        return ()
    if not card.prior:
        raise ModelError(
            f"{card.path} does not state the prior that its probabilities assume, so none can be put in its place; "
            "use a model that does, or leave --prior out (labeler calibrate fits the correction to your photos)"
        )
    if not is_prior(shares, len(card.class_names)):
        raise LabelerError(
            f"the prior has to be a share for each of the {len(card.class_names)} classes, at least "
            f"{bundle.SMALLEST_SHARE:g} each, with a sum of 1"
        )
    return tuple(share / assumed for share, assumed in zip(shares, card.prior, strict=True))


def _read(path: Path, class_names: Sequence[str]) -> list[float]:
    """Read a share or a count for each class from a file, in the order of the classes."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            content = file.read(_LONGEST)
        pairs = _of_json(content) if path.suffix.lower() == ".json" else _of_csv(content)
    except FileNotFoundError as exc:
        raise LabelerError(f"--prior is {TRAINED}, {BALANCED} or a file, and there is no {path}: {_EXAMPLE}") from exc
    except (OSError, ValueError, RecursionError, csv.Error) as exc:
        raise LabelerError(f"--prior: {path} cannot be read: {one_line(exc)}; {_EXAMPLE}") from exc
    found: dict[str, float] = {}
    for name, value in pairs:
        share = _number(value)
        if share is None or share <= 0:
            raise LabelerError(
                f"--prior: {path} gives {one_line(value)!r} for {one_line(name)!r}; give a number above 0"
            )
        if name in found:
            raise LabelerError(f"--prior: {path} names {one_line(name)!r} twice; give one number for each class")
        found[name] = share
    others = [name for name in found if name not in class_names]
    missing = [name for name in class_names if name not in found]
    if others:
        raise LabelerError(f"--prior: {path} names {one_line(others[0])!r}; the classes are {', '.join(class_names)}")
    if missing:
        raise LabelerError(f"--prior: {path} lacks {', '.join(missing)}; give a number above 0 for each class")
    return [found[name] for name in class_names]


def _of_json(content: str) -> list[tuple[str, Any]]:
    """Return the pairs of an object, repeated ones too."""
    found = json.loads(content, object_pairs_hook=list)
    if not isinstance(found, list) or not all(isinstance(pair, tuple) for pair in found):
        raise ValueError("it is not one JSON object")
    return found


def _of_csv(content: str) -> Iterable[tuple[str, Any]]:
    """Return the first two cells of each line; a first line whose second cell is no number names the columns."""
    lines = [line for line in csv.reader(content.splitlines(), strict=True) if any(line)]
    if any(len(line) != 2 for line in lines):
        raise ValueError("not every line has two cells")
    if lines and _number(lines[0][1]) is None:
        del lines[0]
    return [(name.strip(), value.strip()) for name, value in lines]


def _number(value: Any) -> float | None:
    """Return a finite number that a cell or a JSON value holds; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
