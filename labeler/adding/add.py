"""Make a bundle of a network as others write it, and prove that both say the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from labeler._version import __version__
from labeler.adding import answers, examples, export_folder, graph, preprocessing, proof, reference
from labeler.adding.export_folder import Found
from labeler.adding.graph import Network
from labeler.adding.said import Channels, Origin, Recipe, Said, combined
from labeler.errors import LabelerError, ModelError, OutputError, one_line
from labeler.images.picture import Pixels
from labeler.inference import bundle
from labeler.records import Resize
from labeler.storage import atomic
from labeler.words import counted

_SMALLEST_STD, _LARGEST = 1e-6, 1e6
"""Limits on the numbers of a preprocessing, far from those of float32."""

_DEFAULT = Said(crop_margin=0.0, resize=Resize.STRETCH, crop_pct=1.0, licence="")


@dataclass(frozen=True, kw_only=True)
class Understood:
    """A network, all that is known of it, and what it says of the example faces."""

    source: Path
    network: Network
    recipe: Recipe
    output: str
    outputs: int
    """How many numbers it gives for an image: one for each class, or one for two classes."""
    crops: Pixels
    expected: reference.Floats
    """The probabilities that the original gives for ``crops``."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--inspect` prints."""
        network = self.network
        about = {"file": str(network.path), "input": network.input, "type": network.kind, "batch": network.batch}
        return {"network": {**about, "output": self.output, "outputs": self.outputs}, **self.recipe.as_json()}


@dataclass(frozen=True, kw_only=True)
class Added:
    """A bundle that was made, and how far its probabilities are from those of the original."""

    path: Path
    difference: float
    images: int

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {"path": str(self.path), "difference": self.difference, "images": self.images}


def understand(source: Path, found: Found, options: Said) -> Understood:
    """Find out all that has to be known of a network: of the options, its files and its graph, else by a guess.

    Raises:
        LabelerError: it is a bundle already.
        ModelError: something is missing or contradictory, or it cannot be run.
    """
    network = graph.load(found.network, found.given)
    places = {Origin.OPTION: options, Origin.FILE: found.said}
    places[Origin.GRAPH] = graph.said(network, (options, found.said), pytorch=found.pytorch)
    places[Origin.GUESS], places[Origin.DEFAULT] = _guessed(network), _DEFAULT
    values, origins = combined(places)
    if "side" not in values:
        raise ModelError(
            f"{network.path} takes images of any side, and no file says which; give --side 224, or another"
        )
    graph.check_side(network.path, values["side"])
    _check_numbers(network, values)
    names = values.pop("class_names", ())
    recipe = Recipe(**{**values, "logits": False}, class_names=names, origins=origins)
    crops = examples.crops(recipe.view)
    original = reference.Original(network)
    given = original.run(reference.prepared(crops, recipe)["layout"])
    chosen = answers.chosen(network, given, len(names))
    if names:
        bundle.check_class_names(network.path, list(names))
    logits, origins["logits"] = answers.logits(network, chosen, options.logits)
    recipe = replace(recipe, logits=logits)
    return Understood(
        source=source,
        network=network,
        recipe=recipe,
        output=chosen.output,
        outputs=chosen.values.shape[1],
        crops=crops,
        expected=reference.probabilities(chosen.values, recipe),
    )


def find(source: Path) -> Found:
    """Return the network of a source, with what its files say.

    Raises:
        LabelerError: there is no such source.
        ModelError: it holds no network, or a file says something that cannot be.
    """
    found = export_folder.find(source)
    licence = found.said.licence or export_folder.licence(source) or None
    return replace(found, said=replace(found.said, licence=licence))


