"""Folders of faces become pixels: the same as everywhere else, split the same way every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import Folder

from labeler import labeling
from labeler.errors import LabelerError
from labeler.images.crop import fingerprint
from labeler.records import Settings
from training.data import dataset, decode
from training.data.dataset import Dataset

CLASSES = ("calm", "cross")


@contextmanager
def opened(
    folder: Path,
    val: Path | None = None,
    *,
    seed: int = 0,
    val_split: float = 0.2,
    workers: int = 1,
    table: Path | None = None,
    group_by: str = "",
) -> Iterator[Dataset]:
    learnt, judged = dataset.find(folder, val, table, "")
    with dataset.opened(
        learnt,
        judged,
        val_split=val_split,
        seed=seed,
        group_by=group_by,
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

    with pytest.raises(LabelerError, match="no photo in sad;"):
        dataset.scan(faces.path)


def test_a_class_whose_pictures_are_all_broken_is_named(faces: Folder) -> None:
    faces.file("sad/1.jpg")

    with pytest.raises(LabelerError, match="no photo in sad can be read"), opened(faces.path):
        pass


def test_a_reserved_class_name_is_an_error(faces: Folder) -> None:
    faces.noise("uncertain/1.png", seed=1)

    with pytest.raises(LabelerError, match="no class may be called uncertain"):
        dataset.scan(faces.path)


def test_the_parts_of_a_data_set_are_not_taken_for_classes(folder: Folder) -> None:
    for name in ("test/happy/1.png", "train/happy/1.png"):
        folder.noise(name, seed=1)

    with pytest.raises(LabelerError, match=r"test, train, which are splits, not classes; .* another with --val"):
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
        seen = {fingerprint(pixels) for pixels in pictures.pixels}
    root = str(faces.path)
    looked = [
        labeling.Looker(Settings(root=root))(f"{name}/{index}.png").faces[0][1]
        for name in CLASSES
        for index in range(10)
    ]

    assert seen == {fingerprint(crop) for crop in looked}


def test_pictures_keep_their_class(faces: Folder) -> None:
    crop = labeling.Looker(Settings(root=str(faces.path)))("cross/3.png").faces[0][1]
    with opened(faces.path) as pictures:
        both = (pictures.training, pictures.validation)
        labels = {
            print_: label for subset in both for print_, label in zip(subset.fingerprints, subset.labels, strict=True)
        }

    assert labels[fingerprint(crop)] == CLASSES.index("cross")


def test_places_lead_to_the_pixels(faces: Folder) -> None:
    with opened(faces.path) as pictures:
        subset = pictures.validation
        found = tuple(fingerprint(pictures.pixels[place]) for place in subset.places)

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

    assert skipped == ["stray.png: is in no class folder", "calm/broken.jpg: not an image in a known format"]


def test_what_a_decoder_says_of_a_picture_is_not_heard(faces: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    sound = faces.noise("calm/odd.jpg", seed=1).read_bytes()
    tables_at = sound.index(b"\xff\xc4")
    faces.file("calm/odd.jpg", sound[:tables_at] + b"stray" + sound[tables_at:])
    with opened(faces.path) as pictures:
        assert len(pictures.pixels) == 21

    assert capfd.readouterr().err == ""


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
        assert (len(pictures.validation), pictures.left_out) == (1, {"copy": 2})


def test_nothing_but_copies_is_an_error(faces: Folder) -> None:
    with pytest.raises(LabelerError, match="no validation photo is left"), opened(faces.path, faces.path):
        pass


def test_identical_pictures_are_one_with_one_label(faces: Folder) -> None:
    faces.noise("calm/again.bmp", seed=3)
    faces.noise("cross/disputed.bmp", seed=5)
    with opened(faces.path) as pictures:
        assert len(pictures.training) + len(pictures.validation) == 19
        assert pictures.unified == {"identical": 2, "disputed": 1}


def test_near_copies_of_training_pictures_do_not_validate(faces: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    other.noise("calm/fresh.png", seed=500)
    for name in ("calm/copy.jpg", "cross/copy.jpg"):
        other.noise(name, seed=3 if name.startswith("calm") else 103)
    with opened(faces.path, other.path) as pictures:
        assert (len(pictures.validation), pictures.left_out) == (1, {"near_copy": 2})


def test_files_of_one_group_stay_together(faces: Folder) -> None:
    for seed in range(5):
        with opened(faces.path, seed=seed, group_by=r"(\d)\.png", val_split=0.3) as pictures:
            digits = [set(one.places % 10) for one in (pictures.training, pictures.validation)]  # Of calm, then cross.
            assert digits[0] & digits[1] == set()


def test_the_targets_of_folders_are_one_hot(faces: Folder) -> None:
    with opened(faces.path) as pictures:
        targets = pictures.targets(pictures.training)

        assert targets.dtype == np.float32
        assert np.array_equal(targets, np.eye(2)[pictures.training.labels])


@pytest.fixture
def ballots(faces: Folder) -> Callable[..., Path]:
    """Write a table of votes: calm has as many as asked for, cross has one."""

    def write(*calm: int) -> Path:
        rows = [f"calm/{number},{votes},1" for number, votes in enumerate(calm)]
        path = faces.path / "votes.csv"
        path.write_text("\n".join(["file,calm,cross", *(row.replace(",", ".png,", 1) for row in rows)]))
        return path

    return write


def test_the_targets_of_votes_are_their_shares(faces: Folder, ballots: Callable[..., Path]) -> None:
    with opened(faces.path, table=ballots(3, 3, 3, 0, 0, 0)) as pictures:
        targets = pictures.targets(pictures.training)

        assert np.array_equal(targets[:, 0], np.where(pictures.training.labels == 0, np.float32(0.75), 0))
        assert np.array_equal(targets.sum(axis=1), np.ones(len(targets)))


def test_the_digest_tells_other_votes(faces: Folder, ballots: Callable[..., Path]) -> None:
    digests = []
    for votes in ((3, 3, 3, 0, 0, 0), (3, 3, 3, 0, 0, 0), (3, 3, 4, 0, 0, 0)):
        with opened(faces.path, table=ballots(*votes)) as pictures:
            digests.append(pictures.digest)

    assert digests[0] == digests[1] != digests[2]


def test_a_class_of_the_table_without_a_picture_is_named(faces: Folder, ballots: Callable[..., Path]) -> None:
    path = ballots(3, 3, 3, 3)
    path.write_text(path.read_text().replace("cross", "cross,sad").replace(",1", ",1,0"))
    with pytest.raises(LabelerError, match=r"no photo below .* is sad; choose others with --classes"):
        dataset.find(faces.path, None, path, "")


def test_classes_are_chosen_from_a_table_only(faces: Folder) -> None:
    with pytest.raises(LabelerError, match="name the table with --labels"):
        dataset.find(faces.path, None, None, "calm")


def test_the_summary_says_what_was_left_out_and_what_guessing_is_worth(faces: Folder) -> None:
    faces.noise("calm/again.bmp", seed=3)
    with opened(faces.path) as pictures:
        assert pictures.summary() == (
            "16 training photos, 4 validation photos (always calm: 50.0%); left out: 1 identical to another"
        )


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
    monkeypatch.setattr(decode, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(decode, "_FILES_PER_BATCH", 4)
    with opened(faces.path, workers=2) as pictures:
        assert pictures.digest == alone
