"""Folders of faces become pixels: the same as everywhere else, split the same way every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import Folder

from labeler import images, labeling
from labeler.errors import LabelerError
from labeler.records import Settings
from training import dataset
from training.dataset import Dataset

CLASSES = ("calm", "cross")


@contextmanager
def opened(
    folder: Path, val: Path | None = None, *, seed: int = 0, val_split: float = 0.2, workers: int = 1
) -> Iterator[Dataset]:
    with dataset.opened(
        dataset.scan(folder),
        dataset.scan(val) if val else None,
        val_split=val_split,
        seed=seed,
        cache=folder.parent,
        workers=workers,
        progress=lambda *_: None,
    ) as pictures:
        yield pictures


@pytest.fixture
def faces(folder: Folder) -> Folder:
    """Two classes of ten pictures, all different."""
    for label, name in enumerate(CLASSES):
        for index in range(10):
            folder.noise(f"{name}/{index}.png", seed=100 * label + index)
    return folder


def test_classes_are_the_sorted_folder_names(faces: Folder) -> None:
    faces.noise(".hidden/1.png", seed=1)

    assert dataset.scan(faces.path).class_names == CLASSES


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="nowhere cannot be read: No such file or directory"):
        dataset.scan(tmp_path / "nowhere")


def test_an_empty_directory_is_an_error(folder: Folder) -> None:
    with pytest.raises(LabelerError, match="holds no class folders"):
        dataset.scan(folder.path)


def test_a_single_class_is_an_error(folder: Folder) -> None:
    folder.noise("happy/1.png", seed=1)

    with pytest.raises(LabelerError, match="holds a single class, happy"):
        dataset.scan(folder.path)


def test_a_class_without_a_picture_is_named(faces: Folder) -> None:
    faces.file("sad/notes.txt")

    with pytest.raises(LabelerError, match="no picture in sad;"):
        dataset.scan(faces.path)


def test_a_class_whose_pictures_are_all_broken_is_named(faces: Folder) -> None:
    faces.file("sad/1.jpg")

    with pytest.raises(LabelerError, match="no picture in sad can be read"), opened(faces.path):
        pass


def test_a_reserved_class_name_is_an_error(faces: Folder) -> None:
    faces.noise("uncertain/1.png", seed=1)

    with pytest.raises(LabelerError, match="no class may be called uncertain"):
        dataset.scan(faces.path)


def test_the_parts_of_a_data_set_are_not_taken_for_classes(folder: Folder) -> None:
    for name in ("test/happy/1.png", "train/happy/1.png"):
        folder.noise(name, seed=1)

    with pytest.raises(LabelerError, match=r"test, train, which are no classes; .* another with --val"):
        dataset.scan(folder.path)


def test_other_classes_to_validate_with_are_an_error_that_lists_both(faces: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    for name in ("calm", "angry"):
        other.noise(f"{name}/1.png", seed=1)

    with (
        pytest.raises(LabelerError, match=r"photos holds calm, cross, .*other holds angry, calm"),
        opened(faces.path, other.path),
    ):
        pass


def test_training_sees_the_pixels_that_classify_sees(faces: Folder) -> None:
    with opened(faces.path) as pictures:
        seen = {images.fingerprint(pixels) for pixels in pictures.pixels}
    root = str(faces.path)
    looked = [
        labeling.Looker(Settings(root=root))(f"{name}/{index}.png")[0][1] for name in CLASSES for index in range(10)
    ]

    assert seen == {images.fingerprint(crop) for crop in looked}


def test_pictures_keep_their_class(faces: Folder) -> None:
    crop = labeling.Looker(Settings(root=str(faces.path)))("cross/3.png")[0][1]
    with opened(faces.path) as pictures:
        both = (pictures.training, pictures.validation)
        labels = {
            print_: label for subset in both for print_, label in zip(subset.fingerprints, subset.labels, strict=True)
        }

    assert labels[images.fingerprint(crop)] == CLASSES.index("cross")


def test_places_lead_to_the_pixels(faces: Folder) -> None:
    with opened(faces.path) as pictures:
        subset = pictures.validation
        found = tuple(images.fingerprint(pictures.pixels[place]) for place in subset.places)

    assert found == subset.fingerprints


def test_the_split_takes_its_share_of_each_class(faces: Folder) -> None:
    with opened(faces.path, val_split=0.3) as pictures:
        counts = [np.bincount(subset.labels).tolist() for subset in (pictures.training, pictures.validation)]

    assert counts == [[7, 7], [3, 3]]


def test_the_split_depends_on_the_seed_alone(faces: Folder) -> None:
    held_back = []
    for seed in (1, 1, 2):
        with opened(faces.path, seed=seed) as pictures:
            held_back.append(set(pictures.validation.fingerprints))

    assert held_back[0] == held_back[1] != held_back[2]


def test_no_class_is_held_back_whole(faces: Folder) -> None:
    faces.noise("rare/1.png", seed=999)
    with opened(faces.path, val_split=0.9) as pictures:
        assert np.bincount(pictures.training.labels).tolist() == [1, 1, 1]


def test_broken_pictures_and_strays_are_listed_and_skipped(faces: Folder) -> None:
    faces.file("calm/broken.jpg")
    faces.noise("stray.png", seed=1)
    with opened(faces.path) as pictures:
        skipped = [line.removeprefix(f"{faces.path}/") for line in pictures.skipped]
        assert len(pictures.pixels) == 20

    assert skipped == ["stray.png: stands in no class folder", "calm/broken.jpg: not a picture in a known format"]


def test_a_separate_directory_validates(faces: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    for index, name in enumerate(CLASSES):
        other.noise(f"{name}/1.png", seed=500 + index)
    with opened(faces.path, other.path) as pictures:
        assert (len(pictures.training), len(pictures.validation)) == (20, 2)


def test_copies_of_training_pictures_do_not_validate(faces: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    other.noise("calm/fresh.png", seed=500)
    other.noise("calm/copy.bmp", seed=3)
    other.noise("cross/copy.bmp", seed=103)
    with opened(faces.path, other.path) as pictures:
        assert (len(pictures.validation), pictures.copies_left_out) == (1, 2)


def test_nothing_but_copies_is_an_error(faces: Folder) -> None:
    with pytest.raises(LabelerError, match="no picture is left to validate with"), opened(faces.path, faces.path):
        pass


def test_the_cache_leaves_no_file_behind(faces: Folder) -> None:
    with opened(faces.path):
        during = {path.name for path in faces.path.parent.iterdir()}

    assert during == {"photos"}


def test_the_digest_is_of_the_pixels_not_of_the_place(faces: Folder, tmp_path: Path) -> None:
    with opened(faces.path) as pictures:
        before = pictures.digest
    with opened(faces.path.rename(tmp_path / "moved")) as pictures:
        moved = pictures.digest
    Folder(tmp_path / "moved").noise("calm/10.png", seed=77)
    with opened(tmp_path / "moved") as pictures:
        changed = pictures.digest

    assert before == moved != changed


def test_several_processes_give_the_same_dataset(faces: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(faces.path) as pictures:
        alone = pictures.digest
    monkeypatch.setattr(dataset, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(dataset, "_FILES_PER_BATCH", 4)
    with opened(faces.path, workers=2) as pictures:
        assert pictures.digest == alone
