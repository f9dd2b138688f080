"""A split leaks nothing: what shows the same face, in whatever copy, is in one subset; and it is spread evenly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASS_NAMES, ROOT, Folder
from kills import killed
from PIL import Image, ImageOps

from labeler import storage
from labeler.errors import InputGoneError, LabelerError
from labeler.executors import threads
from labeler.exports import hash_cache, picture_hashes, subsets
from labeler.exports.hash_cache import HashCache
from labeler.exports.item import Item
from labeler.exports.subsets import NONE, Assigned
from labeler.records import Face, Row
from labeler.storage.local import version_of
from labeler.watched import Watched, unwatched

SIDE = 96


def look(seed: int, side: int = SIDE) -> Image.Image:
    """Return a picture that is like no other: coarse noise, smoothed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)


def save(folder: Folder, name: str, image: Image.Image) -> str:
    path = folder.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return name


def item(folder: Folder, number: int, file: str, square: Face | None = None, *labels: str) -> Item:
    """Return an item of a file: the crop of a face, or the whole photo with as many faces as labels."""
    labels = labels or (CLASS_NAMES[number % 3],)
    found = (folder.path / file).stat() if (folder.path / file).exists() else None
    return Item(
        number=number,
        name=f"{number}.jpg",
        file=file,
        label=labels[0],
        width=SIDE,
        height=SIDE,
        faces=tuple(Row("", at, 0.0, 0.0, 9.0, 9.0, label=label) for at, label in enumerate(labels)),
        square=square,
        version=version_of(found) if found else "1-2",
    )


def photos(folder: Folder, looks: Iterable[int]) -> list[Item]:
    """Return a photo of each look, in classes that take turns."""
    return [item(folder, at, save(folder, f"{at}.png", look(seed))) for at, seed in enumerate(looks)]


def group_photos(folder: Folder, looks: Iterable[tuple[int, ...]]) -> list[Item]:
    """Return the crops of all faces of photos that show several looks beside each other."""
    found: list[Item] = []
    for at, seeds in enumerate(looks):
        photo = Image.new("RGB", (SIDE * len(seeds) + 40, SIDE + 40), "gray")
        for place, seed in enumerate(seeds):
            photo.paste(look(seed), (20 + place * SIDE, 20))
        file = save(folder, f"group{at}.png", photo)
        squares = [Face(20.0 + place * SIDE, 20.0, SIDE, SIDE, 0.9) for place in range(len(seeds))]
        found += [item(folder, len(found) + place, file, square) for place, square in enumerate(squares)]
    return found


def split(
    folder: Folder, items: Iterable[Item], *shares: float, watched: Watched = unwatched, **changes: Any
) -> Assigned:
    wanted: dict[str, Any] = {"seed": 1, "group_by": "", "max_pixels": 1_000_000} | changes
    table = folder.path.parent / "t.csv"
    return subsets.assigned(
        items, shares or (0.8, 0.1, 0.1), table=table, root=str(folder.path), watched=watched, **wanted
    )


def forget(folder: Folder) -> None:
    """Delete the kept hashes."""
    shutil.rmtree(folder.path.parent / "t.csv.cache")


def hashes(folder: Folder, items: Iterable[Item]) -> dict[int, bytes]:
    with HashCache(folder.path.parent / "t.csv") as cache:
        found = picture_hashes.hashed(items, storage.at(str(folder.path)), cache, 1_000_000)
        return {one.number: phash for one, phash in found}


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((), ()),
        ((1.0,), ()),
        ((0.8, 0.2), ("train", "val")),
        ((0.8, 0.1, 0.1), ("train", "val", "test")),
        ((1 / 3, 1 / 3, 1 / 3), ("train", "val", "test")),
    ],
)
def test_the_shares_name_the_subsets(shares: tuple[float, ...], expected: tuple[str, ...]) -> None:
    assert subsets.names(shares) == expected


@pytest.mark.parametrize(
    "shares",
    [(0.8,), (0.8, 0.1), (80.0, 20.0), (1.0, 0.0), (1.2, -0.2), (0.7, 0.1, 0.1, 0.1), (float("nan"), 0.5), (0.0,)],
)
def test_shares_that_are_none_are_refused_with_what_to_write(shares: tuple[float, ...]) -> None:
    with pytest.raises(LabelerError, match=r"as --split 0\.8,0\.1,0\.1; or --split 1 for one"):
        subsets.names(shares)


