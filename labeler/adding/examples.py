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
    folder, names = photos()
    look = Looker(Settings(root=str(folder)), view=view)
    seen = (one for one in map(look.seen, names) if not isinstance(one, ImageError))
    found = [crop for one in seen for _, crop in one.faces][:_MOST_FACES]
    noise = np.random.default_rng(0).integers(0, 256, (_NOISE, view.side, view.side, 3), dtype=np.uint8)
    return np.concatenate([np.stack(found), noise]) if found else noise


def photos() -> tuple[Path, list[str]]:
    """Return a folder and the portrait in it that is packed with the models; in a checkout, those of the examples."""
    example = bundle.example()
    if example.parent.name != "portraits":
        return example.parent, [example.name]
    return example.parent, sorted(path.name for path in example.parent.glob("*.jpg"))
