"""Cut the faces out of the example photos, as a network that is added will be shown them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from labeler.images.picture import ImageError, Pixels
from labeler.inference import bundle
from labeler.labeling import Looker
from labeler.records import Settings, View

_MOST_FACES = 6
_NOISE = 2
"""Images of noise besides: they differ in every channel, row and column."""


def crops(view: View) -> Pixels:
    """Return the faces of the example photos and noise, (n, side, side, 3) uint8 RGB.

    Raises:
        ModelError: the face detector cannot be used.
    """
    found = [crop for path in photos() for crop in _faces(path, view)][:_MOST_FACES]
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE, view.side, view.side, 3), dtype=np.uint8)
    return np.concatenate([np.stack(found), noise]) if found else noise


def photos() -> list[Path]:
    """Return the portrait that is packed with the models; in a checkout, all portraits of the examples."""
    example = bundle.example()
    return sorted(example.parent.glob("*.jpg")) if example.parent.name == "portraits" else [example]


def _faces(path: Path, view: View) -> list[Pixels]:
    seen = Looker(Settings(root=str(path.parent)), view=view).seen(path.name)
    return [] if isinstance(seen, ImageError) else [crop for _, crop in seen.faces]
