"""What is known of a network that is added: what each place says of it, and all of it with where it is from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from labeler.records import Resize, View


class Channels(StrEnum):
    """What a pixel is."""

    RGB = "rgb"
    BGR = "bgr"
    GRAY = "gray"


class Layout(StrEnum):
    """The order of an input's axes: batch, rows (height), columns (width) and channels."""

    NHWC = "nhwc"
    NCHW = "nchw"


class Origin(StrEnum):
    """Where a fact is from, the most trusted first."""

    OPTION = "option"
    FILE = "file"
    GRAPH = "graph"
    GUESS = "guess"
    """It can be wrong, and the answers then are."""
    DEFAULT = "default"
    """A choice that no file makes; any is right for some networks."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one place says of a network; None where it says nothing."""

    side: int | None = None
    """Side in pixels of the square image that the network takes."""
    channels: Channels | None = None
    layout: Layout | None = None
    scale: float | None = None
    """What a pixel, 0 to 255, is multiplied by."""
    mean: tuple[float, ...] | None = None
    """What is subtracted from a scaled pixel: one number, or one for each channel in the network's order."""
    std: tuple[float, ...] | None = None
    """What the difference is divided by."""
    logits: bool | None = None
    """Whether the outputs are logits, not probabilities."""
    class_names: tuple[str, ...] | None = None
    crop_margin: float | None = None
    resize: Resize | None = None
    crop_pct: float | None = None
    licence: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that has to be known of a network, each fact with its origin."""

    side: int
    channels: Channels
    layout: Layout
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    logits: bool
    class_names: tuple[str, ...]
    crop_margin: float
    resize: Resize
    crop_pct: float
    licence: str
    origins: Mapping[str, Origin]

    @property
    def view(self) -> View:
        """Return what the network is shown of a face or an image."""
        return View(self.side, self.crop_margin, self.resize, self.crop_pct)

    @property
    def planes(self) -> int:
        """Return how many channels the network takes."""
        return 1 if self.channels is Channels.GRAY else 3

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return each fact with its origin; None for the class names where nobody says them."""
        facts = (one.name for one in fields(self) if one.name != "origins")
        return {name: {"value": getattr(self, name), "from": self.origins.get(name)} for name in facts}


def combined(places: Mapping[Origin, Said]) -> tuple[dict[str, Any], dict[str, Origin]]:
    """Return what is said by the most trusted place that says it, and which place that was."""
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    for name in (one.name for one in fields(Said)):
        for origin in Origin:
            value = getattr(places.get(origin, Said()), name)
            if value is not None:
                values[name], origins[name] = value, origin
                break
    return values, origins