def add(understood: Understood, name: str, out: Path) -> Added:
    """Write the bundle ``out``, after it was proved.

    Raises:
        LabelerError: there is such a file already.
        ModelError: it has no class names, or the bundle differs from the original.
        OutputError: it cannot be written.
    """
    if not understood.recipe.class_names:
        raise ModelError(
            f"{understood.network.path} has no class names: give --class-names a,b,... (or a file, one name a line), "
            f"{max(understood.outputs, 2)} names in the order of its outputs"
        )
    if out.exists():
        raise LabelerError(f"{out} exists already; give another --name or --out")
    with _folder(out.parent), atomic.replacing(out) as beside:
        difference = _write(understood, name, beside)
    return Added(path=out, difference=difference, images=len(understood.crops))


def _write(understood: Understood, name: str, path: Path) -> float:
    """Write a bundle that takes any batch where the network lets it; return how far it is from the original."""
    network = understood.network
    convolves = any(node.op_type == "Conv" for node in network.model.graph.node)
    usual = 1 if convolves else bundle.usual_block(understood.recipe.side, network.file.stat().st_size)
    ways: dict[tuple[int | None, int], None] = {(None, usual): None, (None, 1): None}
    ways[network.batch or 1, network.batch or 1] = None
    for batch, block in ways:
        _save(understood, name, path, batch=batch, block=block)
        if proof.holds(path, network, understood.expected, understood.crops, batch):
            return proof.check(path, network, understood.recipe, understood.expected, understood.crops)
    proof.check(path, network, understood.recipe, understood.expected, understood.crops)
    raise ModelError(
        f"{network.path} takes {network.batch} images at once, and its answer for one depends on the others; export it "
        "with a batch of 1"
    )


def _save(understood: Understood, name: str, path: Path, *, batch: int | None, block: int) -> None:
    network, recipe = understood.network, understood.recipe
    model = preprocessing.bundled(network, recipe, understood.output, understood.outputs, batch=batch)
    about: Mapping[str, Any] = {
        "name": name,
        "class_names": recipe.class_names,
        "input_size": recipe.side,
        "crop_margin": recipe.crop_margin,
        "resize": str(recipe.resize),
        "crop_pct": recipe.crop_pct,
        "block": block,
        "licence": recipe.licence,
        "source": f"{understood.source.name}, sha256 {bundle.sha256(network.path)}",
        "weights": graph.weights(network.model),
        "created_with": f"labeler {__version__}",
    }
    onnx.helper.set_model_props(model, bundle.as_metadata(about))
    try:
        onnx.save(model, path)
    except ValueError as exc:  # protobuf's limit of 2 GB.
        raise ModelError(f"{network.path} cannot be made a bundle: {one_line(exc)}") from exc


def _guessed(network: Network) -> Said:
    return Said(
        channels=Channels.RGB,
        scale=1.0 if network.kind == "uint8" else 1 / 255,
        mean=(0.0,),
        std=(1.0,),
    )


def _check_numbers(network: Network, values: Mapping[str, Any]) -> None:
    planes = 1 if values["channels"] is Channels.GRAY else 3
    for name in ("mean", "std"):
        if len(values[name]) not in (1, planes):
            raise ModelError(
                f"{network.path} takes {counted(planes, 'channel')}, but its {name} has {len(values[name])} numbers; "
                "correct them"
            )
    if not all(_SMALLEST_STD <= one <= _LARGEST for one in values["std"]):
        raise ModelError(f"{network.path}: a standard deviation is {min(values['std']):g}, not above 0; correct --std")
    if max(abs(values["scale"]), *map(abs, values["mean"])) > _LARGEST:
        raise ModelError(f"{network.path}: scale or mean is above {_LARGEST:g}; correct --scale and --mean")
    if not 0 < values["crop_pct"] <= 1:
        raise ModelError(f"{network.path}: crop_pct is {values['crop_pct']:g}, not above 0 and at most 1; correct it")


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Make a folder for the block to write to; if it fails, an empty one does not stay."""
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise OutputError(f"cannot write to {folder}: {exc.strerror or exc}") from exc
    try:
        yield
    except BaseException:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise
