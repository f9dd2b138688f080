"""Labels for images in memory: the same as a table's, whatever form an image has."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Folder, make_bundle
from PIL import Image

import labeler
from labeler import Labeler, LabelerError, Row, Settings, Status

PORTRAITS = sorted((ROOT / "examples" / "photos").rglob("*.jpg"))


@pytest.fixture(scope="module")
def labels() -> Labeler:
    return Labeler("documented", batch_size=4)


def shown(row: Row) -> Row:
    """Return a row without what it knows of its file: images in memory have none."""
    return row._replace(file="", version="")


def test_paths_and_bytes_give_the_rows_of_a_table(labels: Labeler) -> None:
    expected = [row for row in labeler.label(PORTRAITS, Settings(model="documented", absolute=True)) if row.label]
    of_paths = [face for faces in labels(sorted(PORTRAITS)) for face in faces]
    of_bytes = [face for faces in labels([path.read_bytes() for path in PORTRAITS]) for face in faces]

    assert len(expected) >= 10
    assert sorted(of_paths) == sorted(expected)
    assert list(map(shown, of_bytes)) == list(map(shown, of_paths))


def test_a_pil_image_and_an_array_give_what_their_file_gives(labels: Labeler, folder: Folder) -> None:
    path = folder.noise("a.png", seed=1, side=100)
    image = Image.open(path)
    of_file, of_image, of_array = labels([path, image, np.asarray(image)])

    assert of_file[0].score is not None
    assert shown(of_file[0]) == shown(of_image[0]) == shown(of_array[0])


def test_an_image_is_turned_upright_as_its_exif_data_say(labels: Labeler, folder: Folder) -> None:
    turned = Image.open(folder.noise("a.png", seed=2, side=64)).resize((64, 100))
    upright = turned.transpose(Image.Transpose.ROTATE_270)
    exif = Image.Exif()
    exif[0x0112] = 6
    content = io.BytesIO()
    turned.save(content, "PNG", exif=exif)
    one, other = labels([Image.open(content), upright])

    assert (one[0].image_width, one[0].image_height) == (100, 64)
    assert one[0].probabilities == other[0].probabilities


def test_gray_images_are_taken_and_nothing_of_the_users_image_is_changed(labels: Labeler, folder: Folder) -> None:
    image = Image.open(folder.noise("a.png", seed=3)).convert("P")
    image.info["transparency"] = 0
    gray = np.asarray(image.convert("L"))
    found = labels([image, gray, np.stack([gray] * 3, axis=2)])

    assert "transparency" in image.info
    assert found[1] == found[2] != []


BAD: list[tuple[Any, Status, str]] = [
    (b"no image", Status.UNSUPPORTED, "not an image"),
    (b"", Status.UNREADABLE, "empty"),
    ("nowhere.jpg", Status.UNREADABLE, "No such file"),
    (None, Status.UNSUPPORTED, "NoneType is no kind of image"),
    (np.zeros((9, 9, 4), np.uint8), Status.UNSUPPORTED, "array (9, 9, 4) of uint8"),
    (np.zeros((9, 9, 3)), Status.UNSUPPORTED, "of float64"),
    (np.zeros((0, 9, 3), np.uint8), Status.UNSUPPORTED, "array (0, 9, 3)"),
    (Image.new("F", (9, 9)), Status.UNSUPPORTED, "floating-point"),
]


@pytest.mark.parametrize(("image", "status", "reason"), BAD)
def test_what_cannot_be_used_gives_no_faces_and_says_why(
    labels: Labeler, folder: Folder, image: Any, status: Status, reason: str
) -> None:
    good = folder.noise("a.png", seed=1)
    before, bad, after = labels([good, image, good])

    assert (list(bad), bad.status) == ([], status)
    assert reason in bad.reason
    assert before == after != []


def test_an_image_without_a_face_gives_an_empty_list(labels: Labeler) -> None:
    (found,) = labels([next((ROOT / "examples" / "photos" / "no_face").iterdir())])

    assert (list(found), found.status) == ([], Status.NO_FACE)


def test_an_image_may_not_be_larger_than_the_limit(folder: Folder) -> None:
    path = folder.picture("a.png", side=50)
    small = Labeler("documented", Settings(root="", max_pixels=1_000))

    with Image.open(path) as image:
        assert [found.status for found in small([path, image])] == [Status.TOO_LARGE] * 2


@pytest.mark.parametrize("one", ["a.jpg", Path("a.jpg"), b"", Image.new("RGB", (9, 9)), np.zeros((9, 9, 3), np.uint8)])
def test_one_image_instead_of_several_is_refused(labels: Labeler, one: Any) -> None:
    with pytest.raises(LabelerError, match="give a list"):
        labels(one)


def test_batches_and_generators_change_nothing(labels: Labeler, folder: Folder) -> None:
    paths = [folder.noise(f"{number}.png", seed=number) for number in range(9)]

    assert labels(path for path in paths) == [labels([path])[0] for path in paths]
    assert labels(np.stack([np.asarray(Image.open(path)) for path in paths])) == labels(map(Image.open, paths))


def test_a_labeler_travels_without_its_models(labels: Labeler, folder: Folder) -> None:
    path = folder.noise("a.png", seed=1)
    before = labels([path])
    content = pickle.dumps(labels)

    assert len(content) < 2_000
    assert pickle.loads(content)([path]) == before
    assert pickle.loads(content).class_names == labels.class_names


def test_asking_for_something_else_is_the_usual_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        labeler.nothing  # noqa: B018


def test_an_array_that_does_not_look_like_a_face_gives_no_face_and_says_why(tmp_path: Path) -> None:
    labels = Labeler(str(make_bundle(tmp_path / "m.onnx", face=True, face_threshold=0.5)))
    dark, bright = labels([np.full((48, 48, 3), shade, np.uint8) for shade in (5, 250)])

    assert (list(dark), dark.status, len(bright)) == ([], Status.NO_FACE, 1)
    assert dark.reason.startswith("the picture does not look like a face")
