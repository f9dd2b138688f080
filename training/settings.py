"""The settings of a run: those that the user gives, completed by the recipe of the architecture."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labeler.errors import LabelerError
from labeler.records import Faces, Resize
from training.recipes import RECIPES, Recipe, fine_tuning

_OF_THE_RECIPE = ("epochs", "patience", "batch_size", "learning_rate", "augment")
"""Settings whose default is that of the recipe."""

_MAY_CHANGE = frozenset(
    {"data", "val", "labels", "reviews", "start", "out", "epochs", "patience", "workers", "resume", "strategy"}
    | {"faces", "resize"}
)
"""Settings that may differ when a run is resumed: locations and what is cut out (pixels and targets are compared), when
to stop, and the devices."""

STRATEGIES = ("none", "mirrored")
"""The choices of ``--strategy``."""

_NO_MULTIWORKER = (
    "--strategy multiworker: Keras 3 cannot train by MultiWorkerMirroredStrategy (its fit fails in the first step); "
    "mirrored uses all GPUs of one machine"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings:
    """The settings of a run; None stands for the default of the recipe of `arch`."""

    data: Path
    """The directory of class folders, or of the files that `labels` names."""
    out: Path
    """The run directory: new or empty, unless `resume`."""
    val: Path | None = None
    """A directory like `data` to validate with, instead of a share of it."""
    val_split: float = 0.2
    arch: str | None = None
    """The architecture; None for that of `start`, or for the documented one without `start`."""
    epochs: int | None = None
    patience: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    augment: bool | None = None
    seed: int = 0
    workers: int = 1
    """Processes that decode the files, once, before the first epoch; 0 for one per core."""
    resume: bool = False
    labels: Path | None = None
    """A table of labels or votes, used instead of class folders."""
    classes: str = ""
    """The table's labels or columns to use, each with the name of its class: ``anger=angry,sad``; empty for all."""
    reviews: bool = True
    """Whether corrections of the table count."""
    group_by: str = ""
    """A regular expression: files whose names give the same match are never on both sides of the split."""
    balance: float = 0.0
    """Class weighting: 0 gives every training image the same weight, 1 every class; values between interpolate."""
    start: str | None = None
    """A trained model to fine-tune, as `labeler.inference.bundle.find` accepts it."""
    faces: Faces = Faces.AUTO
    resize: Resize | None = None
    """How faces are found, and images that are taken whole become squares: see `labeler.records.Settings`."""
    strategy: str = "none"
    """One of `STRATEGIES`: on the device that Keras chooses, or each batch divided among all GPUs of the machine."""


def continued(settings: TrainSettings, arch: str) -> TrainSettings:
    """Return the settings for fine-tuning a model of the architecture ``arch``.

    Raises:
        LabelerError: another architecture is given.
    """
    if settings.arch not in {None, arch}:
        raise LabelerError(f"the network of {settings.start} is {arch}, not {settings.arch}; omit --arch")
    return replace(settings, arch=arch)


def recipe_of(settings: TrainSettings) -> Recipe:
    """Return the recipe of the architecture, or that of fine-tuning, with the given settings in place of its own.

    Raises:
        LabelerError: settings are out of range; the message names all of them.
    """
    arch = _arch(settings)
    if arch not in RECIPES:
        raise LabelerError(f"--arch must be one of {', '.join(RECIPES)}")
    recipe = fine_tuning(RECIPES[arch]) if settings.start else RECIPES[arch]
    given = {name: getattr(settings, name) for name in _OF_THE_RECIPE}
    chosen = replace(recipe, **{name: value for name, value in given.items() if value is not None})
    if chosen.scheduled and settings.patience is None and not settings.start:
        chosen = replace(chosen, patience=chosen.epochs)
    _check(settings, chosen)
    return chosen


def spelled_out(settings: TrainSettings) -> dict[str, Any]:
    """Return all settings, with those of the recipe, as JSON values."""
    chosen = recipe_of(settings)
    named = {**asdict(settings), "arch": _arch(settings), **{name: getattr(chosen, name) for name in _OF_THE_RECIPE}}
    return {name: str(value) if isinstance(value, Path) else value for name, value in named.items()}


def decisive(settings: TrainSettings) -> dict[str, Any]:
    """Return the settings that must not differ when a run is resumed."""
    scheduled = {"epochs"} if recipe_of(settings).scheduled else set()
    return {name: value for name, value in spelled_out(settings).items() if name not in _MAY_CHANGE - scheduled}


def _arch(settings: TrainSettings) -> str:
    return settings.arch or "documented"


def _check(settings: TrainSettings, chosen: Recipe) -> None:
    wrong = [
        (not 0 < settings.val_split < 1, "--val-split must lie between 0 and 1"),
        (chosen.epochs < 1, "--epochs must be at least 1"),
        (chosen.patience < 0, "--patience must not be negative"),
        (chosen.batch_size < 1, "--batch-size must be at least 1"),
        (not chosen.learning_rate > 0, "--learning-rate must be above 0"),
        (not 0 <= settings.balance <= 1, "--balance must lie between 0 and 1"),
        (not 0 <= settings.seed < 2**32, "--seed must lie between 0 and 4294967295"),
        (settings.strategy not in {*STRATEGIES, "multiworker"}, f"--strategy must be one of {', '.join(STRATEGIES)}"),
        (settings.strategy == "multiworker", _NO_MULTIWORKER),
    ]
    complaints = [complaint for failed, complaint in wrong if failed]
    if complaints:
        raise LabelerError("; ".join(complaints))
