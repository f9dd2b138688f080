"""Files to pixels, exactly as `labeler classify` sees them. Runs in worker processes, so nothing heavy here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from labeler import labeling
from labeler.grouping import duplicates
from labeler.images.picture import ImageError, Pixels
from labeler.records import Settings, Status


class Decoded(NamedTuple):
    """The crop (64, 64, 3) of a file's largest face and its hash, or the reason why there is none."""

    file: str
    pixels: Pixels | None
    reason: str = ""
    perceptual_hash: bytes = b""


class Decoder:
    """Turn batches of files, named relative to ``settings.root``, into crops."""

    def __init__(self, settings: Settings) -> None:
        self._look = labeling.Looker(settings)

    def __call__(self, files: Iterable[str]) -> list[Decoded]:
        """Decode ``files``, one result for each, in the order given."""
        return [self._decode(file) for file in files]

    def _decode(self, file: str) -> Decoded:
        try:
            seen = self._look(file)
        except ImageError as exc:
            return Decoded(file, None, exc.reason)
        if seen.damage:
            return Decoded(file, None, f"{Status.DAMAGED}: {seen.damage}")
        if not seen.faces:
            return Decoded(file, None, "no face was found")
        pixels = seen.faces[0][1]
        return Decoded(file, pixels, perceptual_hash=duplicates.perceptual_hash(pixels))
