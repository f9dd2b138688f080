"""Parquet with the pictures' bytes, for `datasets`, DuckDB and polars."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet
import pytest
from export_items import CLASS_NAMES, HOSTILE, colour, crop, export, face, files, photo, picture, plan_of
from PIL import Image

from labeler.exports import parquet
from labeler.exports.item import Item, Plan
from labeler.exports.parquet import Parquet


def photos(plan: Plan) -> list[Item]:
    subsets = plan.subsets or ("",)
    faces = [(), (face(0, "sad"), face(1, "angry", x=5.0, face_score=None)), (face(),)]
    return [photo(at, *faces[at % 3], subset=subsets[at % len(subsets)]) for at in range(6)]


def test_a_row_of_a_crop(tmp_path: Path) -> None:
    export(Parquet, plan_of(tmp_path), [crop(4)])

    assert pyarrow.parquet.read_table(tmp_path / "data" / "train-00000.parquet").to_pylist() == [
        {
            "image": {"bytes": picture(4), "path": "4.png"},
            "label": 1,
            "label_name": "happy",
            "file": "photos/4.png",
            "width": 8,
            "height": 8,
            "face": 1,
            "score": 0.75,
            "face_score": None,
            "probabilities": [0.125, 0.75, 0.125],
        }
    ]


def test_a_row_of_a_photo(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, crops=False)
    export(Parquet, plan, photos(plan))
    none, two = pyarrow.parquet.read_table(tmp_path / "data" / "train-00000.parquet").to_pylist()[:2]

    assert (none["label"], none["label_name"]) == (None, None)
    assert none["objects"] == {"bbox": [], "categories": [], "scores": [], "face_scores": []}
    assert (two["label"], two["label_name"]) == (2, "sad")
    assert two["objects"] == {
        "bbox": [[1.0, 2.0, 3.5, 4.0], [5.0, 2.0, 3.5, 4.0]],
        "categories": [2, 0],
        "scores": [0.75, 0.75],
        "face_scores": [0.5, None],
    }


def test_row_groups_are_bounded_by_the_bytes_of_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_GROUP_BYTES", 3 * len(picture(0)) + 5)
    export(Parquet, plan_of(tmp_path), [crop(0), crop(1), crop(2), crop(3), crop(4, side=300), crop(5)])
    found = pyarrow.parquet.ParquetFile(tmp_path / "data" / "train-00000.parquet").metadata

    assert [found.row_group(at).num_rows for at in range(found.num_row_groups)] == [3, 1, 1, 1]


def test_the_same_items_give_the_same_bytes(tmp_path: Path) -> None:
    for out in ("a", "b"):
        export(Parquet, plan_of(tmp_path / out), [crop(number) for number in range(50)])

    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_pictures_that_stay_in_place_are_named(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out", crops=False, mode=None, root="/photos")
    export(Parquet, plan, [Item(number=0, name="1.jpg", file="a/1.jpg", label="", width=8, height=8, faces=())])

    (row,) = pyarrow.parquet.read_table(plan.out / "data" / "train-00000.parquet").to_pylist()
    assert row["image"] == {"bytes": None, "path": "/photos/a/1.jpg"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    plan = plan_of(tmp_path / "out", subsets=("train", "val"))
    export(Parquet, plan, [crop(at, name, subset=plan.subsets[at % 2]) for at, name in enumerate(HOSTILE)])
    return plan.out


def test_datasets_finds_the_types(out: Path) -> None:
    """The metadata is what `datasets` itself writes; it is loaded below."""
    schema = pyarrow.parquet.read_schema(out / "data" / "val-00000.parquet")
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]

    assert features["image"] == {"_type": "Image"}
    assert features["label"] == {"names": list(CLASS_NAMES), "_type": "ClassLabel"}


def test_datasets_reads_crops(out: Path, tmp_path: Path) -> None:
    library = pytest.importorskip("datasets")
    found = library.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    train = found["train"]

    assert set(found) == {"train", "validation"}
    assert (type(train.features["image"]).__name__, train.features["label"].names) == ("Image", list(CLASS_NAMES))
    assert [colour(row["image"]) for row in train] == list(range(0, len(HOSTILE), 2))
    assert train["label"][:] == [at % 3 for at in range(0, len(HOSTILE), 2)]


def test_datasets_reads_photos(tmp_path: Path) -> None:
    library = pytest.importorskip("datasets")
    plan = plan_of(tmp_path / "out", crops=False)
    export(Parquet, plan, photos(plan))
    found = library.load_dataset(str(plan.out), split="train", cache_dir=str(tmp_path / "cache"))

    assert found.features["objects"]["categories"].feature.names == list(CLASS_NAMES)
    assert found[1]["objects"]["bbox"] == [[1.0, 2.0, 3.5, 4.0], [5.0, 2.0, 3.5, 4.0]]
    assert found[1]["image"].size == (8, 8)


def test_duckdb_reads_it(out: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    query = "select image.bytes, label_name, file, probabilities[2] from read_parquet(?)"
    with duckdb.connect() as connection:
        rows = connection.execute(query, [str(out / "data" / "*.parquet")]).fetchall()

    assert sorted(colour(Image.open(io.BytesIO(content))) for content, *_ in rows) == list(range(len(HOSTILE)))
    assert len({file for _, _, file, _ in rows}) == len(HOSTILE)
    assert {(name, share) for _, name, _, share in rows} == {("angry", 0.125), ("happy", 0.75), ("sad", 0.125)}


def test_polars_reads_it(out: Path) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.read_parquet(out / "data" / "train-*.parquet")

    assert frame["image"].struct.field("bytes").to_list() == [picture(at) for at in range(0, len(HOSTILE), 2)]
    assert frame["label_name"].to_list() == [CLASS_NAMES[at % 3] for at in range(0, len(HOSTILE), 2)]
