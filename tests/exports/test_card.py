"""The card of a data set."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import blind
import pytest
from export_items import HOSTILE, colour, crop, export, face, photo, plan_of
from odd_rows import record_of

from labeler.certify import certified
from labeler.exports.card import Counts, card
from labeler.exports.imagefolder import ImageFolder
from labeler.exports.item import Item, Plan

FIGURES = {
    "data": "FER-2013 PublicTest",
    "against": "the majority of FER+",
    "n": 3113,
    "accuracy": 0.8612,
    "accuracy_interval": [0.8486, 0.8729],
    "macro_f1": 0.7296,
}


def counted(items: list[Item]) -> Counts:
    counts = Counts()
    for item in items:
        counts.add(item)
    return counts


def head(text: str) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def with_figures(plan: Plan, figures: dict[str, Any]) -> Plan:
    return replace(plan, record=replace(plan.record, model_figures=figures))


def test_the_head_is_what_hugging_face_reads(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out", format="parquet", subsets=("train", "val"))
    items = [crop(at, subset=plan.subsets[at % 2]) for at in range(8)]

    assert head(card(plan, counted(items))) == {
        "pretty_name": "t",
        "license": "unknown",
        "annotations_creators": ["machine-generated"],
        "task_categories": ["image-classification"],
        "size_categories": ["n<1K"],
        "tags": ["facial-expression-recognition", "emotion", "labeler"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "data/train-*.parquet"},
                    {"split": "validation", "path": "data/val-*.parquet"},
                ],
            }
        ],
    }


@pytest.mark.parametrize(
    ("total", "size"),
    [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (1_000_000, "1M<n<10M")],
)
def test_the_category_of_size(tmp_path: Path, total: int, size: str) -> None:
    counts = Counts()
    counts.pictures["", "happy"] = total

    assert head(card(plan_of(tmp_path), counts))["size_categories"] == [size]


def test_it_says_how_many_by_class_and_subset(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, subsets=("train", "val"))
    text = card(plan, counted([crop(at, subset="val" if at == 4 else "train") for at in range(5)]))

    assert (
        """
| class | train | val | all |
| --- | --- | --- | --- |
| angry | 2 | 0 | 2 |
| happy | 1 | 1 | 2 |
| sad | 1 | 0 | 1 |
| all | 4 | 1 | 5 |
"""
        in text
    )
    assert "could not be read and are" not in text


def test_photos_without_a_class_are_counted_as_such(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, crops=False)
    counts = counted([photo(0), photo(1, face(), face(1))])
    counts.left_out = 3
    text = card(plan, counts)

    assert "2 photos with 2 faces, labelled with one of 3 classes" in text
    assert "| no class | 1 |\n| all | 2 |\n" in text
    assert "3 more could not be read and are left out." in text
    assert head(text)["task_categories"] == ["object-detection", "image-classification"]


def test_it_says_what_the_model_was_measured_on(tmp_path: Path) -> None:
    text = card(with_figures(plan_of(tmp_path), FIGURES), Counts())

    assert "Measured on FER-2013 PublicTest against the majority of FER+, n = 3113:" in text
    assert "| accuracy | 0.861 (95%: 0.849 to 0.873) |\n| macro-F1 | 0.730 |\n" in text
    assert "The model says nothing" in card(plan_of(tmp_path), Counts())


def test_it_says_how_right_the_labels_are_where_a_sample_was_looked_at_blind(tmp_path: Path) -> None:
    table = blind.write(tmp_path / "t.csv")
    table.answer(100)
    found = certified.of_table(table.path)
    assert found
    plan = plan_of(tmp_path)
    text = card(replace(plan, record=replace(plan.record, certificate=found.as_json())), Counts())
    now = found.certificate.now.accuracy

    assert f"\n{found.sentence()}.\nThat is of the labels as the model gave them" in text
    assert f"\nAs corrected by persons, {certified.share(now)} were right then ({certified.interval(now)}).\n" in text


@pytest.mark.parametrize(
    "certificate",
    [
        None,
        {},
        {"sentence": "too few cards", "model": {"accuracy": {"value": None}}},
        {"sentence": ["<b>"], "model": {"accuracy": {"value": 0.9}}},
        {"sentence": "", "model": {"accuracy": {"value": 0.9}}},
        {"sentence": "90%", "model": ["accuracy"], "now": 1},
    ],
)
def test_without_a_figure_of_a_sample_it_says_nothing_of_one(tmp_path: Path, certificate: Any) -> None:
    plan = plan_of(tmp_path)

    assert card(replace(plan, record=replace(plan.record, certificate=certificate)), Counts()) == card(plan, Counts())


def test_a_hostile_certificate_is_text(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    hostile = {"sentence": "<img> | `[a](b)`\n# b", "model": {"accuracy": {"value": 0.9}}, "now": {"accuracy": []}}
    text = card(replace(plan, record=replace(plan.record, certificate=hostile)), Counts())

    assert "&lt;img&gt; \\| \\`\\[a\\](b)\\`\\\\n# b." in text
    assert "As corrected" not in text


def test_it_names_no_folder_of_the_users(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out", table=tmp_path / "secret" / "holiday.csv")
    record = replace(plan.record, model="/home/anna/model.onnx", settings={"save_crops": "/home/anna/faces"})
    text = card(replace(plan, record=record), Counts())

    assert "holiday" in text
    assert "model.onnx" in text
    assert [word for word in ("secret", "anna", "/photos") if word in text] == []


def test_hostile_names_are_text(tmp_path: Path) -> None:
    table = tmp_path / os.fsdecode(b'# a\n---\n<script>"|\xff.csv')
    plan = with_figures(plan_of(tmp_path, table=table), FIGURES | {"data": "<img onerror=x> | `[a](b)`\n# b"})
    text = card(plan, Counts())

    assert head(text)["pretty_name"] == '# a\\n---\\n<script>"|\\udcff'
    assert '# # a\\\\n---\\\\n&lt;script&gt;"\\|\\\\udcff\n' in text
    assert "&lt;img onerror=x&gt; \\| \\`\\[a\\](b)\\`\\\\n# b" in text
    assert text.encode()


def test_datasets_finds_the_subsets_by_the_card(tmp_path: Path) -> None:
    """One of the hostile names has folders called `test` and `validation`."""
    library = pytest.importorskip("datasets")
    plan = plan_of(tmp_path / "out", crops=False, format="imagefolder")
    items = [photo(at, face(), name=name, form="PNG") for at, name in enumerate(HOSTILE)]
    export(ImageFolder, plan, items)
    (plan.out / "README.md").write_text(card(plan, counted(items)), "utf-8")
    found = library.load_dataset(str(plan.out), cache_dir=str(tmp_path / "cache"))

    assert {name: [colour(row["image"]) for row in rows] for name, rows in found.items()} == {
        "train": list(range(len(HOSTILE)))
    }


def test_a_model_of_anything_else_is_not_said_to_be_of_expressions(tmp_path: Path) -> None:
    plan = replace(plan_of(tmp_path / "out"), record=record_of(("bare", "mask")))
    text = card(plan, counted([]))

    assert head(text)["tags"] == ["image-classification", "labeler"]
    assert "labelled with one of 2 classes by the model" in text
    assert "A label says what a picture looks like to a model" in text
    assert "expression" not in text
    assert "emotion" not in text