def test_copies_stay_together(folder: Folder) -> None:
    items: list[Item] = []
    for seed in range(30):
        one = look(seed)
        copies = {"a.png": one, "b.jpg": one, "c.png": one.resize((300, 300)), "d.png": ImageOps.mirror(one)}
        items += [item(folder, len(items) + at, save(folder, f"{seed}{name}", copy))
                  for at, (name, copy) in enumerate(copies.items())]  # fmt: skip
    found = split(folder, items)

    assert found.groups == 30
    assert (found.subsets.reshape(30, 4) == found.subsets.reshape(30, 4)[:, :1]).all()
    assert found.faces.sum(axis=1).tolist() == [96, 12, 12]


def test_a_crop_is_compared_by_its_face_and_a_photo_as_a_whole(folder: Folder) -> None:
    crops = group_photos(folder, [(1, 2), (3, 4), (5, 1)])

    assert split(folder, crops, 0.5, 0.5).groups == 2  # The first and the third photo show one face.
    whole = [replace(crops[at], number=number, square=None) for number, at in enumerate((0, 2, 4))]
    assert split(folder, whole, 0.5, 0.5).groups == 3


def test_the_faces_of_a_photo_stay_together(folder: Folder) -> None:
    found = split(folder, group_photos(folder, [(3 * at, 3 * at + 1, 3 * at + 2) for at in range(20)]))

    assert found.groups == 20
    assert (found.subsets.reshape(20, 3) == found.subsets.reshape(20, 3)[:, :1]).all()
    assert found.faces.tolist() == [[16, 16, 16], [2, 2, 2], [2, 2, 2]]


def test_files_with_one_key_stay_together(folder: Folder) -> None:
    items = [item(folder, at, save(folder, f"person{at % 10}_{at}.png", look(at))) for at in range(40)]
    found = split(folder, items, group_by=r"(person\d)_")

    assert found.groups == 10
    assert (found.subsets.reshape(4, 10) == found.subsets[:10]).all()


@pytest.mark.parametrize(("wrong", "told"), [("(", "is not a regular expression"), ("zoe", "matches no file name")])
def test_an_expression_that_cannot_group_is_an_error(folder: Folder, wrong: str, told: str) -> None:
    with pytest.raises(LabelerError, match=told):
        split(folder, photos(folder, range(3)), group_by=wrong)


def test_a_wrong_expression_is_said_before_anything_is_read(folder: Folder) -> None:
    def items() -> Iterator[Item]:
        raise AssertionError("items were asked for")
        yield

    with pytest.raises(LabelerError, match="is not a regular expression"):
        split(folder, items(), group_by="(")


def test_every_class_has_its_share_of_each_subset(folder: Folder) -> None:
    found = split(folder, photos(folder, range(120)), 0.7, 0.2, 0.1)

    assert found.class_names == CLASS_NAMES
    assert found.faces.tolist() == [[28, 28, 28], [8, 8, 8], [4, 4, 4]]
    assert np.bincount(found.subsets).tolist() == [84, 24, 12]


def test_faces_are_counted_not_photos(folder: Folder) -> None:
    items = photos(folder, range(30))
    items = [item(folder, at, one.file, None, *["sad"] * (5 if at % 3 else 1)) for at, one in enumerate(items)]
    found = split(folder, items, 0.5, 0.5)

    assert found.faces.sum() == 110
    assert abs(found.faces[0, 0] - 55) <= 1


