"""What a training is made of: what was asked for, and for the rest what the architecture's recipe says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError
from training.recipes import RECIPES, Recipe, gentle

_OF_THE_RECIPE = ("epochs", "patience", "batch_size", "learning_rate", "augment")

_MAY_CHANGE = frozenset({"data", "val", "labels", "start", "out", "epochs", "patience", "workers", "resume"})
"""What may differ when a run is continued: where things lie (pixels and targets are compared) and how long to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """Everything a training is made of; None is whatever the recipe of `arch` says."""

    data: Path
    """The directory of class folders, or of the pictures that `labels` names."""
    out: Path
    """The run directory: new or empty, unless `resume`."""
    val: Path | None = None
    """A directory like `data` to validate with, instead of a share of it."""
    val_split: float = 0.2
    arch: str | None = None
    """The network; None for that of `start`, or else the documented one."""
    epochs: int | None = None
    patience: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    augment: bool | None = None
    seed: int = 0
    workers: int = 1
    """Processes that decode pictures, once, before the first epoch; 0 for one per core."""
    resume: bool = False
    labels: Path | None = None
    """A table that says what the pictures show, instead of class folders."""
    classes: str = ""
    """The table's labels or columns to use, each with the name of its class: ``anger=angry,sad``; empty for all."""
    group_by: str = ""
    """A regular expression: files whose names hold the same of it are never on both sides of the split."""
    balance: float = 0.0
    """0 for every training picture counting the same, 1 for every class, and what lies between."""
    start: str | None = None
    """A trained model to go on from, as `labeler.inference.bundle.find` knows it."""


def continued(settings: TrainSettings, arch: str) -> TrainSettings:
    """Return the settings for a model to go on from whose network is ``arch``.

    Raises:
        LabelerError: another network was asked for.
    """
    if settings.arch not in {None, arch}:
        raise LabelerError(f"the network of {settings.start} is {arch}, not {settings.arch}; leave --arch away")
    return replace(settings, arch=arch)


def recipe_of(settings: TrainSettings) -> Recipe:
    """Return the architecture's recipe, a gentle one for a model to go on from, with what was asked for.

    Raises:
        LabelerError: a setting is out of range; all that are get named.
    """
    arch = _arch(settings)
    if arch not in RECIPES:
        raise LabelerError(f"--arch is one of {', '.join(RECIPES)}")
    recipe = gentle(RECIPES[arch]) if settings.start else RECIPES[arch]
    given = {name: getattr(settings, name) for name in _OF_THE_RECIPE}
    chosen = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    if chosen.scheduled and settings.patience is None and not settings.start:
        chosen = replace(chosen, patience=chosen.epochs)
    _check(settings, chosen)
    return chosen


def spelled_out(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings as JSON knows them, those of the recipe included."""
    chosen = recipe_of(settings)
    named = {**asdict(settings), "arch": _arch(settings), **{name: getattr(chosen, name) for name in _OF_THE_RECIPE}}
    return {name: str(value) if isinstance(value, Path) else value for name, value in named.items()}


def decisive(settings: TrainSettings) -> dict[str, Any]:
    """Return what makes a run this run, and no other."""
    scheduled = {"epochs"} if recipe_of(settings).scheduled else set()
    return {name: value for name, value in spelled_out(settings).items() if name not in _MAY_CHANGE - scheduled}


def _arch(settings: TrainSettings) -> str:
    return settings.arch or "documented"


def _check(settings: TrainSettings, chosen: Recipe) -> None:
    wrong = [
        (not 0 < settings.val_split < 1, "--val-split lies between 0 and 1"),
        (chosen.epochs < 1, "--epochs is at least 1"),
        (chosen.patience < 0, "--patience is not negative"),
        (chosen.batch_size < 1, "--batch-size is at least 1"),
        (not chosen.learning_rate > 0, "--learning-rate is above 0"),
        (not 0 <= settings.balance <= 1, "--balance lies between 0 and 1"),
        (not 0 <= settings.seed < 2**32, "--seed lies between 0 and 4294967295"),
    ]
    complaints = [complaint for failed, complaint in wrong if failed]
    if complaints:
        raise LabelerError("; ".join(complaints))
