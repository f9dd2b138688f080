"""Compare models on the same labelled photos: how often each is right, how well calibrated, how fast, how large."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labeler import pipeline
from labeler.cost import speed
from labeler.errors import LabelerError, NoPicturesError
from labeler.evaluation import agreement, calibration, confusion
from labeler.evaluation.agreement import Gain, McNemar
from labeler.evaluation.confusion import Figures
from labeler.evaluation.labelled import Photos, labelled, largest_faces
from labeler.executors.cores import cores
from labeler.executors.executor import Executor, InProcess
from labeler.executors.processes import Processes
from labeler.images.picture import ImageError, Pixels
from labeler.inference import bundle, footprint
from labeler.inference.bundle import Card
from labeler.inference.classifier import Classifier
from labeler.labeling import BatchLabeler, Looker, Seen
from labeler.records import Device, Faces, Resize, Row, Settings, Status, View
from labeler.tables.labels import Truth
from labeler.watched import Watched, unwatched

_BATCH = 16
"""Photos that a process looks at together."""

_TIMED, _TIMED_BYTES = 128, 1 << 26
"""Upper limits on the photos that the speed is measured by, and on the bytes of their crops."""

Answers = tuple[Row, ...]
"""What each model says of the largest face of one photo."""


@dataclass(frozen=True, kw_only=True)
class CompareSettings:
    """The models to compare, by name or path, and the labelled photos."""

    models: tuple[str, ...]
    data: Path
    truth: Truth | None = None
    faces: Faces = Faces.AUTO
    resize: Resize | None = None
    workers: int = 0
    """Number of processes; 0 for one per core, or as many as memory is left for with all of the networks."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One of the models."""

    model: str
    """As it was asked for."""
    card: Card
    figures: Figures
    ece: float
    """The expected calibration error; ``nll`` is the log loss in nats."""
    nll: float
    speed: float
    """Faces a second on one core, of the network alone."""
    left_out: dict[str, int]
    """Photos that it does not label, by reason."""

    def as_json(self) -> dict[str, Any]:
        """Return its part of what `--json` prints."""
        about = {name: getattr(self.card, name) for name in ("path", "sha256", "size", "weights", "input_size")}
        figures = {"ece": self.ece, "nll": self.nll, "speed": self.speed, "left_out": self.left_out}
        known = {name: value for name, value in asdict(self.figures).items() if name != "confusion"}
        return {"model": self.model, **about, **known, **figures}


