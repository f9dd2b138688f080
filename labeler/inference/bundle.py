"""Find model bundles and read their metadata. The network itself is loaded only by who runs it."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from labeler.errors import ModelError, one_line, printable
from labeler.inference import keras_file, onnx_metadata, own_bundles
from labeler.records import INPUT_SIDE, LONGEST_CLASS_NAME, MOST_CLASSES, Resize, View, unusable_class_names

DEFAULT_MODEL = "default"
INT8 = "int8"
"""What a card says of weights that are 8-bit integers."""

CLASSIFIER, FLOAT32, DETECTOR, README = "model.onnx", "float32.onnx", "detector.onnx", "README.md"
"""Names of a bundle's files, in a folder of the bundle's name.

`FLOAT32` is the same network as `CLASSIFIER` with weights in float32, where those of the latter are 8-bit integers.
"""

SHIPPED_SHA256 = {
    "default/float32.onnx": "5a90c821a1f5ef25656e7d3a715327bb00a2b488f10fdc3f77f8d37310f2ab54",
    "default/model.onnx": "061785a3b40ffcb93a1238472030ee4719c34fc706d913ef80dca7180ee56c39",
    "documented/model.onnx": "32a0a85cefe861d6a152287cd1736f762cdf5e49ab412c525c553a0c0a8764d5",
    "yunet/detector.onnx": "c441040fc8e9c5aff275bd1b6313ac5218ab01a41a7cb8b2db7fc722ace0e9b9",
}
"""SHA-256 of each file of the shipped bundles; `tests/inference/test_bundle.py` prints a line that has to change."""

SMALLEST_SHARE = 1e-6
"""Lower limit on a share of a prior, which probabilities are divided by: the last decimal of a table."""

BLOCK, LARGEST_BLOCK = 8, 256
"""Block size, in images per run of a network on a CPU, of a bundle that says nothing else and is small; and its upper
limit. Small, because an incomplete block is padded (blocks of 8 to 256 take the documented network the same time per
image). Larger blocks only cost memory."""

_LARGEST_IN_BLOCKS = 1 << 25
"""Upper limit on the bytes of a bundle that is run in blocks though it does not ask for it."""

_SUM_ERROR = 1e-3
"""Upper limit on the error of a prior's sum: its shares may be rounded."""

SMALLEST_SIDE, LARGEST_SIDE = 16, 640
"""Limits on the side of the square image, in pixels, that a network takes."""

LARGEST_MARGIN = 2.0
"""Upper limit on the margin around a face: with it, the face is a fifth of the crop's side."""

_JSON_KEYS = frozenset(
    "class_names input_size crop_margin crop_pct temperature validation block recalibration adapted face_threshold "
    "prior speed".split()
)


@dataclass(frozen=True, kw_only=True)
class Card:
    """A model card: what a model file says about itself."""

    name: str
    class_names: tuple[str, ...]
    input_size: int = INPUT_SIDE
    """Side in pixels of the square image that the network takes."""
    crop_margin: float = 0.0
    """What is added around a face on each side, as a share of the longer side of its bounding box."""
    resize: Resize = Resize.STRETCH
    """How an image that is taken whole becomes a square, and with `crop` the share that the centre crop keeps."""
    crop_pct: float = 1.0
    temperature: float = 1.0
    recalibration: dict[str, Any] = field(default_factory=dict)
    """What `labeler calibrate` built in after the temperature: the scale and the offsets of the log probabilities.

    One that was built in before it stands in it as ``earlier``; ``ratios`` are those of another prior (`prior.ratios`)
    that the probabilities got before.
    """
    adapted: dict[str, Any] = field(default_factory=dict)
    """What `labeler adapt` built in: how many reviewed faces it was fitted to, and the model it was added to."""
    face_threshold: float | None = None
    """Lower limit on the output `face`, the probability that a crop shows a face at all; None where there is none."""
    prior: tuple[float, ...] = ()
    """The shares of the classes that the probabilities assume, with a sum of 1; empty where they are not known."""
    block: int = BLOCK
    validation: dict[str, Any] = field(default_factory=dict)
    training_data: str = ""
    licence: str = ""
    source: str = ""
    """What the bundle was made of, by `labeler models add`."""
    created_with: str = ""
    weights: str = ""
    """The kind of the weights, `float32` or `int8`; empty where it is not known."""
    speed: float | None = None
    """Faces a second on one core, as measured by who made the bundle; None where nobody did."""
    size: int = 0
    """Bytes of the file."""
    path: str = ""
    sha256: str = ""

    @property
    def view(self) -> View:
        """Return what the network is shown of a face or an image."""
        return View(self.input_size, self.crop_margin, self.resize, self.crop_pct)

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return asdict(self)