def test_the_seed_alone_decides(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    items = photos(folder, range(40))
    first, other = split(folder, items), split(folder, items, seed=2)
    forget(folder)
    monkeypatch.setattr(threads, "cores", lambda: 1)
    alone = split(folder, items)
    forget(folder)
    monkeypatch.setattr(threads, "cores", lambda: 4)
    together = split(folder, items)

    assert first.subsets.tolist() == alone.subsets.tolist() == together.subsets.tolist() != other.subsets.tolist()


def test_what_cannot_be_read_is_in_no_subset(folder: Folder) -> None:
    crops = group_photos(folder, [(1, 2), (3, 4)])
    folder.file("broken.jpg")
    found = split(
        folder,
        [
            item(folder, 0, "broken.jpg"),
            item(folder, 1, "gone.jpg"),
            replace(crops[0], number=2),
            replace(crops[1], number=3, square=Face(900.0, 20.0, 50.0, 50.0)),  # The photo was larger once.
            replace(crops[2], number=4),
        ],
        0.5,
        0.5,
    )

    assert (found.subsets == NONE).tolist() == [True, True, False, True, False]
    assert (found.unreadable, found.groups) == (3, 2)


def test_items_are_known_by_their_numbers(folder: Folder) -> None:
    items = photos(folder, range(10))
    found = split(folder, [replace(one, number=2 * one.number) for one in items])

    assert found.subsets[::2].tolist() == split(folder, items).subsets.tolist()
    assert (found.subsets[1::2] == NONE).all()


def test_photos_whose_folder_goes_away_are_not_taken_for_unreadable(folder: Folder) -> None:
    def pulled(items: Iterable[Item]) -> Iterator[Item]:
        for at, one in enumerate(items):
            if at == 30:
                folder.path.rename(folder.path.with_name("away"))
            yield one

    with pytest.raises(InputGoneError):
        split(folder, pulled(photos(folder, range(60))))


def test_a_second_export_reads_no_picture(folder: Folder) -> None:
    crops = group_photos(folder, [(30, 31), (32, 33)])
    items = [*photos(folder, range(20)), *(replace(one, number=20 + one.number) for one in crops)]
    first = split(folder, items)
    for path in folder.path.iterdir():
        path.unlink()
        path.mkdir()

    assert not first.unreadable
    assert split(folder, items).subsets.tolist() == first.subsets.tolist()


def test_a_photo_that_has_changed_since_it_was_labelled_is_not_kept(folder: Folder) -> None:
    items = photos(folder, range(3))
    before = hashes(folder, items)
    forget(folder)
    save(folder, "1.png", look(77))
    os.utime(folder.path / "1.png", ns=(1, 1))
    changed = hashes(folder, items)
    save(folder, "1.png", look(1))
    found = hashes(folder, items)

    assert [changed[at] == before[at] for at in range(3)] == [True, False, True]
    assert found == before


def test_without_a_version_nothing_is_kept(folder: Folder) -> None:
    items = [replace(one, version="") for one in photos(folder, range(3))]
    hashes(folder, items)
    (folder.path / "1.png").unlink()

    assert [bool(phash) for phash in hashes(folder, items).values()] == [True, False, True]


def test_a_kept_hash_is_the_one_that_would_be_computed(folder: Folder) -> None:
    photo = Image.new("RGB", (1600, 800), "gray")
    photo.paste(look(1, 700), (20, 20))
    photo.paste(look(2, 40), (1000, 100))
    file = save(folder, "large.jpg", photo)
    large = item(folder, 0, file, Face(20.0, 20.0, 700.0, 700.0))
    small = item(folder, 1, file, Face(1000.0, 100.0, 40.0, 40.0))
    hashes(folder, [large, small])
    kept = hashes(folder, [large])
    forget(folder)

    assert hashes(folder, [large]) == kept


def test_a_large_photo_and_its_small_copy_are_one(folder: Folder) -> None:
    for seed in range(5):
        save(folder, f"{seed}.jpg", look(seed, 1500))
        save(folder, f"{seed}small.png", look(seed, 1500).resize((200, 200)))
    items = [item(folder, at, name) for at, name in enumerate(sorted(os.listdir(folder.path)))]

    assert split(folder, items, 0.5, 0.5).groups == 5


def test_a_cache_that_cannot_be_used_costs_only_time(folder: Folder) -> None:
    items = photos(folder, range(20))
    expected = split(folder, items)
    file = folder.path.parent / "t.csv.cache" / hash_cache.NAME
    file.write_bytes(b"no database" * 1000)
    found = split(folder, items)

    assert expected.not_kept == ""
    assert str(file) in found.not_kept
    assert found.subsets.tolist() == expected.subsets.tolist()


def test_a_run_that_was_killed_goes_on_and_ends_the_same(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_cache, "_BATCH", 4)
    items = photos(folder, range(24))
    expected = split(folder, items).subsets.tolist()
    forget(folder)
    keys = [hash_cache.key(one.file, one.version, None, 0.0) for one in items]
    kept = []
    while killed(len(kept), lambda: split(folder, items)):
        with HashCache(folder.path.parent / "t.csv") as cache:
            kept.append(sum(bool(cache.get(key)) for key in keys))

    assert kept == sorted(kept)
    assert any(0 < number < len(items) for number in kept)
    assert split(folder, items).subsets.tolist() == expected


def test_an_interrupted_run_keeps_what_it_has_read(folder: Folder) -> None:
    def interrupted(items: Iterable[Item]) -> Iterator[Item]:
        for at, one in enumerate(items):
            if at == 30:
                raise KeyboardInterrupt
            yield one

    items = photos(folder, range(60))
    with pytest.raises(KeyboardInterrupt):
        split(folder, interrupted(items))
    for path in folder.path.iterdir():
        path.unlink()

    assert sum(map(bool, hashes(folder, items).values())) >= 10


def test_what_is_watched_is_the_comparison_with_its_end(folder: Folder) -> None:
    seen: list[tuple[str, int | None, int]] = []

    def watched(things: Iterable[Any], doing: str, total: int | None = None, /) -> Iterable[Any]:
        every = list(things)
        seen.append((doing, total, len(every)))
        return every

    split(folder, photos(folder, range(5)), watched=watched)

    assert seen == [("comparing pictures", 1, 1)]


def test_a_missing_package_is_said_with_how_to_install_it(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
sys.modules["imagehash"] = None
from labeler.errors import LabelerError
from labeler.exports import subsets
print(subsets.names((0.8, 0.2)))
try:
    subsets.assigned(
        [], (0.8, 0.2), table=Path({str(tmp_path / "t.csv")!r}), root=".", seed=1, group_by="", max_pixels=1
    )
except LabelerError as exc:
    print(exc)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)

    assert done.stdout.splitlines()[0] == "('train', 'val')"
    assert done.stdout.splitlines()[1].startswith("this needs imagehash, which is not installed")
    assert "'labeler[export]'" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_subset_without_a_picture_is_refused(folder: Folder) -> None:
    found = split(folder, group_photos(folder, [(1, 2, 3)]))

    with pytest.raises(LabelerError, match=r"val and test would be empty: .* in 1 group .* --split 1 for one"):
        subsets.refuse_empty(found)


def test_a_split_of_no_readable_picture_is_refused(folder: Folder) -> None:
    found = split(folder, [item(folder, 0, "gone.jpg")], 0.8, 0.2)

    assert found.subsets.tolist() == [NONE]
    with pytest.raises(LabelerError, match="and 1 picture cannot be read"):
        subsets.refuse_empty(found)


def test_a_class_that_a_subset_lacks_is_named(folder: Folder) -> None:
    items = photos(folder, range(30))
    items = [item(folder, at, one.file, None, "rare" if at == 7 else "happy") for at, one in enumerate(items)]
    found = split(folder, items)

    subsets.refuse_empty(found)
    with pytest.raises(LabelerError, match=r"rare \(1 group\) is not in val and test\. Use --split 1"):
        subsets.refuse_missing(found)
    subsets.refuse_missing(split(folder, photos(folder, range(30))))


def test_at_most_five_lacking_classes_are_named(folder: Folder) -> None:
    items = photos(folder, range(40))
    items = [item(folder, at, one.file, None, f"rare{at}" if at < 9 else "happy") for at, one in enumerate(items)]

    with pytest.raises(LabelerError) as caught:
        subsets.refuse_missing(split(folder, items))
    assert (str(caught.value).count("rare"), ", ...." in str(caught.value)) == (5, True)


def test_a_photo_without_a_class_demands_nothing(folder: Folder) -> None:
    items = [replace(one, faces=(), label="") if one.number == 3 else one for one in photos(folder, range(30))]

    subsets.refuse_missing(split(folder, items))
