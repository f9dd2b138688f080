"""Read what a timm export says of its network: `config.json` with `pretrained_cfg`."""

from __future__ import annotations

from labeler.adding import names
from labeler.adding.json_file import JsonFile, is_number
from labeler.adding.said import Channels, Said
from labeler.errors import one_line
from labeler.records import Resize

_WAYS = {"center": Resize.CROP, "squash": Resize.STRETCH, "border": Resize.FIT}
"""timm's `crop_mode`, and how it makes a square of an image."""


def said(config: JsonFile) -> Said:
    """Return what a `config.json` with `pretrained_cfg` says; timm scales pixels to 0..1 before mean and std.

    Raises:
        ModelError: it says something that cannot be.
    """
    about = config.part("pretrained_cfg")
    planes, side = _input_size(about)
    mode = about.text("crop_mode") or "center"
    if mode not in _WAYS:
        raise config.wrong(f"says crop_mode {mode}, none of {', '.join(_WAYS)}")
    listed = names.of_list(about, "label_names") or names.of_list(config, "label_names")
    return Said(
        side=side,
        channels=Channels.GRAY if planes == 1 else Channels.RGB,
        scale=1 / 255,
        mean=about.numbers("mean"),
        std=about.numbers("std"),
        class_names=listed or names.of_labels(config),
        resize=_WAYS[mode],
        crop_pct=about.number("crop_pct", 1.0),
        licence=about.text("license") or None,
    )


def _input_size(about: JsonFile) -> tuple[int, int]:
    """Return channels and side."""
    found = about.content.get("input_size")
    if not isinstance(found, list) or len(found) != 3 or not all(map(is_number, found)):
        raise about.wrong(f"says input_size {one_line(found)}, not [3, height, width]")
    planes, height, width = map(int, found)
    if height != width or planes not in (1, 3):
        raise about.wrong(f"says input_size {one_line(found)}; labeler gives square images of 1 or 3 channels")
    return planes, height
