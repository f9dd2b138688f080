"""WebDataset: tar files of samples, complete or absent."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from export_items import CLASS_NAMES, HOSTILE, colour, crop, export, face, files, photo, picture, plan_of
from PIL import Image

from labeler.errors import LabelerError
from labeler.exports.item import Item
from labeler.exports.webdataset import WebDataset


def members(path: Path) -> list[tuple[str, bytes]]:
    with tarfile.open(path) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]


def test_a_sample_is_a_picture_its_class_and_what_is_known(tmp_path: Path) -> None:
    export(WebDataset, plan_of(tmp_path / "out"), [crop(4)])

    (png, content), (json_name, about), (cls, label) = members(tmp_path / "out" / "train-000000.tar")
    assert (png, json_name, cls) == ("000000004.png", "000000004.json", "000000004.cls")
    assert (content, label) == (picture(4), b"1")
    assert json.loads(about) == {
        "file": "photos/4.png", "label": "happy", "width": 8, "height": 8, "face": 1, "score": 0.75,
    }  # fmt: skip


def test_a_photo_has_the_boxes_of_its_faces(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out", crops=False)
    export(WebDataset, plan, [photo(0, face(0, "sad"), face(1, "angry", x=5.0)), photo(1, form="PNG")])

    (jpg, _), (_, about), (_, label), (second, _), (_, nothing), (_, none) = members(plan.out / "train-000000.tar")
    assert (jpg, second, label, none) == ("000000000.jpg", "000000001.jpg", b"2", b"-1")
    assert json.loads(about)["objects"] == {
        "bbox": [[1.0, 2.0, 3.5, 4.0], [5.0, 2.0, 3.5, 4.0]], "categories": ["sad", "angry"], "scores": [0.75, 0.75],
    }  # fmt: skip
    assert json.loads(nothing)["objects"] == {"bbox": [], "categories": [], "scores": []}


def test_members_have_neither_time_nor_owner(tmp_path: Path) -> None:
    for out in ("a", "b"):
        export(WebDataset, plan_of(tmp_path / out), [crop(0), crop(1)])

    assert files(tmp_path / "a") == files(tmp_path / "b")
    with tarfile.open(tmp_path / "a" / "train-000000.tar") as tar:
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in tar} == {(0, 0, 0, "")}


def test_python_writes_the_same_bytes(tmp_path: Path) -> None:
    export(WebDataset, plan_of(tmp_path / "out"), [crop(number) for number in range(20)])
    path, again = tmp_path / "out" / "train-000000.tar", io.BytesIO()
    with tarfile.open(fileobj=again, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members(path):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

    assert again.getvalue() == path.read_bytes()


def test_each_subset_has_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebDataset, "most_items", 3)
    items = [crop(number, subset="val" if number % 4 == 3 else "train") for number in range(9)]
    export(WebDataset, plan_of(tmp_path / "out", subsets=("train", "val")), items)

    found = {name: [key for key, _ in members(tmp_path / "out" / name)][::3] for name in files(tmp_path / "out")}
    assert found == {
        "train-000000.tar": ["000000000.png", "000000001.png", "000000002.png"],
        "train-000001.tar": ["000000004.png", "000000005.png", "000000006.png"],
        "train-000002.tar": ["000000008.png"],
        "val-000000.tar": ["000000003.png", "000000007.png"],
    }


def test_a_file_has_no_more_bytes_than_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WebDataset, "most_bytes", 2 * len(picture(0)) + 5)
    export(WebDataset, plan_of(tmp_path / "out"), [crop(0), crop(1), crop(2), crop(3, side=200), crop(4)])

    assert [len(members(tmp_path / "out" / f"train-{at:06}.tar")) // 3 for at in range(4)] == [2, 1, 1, 1]


def test_pictures_that_stay_in_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="--mode none is not possible"):
        WebDataset(plan_of(tmp_path / "out", mode=None))


def hostile() -> list[Item]:
    return [crop(number, name) for number, name in enumerate(HOSTILE)]


def check(samples: list[dict[str, Any]], png: str, number: str) -> None:
    assert [colour(Image.open(io.BytesIO(sample[png]))) for sample in samples] == list(range(len(HOSTILE)))
    assert [int(sample[number]) for sample in samples] == [at % 3 for at in range(len(HOSTILE))]


def test_hostile_names_are_in_the_json_alone(tmp_path: Path) -> None:
    export(WebDataset, plan_of(tmp_path / "out"), hostile())
    found = members(tmp_path / "out" / "train-000000.tar")

    assert [name for name, _ in found][::3] == [f"{number:09}.png" for number in range(len(HOSTILE))]
    assert [json.loads(content)["label"] for _, content in found[1::3]] == [
        CLASS_NAMES[at % 3] for at in range(len(HOSTILE))
    ]
    assert len({json.loads(content)["file"] for _, content in found[1::3]}) == len(HOSTILE)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset does not close its files
def test_webdataset_reads_it(tmp_path: Path) -> None:
    library = pytest.importorskip("webdataset")
    export(WebDataset, plan_of(tmp_path / "out"), hostile())
    url = str(tmp_path / "out" / "train-000000.tar")

    check(list(library.WebDataset(url, shardshuffle=False)), "png", "cls")
    decoded = list(library.WebDataset(url, shardshuffle=False).decode("pil").to_tuple("png", "cls", "json"))
    assert [(colour(image), label, about["file"][:7]) for image, label, about in decoded] == [
        (at, at % 3, "photos/") for at in range(len(HOSTILE))
    ]


@pytest.mark.slow
@pytest.mark.parametrize("crops", [True, False])
def test_datasets_reads_it(tmp_path: Path, crops: bool) -> None:
    library = pytest.importorskip("datasets")
    plan = plan_of(tmp_path / "out", crops=crops, subsets=("train", "val"))
    forms = ("JPEG", "PNG")
    items = [
        crop(at, subset=plan.subsets[at % 2])
        if crops
        else photo(at, *[face()] * (at % 3), subset=plan.subsets[at % 2], form=forms[at // 2 % 2])
        for at in range(16)
    ]
    export(WebDataset, plan, items)
    found = library.load_dataset(str(plan.out), cache_dir=str(tmp_path / "cache"))

    assert {name: len(rows) for name, rows in found.items()} == {"train": 8, "validation": 8}
    key = "png" if crops else "jpg"
    assert [colour(row[key]) for row in found["train"]] == pytest.approx(range(0, 16, 2), abs=2)
    assert found["train"][1]["cls"] == (2 if crops else 1)
    assert found["train"][0]["json"]["width"] == 8