@dataclass(frozen=True, kw_only=True)
class Against:
    """Another model beside the first, on the same photos."""

    model: str
    gain: Gain
    """That in accuracy, from the first model to this one."""
    test: McNemar


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The models, all measured on the ``n`` photos that every one of them labels."""

    models: tuple[Measured, ...]
    others: tuple[Against, ...]
    """Each model but the first, beside the first."""
    n: int
    left_out: int
    """Photos with a class that at least one of them does not label."""
    against: str
    passed_over: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "n": self.n,
            "left_out": self.left_out,
            "against": self.against,
            "models": [one.as_json() for one in self.models],
            "against_first": [asdict(one) for one in self.others],
            "passed_over": self.passed_over,
            "missing": self.missing,
        }


def compare(wanted: CompareSettings, watched: Watched = unwatched) -> Compared:
    """Label the photos with every model on the processor, reading each photo once for all that are shown the same.

    Raises:
        LabelerError: the models have other classes, or the truth has.
        NoPicturesError: no photo is labelled by all of them.
        ModelError: a model cannot be used.
    """
    paths = [bundle.find(model) for model in wanted.models]
    cards = [bundle.card(path) for path in paths]
    _check(wanted.models, cards)
    names = cards[0].class_names
    photos = labelled(wanted.data, wanted.truth, names)
    asked = [Settings(model=str(path), faces=wanted.faces, resize=wanted.resize) for path in paths]
    settings = tuple(pipeline.complete(one, photos.source, Device.CPU)[0] for one in asked)
    tally = _Tally(cards, photos)
    workers = wanted.workers or footprint.processes(cores(), cards)
    for answers in watched(_answered(settings, photos, workers), "labeling", len(photos.names)):
        tally.add(answers)
    if not tally.truth:
        raise NoPicturesError("no photo is labelled by all of the models")
    speeds = _speeds(settings, photos, watched)
    models = tuple(
        Measured(model=model, card=card, speed=each, **tally.figures(place))
        for place, (model, card, each) in enumerate(zip(wanted.models, cards, speeds, strict=True))
    )
    return Compared(
        models=models,
        others=tuple(tally.beside_first(place, model) for place, model in enumerate(wanted.models) if place),
        n=len(tally.truth),
        left_out=len(photos.names) - len(tally.truth),
        against=photos.against,
        passed_over=wanted.truth.passed_over if wanted.truth else (),
        missing=photos.missing,
    )


def _check(models: Sequence[str], cards: Sequence[Card]) -> None:
    """Refuse models that cannot be compared class by class."""
    if len(models) < 2 or len({card.sha256 for card in cards}) < len(cards):
        raise LabelerError("name two or more different models to compare")
    first = set(cards[0].class_names)
    for model, card in zip(models[1:], cards[1:], strict=True):
        other = set(card.class_names)
        if other != first:
            lacks = [f"{models[0]} lacks {_few(other - first)}"] if other - first else []
            lacks += [f"{model} lacks {_few(first - other)}"] if first - other else []
            raise LabelerError(
                f"{models[0]} and {model} have other classes and cannot be compared: {', '.join(lacks)}; compare "
                "models of the same classes, in any order"
            )


def _few(names: set[str]) -> str:
    return ", ".join(sorted(names)[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


class _Labelers:
    """Labels the largest face of each photo of a batch with every model; models with one view share what is seen."""

    def __init__(self, settings: Sequence[Settings]) -> None:
        self._labelers = [BatchLabeler(one, Device.CPU) for one in settings]
        self._views = [labeler.looker for labeler in self._labelers]
        cards = [labeler.classifier.card for labeler in self._labelers]
        self._of = [card.view for card in cards]
        self._lookers: dict[View, Looker] = dict(zip(reversed(self._of), reversed(self._views), strict=True))

    def __call__(self, names: Sequence[str]) -> list[Answers]:
        """Return the answers to each photo."""
        seen: dict[View, list[tuple[str, Seen | ImageError]]] = {view: [] for view in self._lookers}
        for name in names:
            for view, looker in self._lookers.items():
                seen[view].append((str(name), _largest(looker.seen(name))))
        rows = [labeler.label(seen[view]) for labeler, view in zip(self._labelers, self._of, strict=True)]
        return list(zip(*rows, strict=True))


def _largest(seen: Seen | ImageError) -> Seen | ImageError:
    return seen if isinstance(seen, ImageError) else seen._replace(faces=seen.faces[:1])


def _answered(settings: tuple[Settings, ...], photos: Photos, workers: int) -> Iterator[Answers]:
    """Yield the answers to every photo."""

    def lost(file: str, reason: str) -> list[Answers]:
        return [tuple(Row(file).without_label(Status.UNREADABLE, reason) for _ in settings)]

    executor: Executor[list[Answers]] = InProcess()
    if workers != 1:
        executor = Processes(workers, lost, (*pipeline.WORKER_MODULES, __name__))
    batches = (photos.names[at : at + _BATCH] for at in range(0, len(photos.names), _BATCH))
    for some in executor.map(partial(_Labelers, settings), batches):
        yield from some


class _Tally:
    """The true classes and the probabilities of the photos that all models label."""

    def __init__(self, cards: Sequence[Card], photos: Photos) -> None:
        self._names = cards[0].class_names
        self._orders = [[card.class_names.index(name) for name in self._names] for card in cards]
        self._photos = photos
        self._left: list[Counter[str]] = [Counter() for _ in cards]
        self._found: list[list[NDArray[np.float32]]] = [[] for _ in cards]
        self.truth: list[int] = []

    def add(self, answers: Answers) -> None:
        """Take what the models say of a photo."""
        for row, left in zip(answers, self._left, strict=True):
            if row.status is not Status.OK:
                left[row.status.value] += 1
        if all(row.status is Status.OK for row in answers):
            self.truth.append(self._names.index(self._photos.classes[answers[0].file]))
            for row, order, found in zip(answers, self._orders, self._found, strict=True):
                found.append(np.array(row.probabilities, np.float32)[order])

    def figures(self, place: int) -> dict[str, Any]:
        """Return the figures of one of the models."""
        probabilities, truth = np.array(self._found[place]), np.array(self.truth)
        judged = calibration.of(probabilities, truth)
        return {
            "figures": confusion.between(truth, probabilities.argmax(axis=1), self._names),
            "ece": judged.ece,
            "nll": judged.nll,
            "left_out": dict(self._left[place]),
        }

    def beside_first(self, place: int, model: str) -> Against:
        """Compare one of the models with the first."""
        truth = np.array(self.truth)
        first, other = (np.array(self._found[one]).argmax(axis=1) == truth for one in (0, place))
        only_a, only_b = int((first & ~other).sum()), int((other & ~first).sum())
        gain = agreement.gain(only_a, only_b, len(truth))
        return Against(model=model, gain=gain, test=agreement.mcnemar(only_a, only_b))


def _speeds(settings: Sequence[Settings], photos: Photos, watched: Watched) -> list[float]:
    """Return the faces a second of each model, by the faces of some of the photos."""
    names = photos.names[:: max(1, len(photos.names) // _TIMED)][:_TIMED]
    networks: list[tuple[Classifier, Pixels]] = []
    crops: dict[View, Pixels] = {}
    for one in watched(settings, "timing", len(settings)):
        labeler = BatchLabeler(one, Device.CPU)
        view = labeler.classifier.card.view
        if view not in crops:
            crops[view] = np.stack(list(_crops(labeler.looker, names)))
        networks.append((labeler.classifier, crops[view]))
    return speed.side_by_side(networks)


def _crops(looker: Looker, names: Iterable[str]) -> Iterator[Pixels]:
    size = 0
    for _, crop in largest_faces(looker, names):
        if size >= _TIMED_BYTES:
            return
        size += crop.nbytes
        yield crop
