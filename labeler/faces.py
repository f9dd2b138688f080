"""A picture to face boxes. The only place that knows a detector."""

from __future__ import annotations

from labeler.records import Face, Faces


def find(width: int, height: int, faces: Faces) -> list[Face]:
    """Return the face boxes of a picture, largest first, in its own pixels.

    Every picture is taken whole, as one face crop, until a detector moves in here.
    """
    del faces  # Faces.WHOLE is the only way yet.
    return [Face(0, 0, width, height)]
