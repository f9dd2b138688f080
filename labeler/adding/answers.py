"""Find out which output of a network is the classification, and whether it gives logits or probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from labeler.adding.graph import Network, last_operator
from labeler.adding.reference import Floats
from labeler.adding.said import Origin
from labeler.errors import ModelError, one_line
from labeler.inference.onnx_graph import PROBABILITIES

_NAMES = (PROBABILITIES, "logits", "output", "output_0")
"""Names that the classification has where a network has several outputs of its shape, the most likely first."""

_SUM_ERROR = 1e-3
"""Upper limit on the error of a sum of probabilities, which should be 1."""


class Answers(NamedTuple):
    """The output of a network that is its classification, and what it gave for the example faces."""

    output: str
    values: Floats
    """(n, outputs): one output for each class, or one for two classes."""


def chosen(network: Network, found: Mapping[str, Floats], classes: int) -> Answers:
    """Return the output that is the classification, of all that a network gave for some images.

    ``classes`` is how many class names are known; 0 where none are.

    Raises:
        ModelError: there is none, there are several, or its numbers are not finite.
    """
    images = max((len(one) for one in found.values()), default=0)
    flat = {name: one for name, one in found.items() if one.ndim == 2 and len(one) == images and one.dtype.kind == "f"}
    fitting = {name: one for name, one in flat.items() if _fits(one.shape[1], classes)}
    name = next((name for name in _NAMES if name in fitting), None) if len(fitting) > 1 else next(iter(fitting), None)
    if name is None:
        raise _none(network, found, flat, fitting, classes)
    values = fitting[name]
    if not np.isfinite(values).all():
        raise ModelError(
            f"{network.path} gives numbers that are not finite (NaN or infinity) for the example faces; its weights "
            "are damaged, or --scale, --mean or --std is wrong"
        )
    return Answers(name, values)


def logits(network: Network, answers: Answers, wanted: bool | None) -> tuple[bool, Origin]:
    """Return whether the outputs are logits, and how that was found out; ``wanted`` is what the user says.

    Raises:
        ModelError: they are neither logits nor the probabilities of classes of which one is right, or not as wanted.
    """
    operator = last_operator(network.model, answers.output)
    ended = operator in ({"Softmax", "Sigmoid"} if answers.values.shape[1] == 1 else {"Softmax"})
    if wanted is not None:
        _check_wanted(network, answers, operator if ended else "", wanted=wanted)
        return wanted, Origin.OPTION
    if operator == "Sigmoid" and not ended:
        raise ModelError(
            f"{network.path} ends in a sigmoid for each class, so that their probabilities do not sum to 1; labeler "
            "needs a network that gives one class (softmax), or its logits: export it without the sigmoid"
        )
    if ended:
        return False, Origin.GRAPH
    return not _are_probabilities(answers.values), Origin.GUESS


def _fits(outputs: int, classes: int) -> bool:
    return outputs == classes or (outputs == 1 and classes in (0, 2)) or (outputs > 1 and not classes)


def _check_wanted(network: Network, answers: Answers, ending: str, *, wanted: bool) -> None:
    if wanted and ending:
        raise ModelError(f"{network.path} ends in {ending}, so it gives no logits; leave --logits out")
    if not wanted and not _are_probabilities(answers.values):
        low, high = answers.values.min(), answers.values.max()
        raise ModelError(
            f"{network.path} gives no probabilities: numbers from {low:.3g} to {high:.3g} with a sum of "
            f"{answers.values.sum(axis=1)[0]:.3g}; give --logits for a softmax behind them"
        )


def _are_probabilities(values: Floats) -> bool:
    within = bool((values >= 0).all() and (values <= 1 + _SUM_ERROR).all())
    sums = values.astype(np.float64).sum(axis=1)
    return within and (values.shape[1] == 1 or bool((np.abs(sums - 1) <= _SUM_ERROR).all()))


def _none(
    network: Network,
    found: Mapping[str, Floats],
    flat: Mapping[str, Floats],
    fitting: Mapping[str, Floats],
    classes: int,
) -> ModelError:
    shapes = ", ".join(f"{one_line(name)} {list(one.shape[1:])}" for name, one in list(found.items())[:5]) or "nothing"
    if len(fitting) > 1:
        return ModelError(f"{network.path} has several outputs that can be the classes: {shapes}; export one alone")
    if flat and classes:
        given = " or ".join(str(one.shape[1]) for one in flat.values())
        return ModelError(
            f"{network.path} gives {given} outputs, but there are {classes} class names; correct the names"
        )
    return ModelError(
        f"{network.path} does not classify: it gives {shapes} for an image; expected one number for each class"
    )
