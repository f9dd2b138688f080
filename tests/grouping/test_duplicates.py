"""Near copies are found whatever was done to them, and other pictures are not taken for copies."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

from labeler import labeling
from labeler.grouping import duplicates
from labeler.images.picture import Pixels
from labeler.records import Settings

PHOTOS = ROOT / "examples" / "photos"


@pytest.fixture(scope="module")
def pieces() -> list[Pixels]:
    """Three faces, and a dozen other pieces of photographs."""
    look = labeling.Looker(Settings(root=str(PHOTOS)))
    faces = [look(f"portraits/{name}.jpg").faces[0][1] for name in ("collins", "hopper", "photographer")]
    photographs = [np.asarray(Image.open(PHOTOS / "no_face" / f"{name}.jpg")) for name in ("cat", "coffee")]
    corners = [(photograph, x, y) for photograph in photographs for x in (0, 120, 240) for y in (0, 120)]
    return faces + [np.asarray(Image.fromarray(one[y:][:120, x:][:, :120]).resize((64, 64))) for one, x, y in corners]


def grouped(*pixels: Pixels) -> list[int]:
    hashes = [duplicates.perceptual_hash(one) for one in pixels]
    return duplicates.groups(np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, duplicates.HASH_BYTES)).tolist()


def compressed(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 30))[1], 1), np.uint8)


def scaled(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.resize(cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA), (64, 64)), np.uint8)


def darkened(pixels: Pixels) -> Pixels:
    return (pixels * 0.6 + 10).astype(np.uint8)


def marked(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.putText(pixels.copy(), "stock", (4, 56), cv2.FONT_HERSHEY_PLAIN, 0.8, (160, 160, 160)))


def mirrored(pixels: Pixels) -> Pixels:
    return np.ascontiguousarray(pixels[:, ::-1])


@pytest.mark.parametrize("change", [compressed, scaled, darkened, marked, mirrored])
def test_near_copies_are_of_one_group(pieces: list[Pixels], change: Callable[[Pixels], Pixels]) -> None:
    assert [len(set(grouped(piece, change(piece)))) for piece in pieces] == [1] * len(pieces)


def test_different_pictures_are_of_different_groups(pieces: list[Pixels]) -> None:
    assert len(set(grouped(*pieces))) == len(pieces) == 15


def test_a_chain_of_near_copies_is_one_group(pieces: list[Pixels]) -> None:
    found = grouped(compressed(pieces[0]), pieces[1], pieces[0], pieces[2], mirrored(pieces[0]))

    assert found[0] == found[2] == found[4]
    assert len(set(found)) == 3


def test_blank_pictures_are_near_to_nothing() -> None:
    assert len(set(grouped(*(np.full((64, 64, 3), level, np.uint8) for level in range(0, 256, 5))))) == 52


def test_pairs_are_found_across_blocks(pieces: list[Pixels], monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [*pieces[:7], *(compressed(piece) for piece in pieces[:7])]
    whole = grouped(*pictures)
    monkeypatch.setattr(duplicates, "_ROWS", 2)
    monkeypatch.setattr(duplicates, "_COLUMNS", 3)

    assert len(set(whole)) == 7
    assert grouped(*pictures) == whole


def test_no_pictures_are_no_groups() -> None:
    assert grouped() == []
