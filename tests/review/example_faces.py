"""More faces than examples/photos has, enough for a full screen: of the same three persons, who may be shown.

Each is cropped many times: at other offsets, angles and sizes, mirrored, in other light.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

PORTRAITS = Path(__file__).parents[2] / "examples" / "photos" / "portraits"
FACES = {"collins": (154, 122, 110), "hopper": (196, 168, 160), "photographer": (205, 118, 74)}
"""The middle of each face in its portrait, and its height, in pixels."""
SIDE = 96
"""Pixels of a crop: so small that the whole photo is one face."""
GROUP = "group.jpg"
"""The three portraits side by side, as one photo."""


def make(folder: Path, count: int) -> None:
    """Write so many crops into three folders, and beside these the photo with all three."""
    random = np.random.default_rng(2)
    for number in range(count):
        path = folder / ("office", "party", "street")[number % 7 % 3] / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        crop(list(FACES)[number % len(FACES)], random).save(path, quality=92)
    group = Image.new("RGB", (1200, 500))
    for place, name in enumerate(FACES):
        portrait = Image.open(PORTRAITS / f"{name}.jpg").convert("RGB")
        group.paste(ImageOps.fit(portrait, (400, 500)), (400 * place, 0))
    group.save(folder / GROUP, quality=92)


def crop(name: str, random: np.random.Generator) -> Image.Image:
    """Return a square about a face, moved, turned, mirrored and in another light by chance."""
    x, y, height = FACES[name]
    reach = height * random.uniform(0.56, 0.8)
    across, down = height * random.uniform(-0.1, 0.1, 2)
    portrait = Image.open(PORTRAITS / f"{name}.jpg").convert("RGB")
    turned = portrait.rotate(random.uniform(-11, 11), Image.Resampling.BICUBIC, center=(x, y))
    left = min(max(x + across - reach, 0), portrait.width - 2 * reach)
    top = min(max(y + down - reach, 0), portrait.height - 2 * reach)
    box = (left, top, left + 2 * reach, top + 2 * reach)
    image = turned.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)
    if random.random() < 0.5:
        image = ImageOps.mirror(image)
    if random.random() < 0.25:
        image = ImageOps.grayscale(image).convert("RGB")
    image = ImageEnhance.Contrast(image).enhance(random.uniform(0.7, 1.25))
    return ImageEnhance.Brightness(image).enhance(random.uniform(0.65, 1.35))