def shipped(file: str) -> dict[str, Path]:
    """Return the shipped bundles by name: those of the installed package, else of the checkout."""
    for folder in folders():
        found = sorted(folder.glob(f"*/{file}"))
        if found:
            return {path.parent.name: path for path in found}
    return {}


def own() -> dict[str, Path]:
    """Return the bundles in the user's own folder by name, without those that have the name of a shipped one."""
    names = shipped(CLASSIFIER)
    return {name: path for name, path in own_bundles.named(CLASSIFIER).items() if name not in names}


def find(model: str) -> Path:
    """Return the file of a model, given as the name of a bundle, a run directory or a path; empty for the default.

    A name is that of a shipped bundle, else of one of the user's own.

    Raises:
        ModelError: there is no such model.
    """
    bundles = shipped(CLASSIFIER)
    path = bundles.get(model or DEFAULT_MODEL)
    mine = {} if path or not _may_be_name(model) else own()
    path = path or mine.get(model) or Path(model)
    if path.is_dir():
        path = path / CLASSIFIER
    if not path.is_file():
        names = ", ".join(bundles) or "none"
        close = difflib.get_close_matches(model, [*bundles, *mine], 1)
        meant = f"did you mean {close[0]}? Otherwise " if close else ""
        yours = f" or of one of yours ({', '.join(mine)})" if mine else ""
        raise ModelError(
            f"there is no model {model or DEFAULT_MODEL!r}: {meant}give a run directory, an .onnx or .keras file, "
            f"or the name of a shipped bundle ({names}){yours}"
        )
    return path


def float32(path: Path) -> Path:
    """Return the file with the weights of a bundle in float32: the one beside it, or the bundle itself if it has none.

    Raises:
        ModelError: the two have other classes.
    """
    beside = path.with_name(FLOAT32)
    if path.name != CLASSIFIER or not beside.is_file():
        return path
    if card(beside).class_names != card(path).class_names:
        raise ModelError(f"{beside} has other classes than {path}, so it is another network; move one of them away")
    return beside


def that_labelled(model: str, digest: str) -> Path | None:
    """Return the file of a model that has a SHA-256, the bundle or that in float32; None if it has changed since.

    A bundle in the user's own folder that has this SHA-256 is taken whatever its name.

    Raises:
        ModelError: there is no such model.
    """
    try:
        path = find(model)
    except ModelError:
        if found := _own_with(digest):
            return found
        raise
    files = (path, path.with_name(FLOAT32)) if path.name == CLASSIFIER else (path,)
    return next((file for file in files if file.is_file() and sha256(file) == digest), None) or _own_with(digest)


def _own_with(digest: str) -> Path | None:
    files = (*own_bundles.named(CLASSIFIER).values(), *own_bundles.named(FLOAT32).values())
    return next((file for file in files if file.is_file() and sha256(file) == digest), None)


def detector(path: str) -> Path:
    """Return the file of a face detector; of the shipped one when ``path`` is empty.

    Raises:
        ModelError: there is no such file, or the shipped one is damaged.
    """
    found = Path(path) if path else next(iter(shipped(DETECTOR).values()), Path(DETECTOR))
    if not found.is_file():
        raise ModelError(f"there is no face detector {found}; give an .onnx file in YuNet's format")
    if not path:
        _check_shipped(found, sha256(found))
    return found


