"""Read what an export of Hugging Face's transformers says of its network: `config.json`, `preprocessor_config.json`."""

from __future__ import annotations

from typing import Any

from labeler.adding import names
from labeler.adding.json_file import JsonFile, is_number
from labeler.adding.said import Channels, Said
from labeler.errors import one_line
from labeler.records import Resize

_ONE_CLASS = "single_label_classification"

_STRETCHED_FROM = 384
"""The side from which ConvNeXt's processor stretches an image; below it, it crops by `crop_pct`."""


def said(config: JsonFile, processor: JsonFile | None) -> Said:
    """Return what the two files say.

    Raises:
        ModelError: one says something that cannot be.
    """
    problem = config.text("problem_type") or _ONE_CLASS
    if problem != _ONE_CLASS:
        raise config.wrong(f"says problem_type {problem}; labeler needs a network that gives one class of several")
    class_names = names.of_labels(config)
    licence = config.text("license") or None
    of_config = config.content.get("image_size")
    trained_side = of_config if isinstance(of_config, int) else None
    if processor is None:
        return Said(
            side=trained_side,
            channels=_channels(config, None, ()),
            class_names=class_names,
            licence=licence,
        )
    mean, std = _normalised(processor)
    side, resize, crop_pct = _square(processor)
    return Said(
        side=trained_side if side is None else side,
        channels=_channels(config, processor, mean),
        scale=processor.number("rescale_factor", 1 / 255) if processor.flag("do_rescale", default=True) else 1.0,
        mean=mean,
        std=std,
        class_names=class_names,
        resize=resize,
        crop_pct=crop_pct,
        licence=licence,
    )


def _channels(config: JsonFile, processor: JsonFile | None, mean: tuple[float, ...]) -> Channels | None:
    planes = config.content.get("num_channels")
    if planes not in (None, 1, 3):
        raise config.wrong(f"says num_channels {one_line(planes)}; labeler gives 1 or 3")
    if processor and processor.flag("do_flip_channel_order", default=False):
        return Channels.BGR
    if planes is not None:
        return Channels.GRAY if planes == 1 else Channels.RGB
    return Channels.RGB if len(mean) == 3 else None


def _normalised(processor: JsonFile) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation that pixels get after the scale."""
    offset = 1.0 if processor.flag("rescale_offset", default=False) else 0.0  # EfficientNet: -1 to 1
    if not processor.flag("do_normalize", default="image_mean" in processor.content):
        return (offset,), (1.0,)
    mean, std = processor.numbers("image_mean"), processor.numbers("image_std")
    if processor.flag("include_top", default=False):  # EfficientNet divides by it once more.
        std = tuple(one * one for one in std)
    return tuple(one + offset for one in mean), std


def _square(processor: JsonFile) -> tuple[int | None, Resize | None, float | None]:
    """Return the side, how an image becomes a square, and the share that a centre crop keeps."""
    size = processor.content.get("size") if processor.flag("do_resize", default=True) else None
    height, edge = _sides(processor, "size", size)
    if processor.flag("do_center_crop", default=False):
        cropped, _ = _sides(processor, "crop_size", processor.content.get("crop_size"))
        side, whole = cropped or height or edge, edge or height
        return side, Resize.CROP, min(1.0, side / whole) if side and whole else 1.0
    if edge is not None:
        kept = processor.number("crop_pct", 1.0)
        if "crop_pct" in processor.content and edge >= _STRETCHED_FROM:
            return edge, Resize.STRETCH, 1.0
        return edge, Resize.CROP, kept
    return height, Resize.STRETCH if height else None, None


def _sides(processor: JsonFile, key: str, size: Any) -> tuple[int | None, int | None]:
    """Return the side of a square, or the length of the shorter side."""
    if size is None:
        return None, None
    sides = size if isinstance(size, dict) else {"height": size, "width": size}
    height, edge = sides.get("height"), sides.get("shortest_edge")
    if height is not None and is_number(height) and height == sides.get("width"):
        return int(height), None
    if {"height", "width"}.isdisjoint(sides) and edge is not None and is_number(edge):
        return None, int(edge)
    raise processor.wrong(f"says {key} {one_line(size)}; labeler gives square images")
