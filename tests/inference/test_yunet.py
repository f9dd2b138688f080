"""Faces in photographs: found where they are, and never where none is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SHARED, Folder
from PIL import Image

from labeler import pipeline
from labeler.errors import LabelerError, ModelError
from labeler.inference import bundle, yunet
from labeler.labeling import BatchLabeler, Looker
from labeler.records import Face, Faces, Row, Settings, Status
from labeler.tables import reader

PHOTOS = ROOT / "examples" / "photos"
ANNOTATED = SHARED / "photos"
HOPPER, COLLINS = PHOTOS / "portraits" / "hopper.jpg", PHOTOS / "portraits" / "collins.jpg"

ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a picture is stored for each EXIF orientation, so that turning it by EXIF gives it back."""


def found(path: Path, **settings: object) -> list[Face]:
    return [face for face, _ in Looker(Settings(root=str(path.parent), **settings))(path.name).faces]  # type: ignore[arg-type]


def overlap(one: Face, other: Face) -> float:
    """Return the intersection over union."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(across, 0) * max(down, 0)
    return shared / (one.width * one.height + other.width * other.height - shared)


def crowd(path: Path, sides: tuple[int, ...]) -> Path:
    """Paste one portrait several times, side by side, each at its own height in pixels."""
    portrait = Image.open(HOPPER)
    ground = Image.new("RGB", (400 * len(sides), 520), (90, 110, 130))
    for index, side in enumerate(sides):
        ground.paste(portrait.resize((side * portrait.width // portrait.height, side)), (400 * index, 0))
    ground.save(path, quality=95)
    return path


@pytest.mark.parametrize("path", [HOPPER, COLLINS, PHOTOS / "no_face" / "cat.jpg"], ids=lambda path: path.stem)
@pytest.mark.parametrize("threshold", [0.0, 1e-6, 0.001])
def test_whatever_is_asked_for_a_face_has_a_size_and_a_score(path: Path, threshold: float) -> None:
    with Image.open(path) as image:
        width, height = image.size
    faces_found = found(path, face_threshold=threshold, min_face=0)

    assert faces_found
    assert [face for face in faces_found if face.width <= 0 or face.height <= 0 or not 0 < face.score <= 1] == []
    assert [one for one in faces_found if one.x + one.width > width + 0.1 or one.y + one.height > height + 0.1] == []


def test_the_face_that_is_sure_is_found_at_any_threshold() -> None:
    (sure,) = found(HOPPER)

    assert max(overlap(sure, face) for face in found(HOPPER, face_threshold=0.0)) > 0.9


@pytest.mark.parametrize(("path", "box"), [(HOPPER, Face(130, 95, 135, 150)), (COLLINS, Face(110, 70, 88, 103))])
def test_a_face_is_found_where_it_is(path: Path, box: Face) -> None:
    (face,) = found(path)

    assert overlap(face, box) > 0.6
    assert face.score is not None
    assert face.score > 0.8


@pytest.mark.parametrize("name", ["cat.jpg", "coffee.jpg"])
def test_a_picture_without_a_face_gives_one_row_and_no_label(model: Path, name: str) -> None:
    (row,) = BatchLabeler(Settings(model=str(model), root=str(PHOTOS / "no_face")))([name])

    assert row[1:12] == Row(name, status=Status.NO_FACE, reason="no face was found")[1:12]
    assert row.image_width


def test_faces_come_largest_first_in_pixels_of_the_full_picture(tmp_path: Path) -> None:
    faces_found = found(crowd(tmp_path / "crowd.png", (260, 500, 380)))

    assert [int(face.x) // 400 for face in faces_found] == [1, 2, 0]
    assert [round(face.height / faces_found[0].height, 1) for face in faces_found] == [1.0, 0.8, 0.5]


def test_a_large_jpeg_gives_the_boxes_of_its_full_size(tmp_path: Path) -> None:
    portrait = Image.open(HOPPER)
    portrait.resize((portrait.width * 6, portrait.height * 6)).save(tmp_path / "large.jpg", quality=90)
    (small,), (large,) = found(HOPPER), found(tmp_path / "large.jpg")

    assert overlap(Face(large.x / 6, large.y / 6, large.width / 6, large.height / 6), small) > 0.85


def test_settings_decide_which_faces_count(tmp_path: Path) -> None:
    path = crowd(tmp_path / "crowd.png", (260, 500, 380))
    heights = [face.height for face in found(path)]

    assert len(found(path, max_faces=2)) == 2
    assert len(found(path, min_face=int(heights[1]))) == 2
    assert found(path, face_threshold=1.0) == []


@pytest.mark.parametrize(("side", "whole"), [(128, True), (129, False)])
def test_auto_takes_pictures_up_to_128_pixels_whole(folder: Folder, side: int, whole: bool) -> None:
    boxes = found(folder.picture("flat.png", side=side))

    assert boxes == ([Face(0, 0, side, side)] if whole else [])


def test_detect_looks_into_small_pictures_too(tmp_path: Path) -> None:
    small = Image.open(HOPPER)
    small.thumbnail((100, 100))
    small.save(tmp_path / "small.png")
    (face,) = found(tmp_path / "small.png", faces=Faces.DETECT)

    assert face.width < 40


def test_whole_never_looks(tmp_path: Path) -> None:
    shutil.copy(HOPPER, tmp_path / "a.jpg")
    with Image.open(HOPPER) as image:
        width, height = image.size

    assert found(tmp_path / "a.jpg", faces=Faces.WHOLE, detector="nowhere.onnx") == [Face(0, 0, width, height)]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_exif_orientation_gives_the_same_boxes(tmp_path: Path, orientation: int) -> None:
    upright = crowd(tmp_path / "upright.jpg", (260, 500, 380))
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = tmp_path / "turned.jpg"
    Image.open(upright).transpose(ORIENTATIONS[orientation]).save(turned, exif=exif, quality=95)

    assert shifts(found(upright), found(turned)) < 0.03


def shifts(ones: list[Face], others: list[Face]) -> float:
    """Return the largest distance between two edges of the same face, in shorter sides of it."""
    assert len(ones) == len(others)
    edges = [
        (abs(getattr(one, name) - getattr(other, name)) / min(one.width, one.height), one)
        for one, other in zip(ones, others, strict=True)
        for name in ("x", "y", "width", "height")
    ]
    return max(shift for shift, _ in edges)


def test_a_missing_detector_is_refused() -> None:
    with pytest.raises(ModelError, match="no face detector nowhere"):
        found(HOPPER, detector="nowhere.onnx")


def test_a_model_that_is_no_detector_is_refused(model: Path) -> None:
    with pytest.raises(ModelError, match="not a face detector in YuNet's format"):
        yunet.YuNet(model)


def test_another_detector_is_another_table(folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.picture("a.png")
    pipeline.classify(pipeline.Job(inputs=(folder.path,), out=tmp_path / "t.csv", settings=Settings(model=str(model))))
    other = tmp_path / "other.onnx"
    other.write_bytes(bundle.detector("").read_bytes() + b"\x00")
    with pytest.raises(LabelerError, match="--detector was"):
        pipeline.classify(
            pipeline.Job(
                inputs=(folder.path,), out=tmp_path / "t.csv", settings=Settings(model=str(model), detector=str(other))
            )
        )


def test_crops_are_kept_as_the_network_saw_them(model: Path, tmp_path: Path) -> None:
    settings = Settings(model=str(model), save_crops=str(tmp_path / "crops"))
    pipeline.classify(pipeline.Job(inputs=(PHOTOS,), out=tmp_path / "t.csv", settings=settings))
    kept = Image.open(tmp_path / "crops" / "portraits" / "hopper.jpg.face0.png")
    ((_, crop),) = Looker(Settings(root=str(PHOTOS)))("portraits/hopper.jpg").faces

    assert (np.asarray(kept) == crop).all()


def test_there_is_a_crop_for_every_row_with_a_face(model: Path, tmp_path: Path) -> None:
    settings = Settings(model=str(model), save_crops=str(tmp_path / "crops"))
    pipeline.classify(
        pipeline.Job(inputs=(PHOTOS,), out=tmp_path / "t.csv", settings=settings, workers=2, batch_size=3)
    )
    labelled = [f"{row.file}.face{row.face}.png" for row in reader.read(tmp_path / "t.csv") if row.label]

    assert sorted(
        path.relative_to(tmp_path / "crops").as_posix() for path in (tmp_path / "crops").rglob("*.*")
    ) == sorted(labelled)


def test_crops_are_not_mixed_with_other_files(model: Path, tmp_path: Path) -> None:
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "mine.png").write_bytes(b"mine")
    settings = Settings(model=str(model), save_crops=str(tmp_path / "crops"))
    with pytest.raises(LabelerError, match="is not empty"):
        pipeline.classify(pipeline.Job(inputs=(PHOTOS,), out=tmp_path / "t.csv", settings=settings))


def test_crops_are_not_kept_among_the_pictures(folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.picture("a.png")
    settings = Settings(model=str(model), save_crops=str(folder.path / "crops"))
    with pytest.raises(LabelerError, match="lies within the photos"):
        pipeline.classify(pipeline.Job(inputs=(folder.path,), out=tmp_path / "t.csv", settings=settings))


def annotated() -> Iterator[tuple[Path, list[Face], list[Face]]]:
    """Yield each photograph with its checked boxes, and with those of faces too unclear to count."""
    if not ANNOTATED.exists():
        pytest.skip("../shared/data/photos is not here; it holds the annotated photographs")
    for name, found in json.loads((ANNOTATED / "faces.json").read_text())["photos"].items():
        boxes = [
            [Face(left, top, right - left, bottom - top) for left, top, right, bottom in found[kind]]
            for kind in ("faces", "ignore")
        ]
        yield ANNOTATED / "faces" / name, boxes[0], boxes[1]


def test_the_annotated_photographs_reach_an_f1_of_985() -> None:
    hits = false = missed = 0
    for path, checked, unclear in annotated():
        left = list(checked)
        for face in sorted(found(path), key=lambda face: -(face.score or 0)):
            best = max(left, key=lambda box: overlap(face, box), default=None)
            if best and overlap(face, best) >= 0.4:
                left.remove(best)
                hits += 1
            elif not any(overlap(face, box) >= 0.4 for box in unclear):
                false += 1
        missed += len(left)

    assert hits + missed == 232
    assert 2 * hits / (2 * hits + false + missed) >= 0.985


def test_no_face_is_invented_in_the_faceless_photographs() -> None:
    if not ANNOTATED.exists():
        pytest.skip("../shared/data/photos is not here; it holds the faceless photographs")
    photographs = sorted((ANNOTATED / "noface").iterdir())

    assert len(photographs) == 14
    assert [path.name for path in photographs if found(path)] == []