def block_of(most: int, side: int) -> int:
    """Return how many images to run a network with at once: ``most`` of 64x64 pixels, of larger ones as many pixels.

    It is constant for a network, so that no result depends on its batch.
    """
    return max(1, min(most, most * INPUT_SIDE**2 // side**2))


def usual_block(side: int, size: int) -> int:
    """Return the block of a bundle that states none, by the side of its images and the bytes of its file.

    A large network gains nothing by a block, whose padding a single photo waits for. For an image of 224x224 pixels,
    MobileNet takes 5.0 ms alone and 5.4 ms in a block of 8, a transformer of 300 MB 129 and 124 ms; for one of 64x64, a
    ResNet of 72 MB 48 and 44 ms. At 640x640, MobileNet takes 0.2 GB of memory, in blocks of 8 it takes 1.0 GB.
    """
    return BLOCK if side <= INPUT_SIDE and size <= _LARGEST_IN_BLOCKS else 1


def card(path: Path, *, hashed: bool = True) -> Card:
    """Return a model's card; only if it is to be ``hashed``, or ships, with its SHA-256, for which the file is read.

    Raises:
        ModelError: the file is not a model, has no class names or invalid metadata, or is a damaged shipped bundle.
    """
    digest = sha256(path) if hashed or _ships(path) else ""
    _check_shipped(path, digest)
    about = keras_file.note(path) if path.suffix == ".keras" else _parsed(onnx_metadata.metadata(path))
    names = about.get("class_names")
    if not isinstance(names, list) or len(names) < 2 or not all(isinstance(name, str) for name in names):
        raise ModelError(
            f"{path} has no class names. Make a bundle that has them: labeler models add {path} "
            "--class-names angry,disgust,... --out model.onnx; docs/bundle.md says more"
        )
    check_class_names(path, names)
    _check(path, about, len(names))
    return Card(
        name=one_line(about.get("name") or _name(path)),
        class_names=tuple(names),
        input_size=about.get("input_size", INPUT_SIDE),
        crop_margin=about.get("crop_margin", 0.0),
        resize=Resize(about.get("resize", Resize.STRETCH)),
        crop_pct=about.get("crop_pct", 1.0),
        temperature=about.get("temperature", 1.0),
        recalibration=about.get("recalibration", {}),
        adapted=about.get("adapted", {}),
        face_threshold=about.get("face_threshold"),
        prior=tuple(about.get("prior", ())),
        block=about.get("block", usual_block(about.get("input_size", INPUT_SIDE), path.stat().st_size)),
        validation=about.get("validation", {}),
        training_data=one_line(about.get("training_data", "")),
        licence=one_line(about.get("licence", "")),
        source=one_line(about.get("source", "")),
        created_with=one_line(about.get("created_with", "")),
        weights=one_line(about.get("weights", "")),
        speed=about.get("speed"),
        size=path.stat().st_size,
        path=str(path),
        sha256=digest,
    )


def folders() -> tuple[Path, Path]:
    """Return the folders that may hold bundles: of the installed package, and of the checkout."""
    package = Path(__file__).parents[1]
    return package / "models", package.parent / "models"


def example() -> Path:
    """Return the portrait that is packed with the models; in a checkout, one of the examples."""
    packed, checkout = folders()
    path = packed / "example.jpg"
    return path if path.is_file() else checkout.parent / "examples" / "photos" / "portraits" / "collins.jpg"


def readme(path: Path) -> str:
    """Return the Markdown card of a shipped bundle; an empty text for any other model."""
    return (path.parent / README).read_text("utf-8") if path in shipped(CLASSIFIER).values() else ""


def check_class_names(holder: str | Path, names: list[str]) -> None:
    """Check that every class name can be a column and a word on a line, and that there are not too many.

    Raises:
        ModelError: a name cannot, or there are more than `MOST_CLASSES`.
    """
    unusable = unusable_class_names(names)
    if unusable:
        shown = ", ".join(printable(name)[:100] for name in unusable[:5])
        raise ModelError(
            f"{holder} has class names that are reserved or repeated, blank, longer than {LONGEST_CLASS_NAME} "
            f"characters, or not on one line: {shown}"
        )
    if len(names) > MOST_CLASSES:
        raise ModelError(f"{holder} has {len(names):,} classes; the limit is {MOST_CLASSES:,}")


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        ModelError: it cannot be read, or is too large for a model.
    """
    try:
        with path.open("rb") as file:
            if path.stat().st_size > onnx_metadata.MAX_BYTES:
                raise ModelError(f"{path} is too large for a model; the limit is {onnx_metadata.MAX_BYTES:,} bytes")
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise ModelError(f"{path} cannot be read: {exc.strerror or exc}") from exc


def _may_be_name(model: str) -> bool:
    return bool(model) and {"/", os.sep}.isdisjoint(model)


def as_metadata(about: Mapping[str, Any]) -> dict[str, str]:
    """Return what a card says as texts, as the metadata of an ONNX file holds it."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}


def _parsed(metadata: dict[str, str]) -> dict[str, Any]:
    return {key: _decoded(value) if key in _JSON_KEYS else value for key, value in metadata.items()}


def _decoded(value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _check(path: Path, about: Mapping[str, Any], classes: int) -> None:
    """Check the kinds and ranges of a card's values."""
    _check_view(path, about)
    temperature = about.get("temperature", 1.0)
    if not _is_number(temperature) or temperature <= 0:
        raise ModelError(f"{path} is damaged: its temperature is {one_line(temperature)}, not a number above 0")
    block = about.get("block", BLOCK)
    if not isinstance(block, int) or not 1 <= block <= LARGEST_BLOCK:
        raise ModelError(f"{path} is damaged: its block size is {one_line(block)}, not 1 to {LARGEST_BLOCK}")
    recalibration = about.get("recalibration", {})
    if recalibration != {} and not _is_recalibration(recalibration, classes):
        raise ModelError(f"{path} is damaged: its recalibration is not a scale and an offset for each class")
    if not all(isinstance(about.get(name, {}), dict) for name in ("validation", "adapted")):
        raise ModelError(f"{path} is damaged: its validation figures, or what it was adapted to, are no JSON object")
    threshold = about.get("face_threshold", 0)
    if not _is_number(threshold) or not 0 <= threshold <= 1:
        raise ModelError(f"{path} is damaged: its face_threshold is {one_line(threshold)}, not a number from 0 to 1")
    speed = about.get("speed", 1)
    if not _is_number(speed) or speed <= 0:
        raise ModelError(f"{path} is damaged: its speed is {one_line(speed)}, not a number above 0")
    prior = about.get("prior", [])
    if prior != [] and not is_prior(prior, classes):
        raise ModelError(f"{path} is damaged: its prior is not a share above 0 for each class, with a sum of 1")


def _check_view(path: Path, about: Mapping[str, Any]) -> None:
    side = about.get("input_size", INPUT_SIDE)
    if not isinstance(side, int) or not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        raise ModelError(
            f"{path} takes images of side {one_line(side)}; labeler gives {SMALLEST_SIDE} to {LARGEST_SIDE} pixels"
        )
    margin = about.get("crop_margin", 0.0)
    if not _is_number(margin) or not 0 <= margin <= LARGEST_MARGIN:
        raise ModelError(f"{path} is damaged: its crop_margin is {one_line(margin)}, not 0 to {LARGEST_MARGIN:g}")
    kept = about.get("crop_pct", 1.0)
    if not _is_number(kept) or not 0 < kept <= 1:
        raise ModelError(f"{path} is damaged: its crop_pct is {one_line(kept)}, not a number above 0, at most 1")
    if about.get("resize", Resize.STRETCH) not in set(Resize):
        ways = ", ".join(Resize)
        raise ModelError(f"{path} is damaged: its resize is {one_line(about['resize'])}, none of {ways}")


def is_prior(found: Any, classes: int) -> bool:
    """Say whether something is a list of a share for each class, none below `SMALLEST_SHARE`, with a sum of 1."""
    return (
        isinstance(found, list | tuple)
        and len(found) == classes
        and all(_is_number(share) and share >= SMALLEST_SHARE for share in found)
        and abs(sum(found) - 1) <= _SUM_ERROR
    )


def _is_recalibration(found: Any, classes: int) -> bool:
    if not isinstance(found, dict):
        return False
    scale, offsets, earlier = found.get("scale", 0), found.get("offsets"), found.get("earlier", {})
    ratios = found.get("ratios", [1.0] * classes)
    return (
        _is_number(scale)
        and bool(scale > 0)
        and isinstance(offsets, list)
        and len(offsets) == classes
        and all(map(_is_number, offsets))
        and isinstance(ratios, list)
        and len(ratios) == classes
        and all(_is_number(ratio) and ratio > 0 for ratio in ratios)
        and (earlier == {} or _is_recalibration(earlier, classes))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _name(path: Path) -> str:
    return path.parent.name if path.stem in {"model", "best_model", "float32"} else path.stem


def _ships(path: Path) -> bool:
    return path.parent.parent in folders()


def _check_shipped(path: Path, digest: str) -> None:
    """Check the SHA-256 of a shipped bundle; other bundles may change."""
    name = path.parent.name
    if _ships(path) and digest != SHIPPED_SHA256.get(f"{name}/{path.name}", digest):
        raise ModelError(f"{path} is damaged: its SHA-256 is not that of the shipped {name}. Install labeler again")
