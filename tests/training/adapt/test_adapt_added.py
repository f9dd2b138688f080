"""What follows a review works with networks that people bring: other sides, margins, classes and operators."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from any_networks import convolutional, quantised, transformer
from blind import Blind
from PIL import Image
from reviewing import event
from typer.testing import Result

from labeler.certify import certified
from labeler.certify.draw import Draw
from labeler.errors import ModelError
from labeler.inference import bundle, embeddings
from labeler.inference.classifier import Classifier
from labeler.labeling import BatchLabeler
from labeler.records import Faces, Resize, Settings
from labeler.review import prepare
from labeler.review.review import ReviewSettings, task_of
from labeler.review.task import Task
from labeler.tables import index, reader
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.watched import unwatched
from training.adapt import faces

Run = Callable[..., Result]

SIDE, CARDS, REVIEWED = 96, 120, 120
TWO = ("bare", "mask")
TEN = tuple(f"age {10 * number}" for number in range(10))

NETWORKS = pytest.mark.parametrize(
    ("make", "names"), [(convolutional, TWO), (transformer, TEN), (quantised, TWO)], ids=["conv", "vit", "int8"]
)


def photos_of(folder: Path, count: int) -> Path:
    """Make pictures of 60x48 pixels; every other one is brighter."""
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 120, (48, 60, 3)) + 100 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:03}.png")
    return folder


def reviewed(table: Path, names: tuple[str, ...]) -> None:
    """Say of every face what it is, of the first cards blind: the first class of dark ones, else the second."""
    rows = list(reader.read(table))
    cards = Blind(path=table, truth=()).cards(CARDS)
    others = [row for row in range(len(rows)) if row not in set(cards)]
    view = Draw.of(index.load(table)).view
    for second, numbers, about in ((0, cards, {"view": view, "shown": False}), (100, others, {})):
        Log.of(table).append(
            event(
                names[int(rows[number].file[:-4]) % 2],
                second + at / 100,
                file=rows[number].file,
                box=box_of(rows[number]),
                version=rows[number].version,
                old=rows[number].label,
                action=(second, at),
                **about,
            )
            for at, number in enumerate(numbers)
        )


@NETWORKS
def test_a_table_of_an_added_network_is_certified_calibrated_and_adapted(
    make: Callable[..., Path], names: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    photos = photos_of(tmp_path / "photos", CARDS + REVIEWED)
    model, table = make(tmp_path / "any.onnx", SIDE, len(names), class_names=names), tmp_path / "t.csv"
    assert run("classify", photos, "--out", table, "--model", model, "--faces", "whole", "-q").exit_code == 0
    reviewed(table, names)
    page = tmp_path / "report.html"
    assert run("report", table, "--out", page, "--no-pictures", "-q").exit_code == 0
    told = certified.of_table(table)
    assert told
    assert told.sentence() in html.unescape(page.read_text("utf-8"))
    assert "expression" not in page.read_text("utf-8")
    calibrated = ("--out", tmp_path / "c.csv", "--model-out", tmp_path / "c", "--model", model, "--quiet")
    result = run("calibrate", table, *calibrated)
    helped = "the scores stay as they are" not in result.output
    assert result.exit_code == (0 if helped else 1), result.output
    result = run("adapt", table, "--out", tmp_path / "mine", "--model", model, "--json", "--progress", "none")
    assert result.exit_code == 0, result.output
    card = bundle.card(tmp_path / "mine" / "model.onnx")

    assert (card.class_names, card.input_size) == (names, SIDE)
    assert json.loads(result.stdout)["accuracy"][1] > 0.95
    for made in ("c", "mine") if helped else ("mine",):
        out = tmp_path / f"{made}-again.csv"
        arguments = ("--out", out, "--model", tmp_path / made, "--faces", "whole", "-q")
        assert run("classify", photos, *arguments).exit_code == 0
    right = [row.label == names[int(row.file[:-4]) % 2] for row in reader.read(tmp_path / "mine-again.csv")]
    assert np.mean(right) > 0.95


def test_faces_are_embedded_as_they_were_labelled(run: Run, tmp_path: Path) -> None:
    """Other ways to make a square give other pixels, and other embeddings."""
    photos = photos_of(tmp_path / "photos", 6)
    model, table = convolutional(tmp_path / "any.onnx", SIDE, 2, class_names=TWO), tmp_path / "t.csv"
    assert run("classify", photos, "--out", table, "--model", model, "--faces", "whole", "-q").exit_code == 0
    record = Path(f"{table}.run.json")
    about = json.loads(record.read_text("utf-8"))
    found = {}
    for resize in (None, Resize.CROP):
        about["settings"]["resize"] = resize
        record.write_text(json.dumps(about), "utf-8")
        seen = faces.look(table, set(range(6)), model, str(photos), unwatched, 1)
        settings = Settings(model=str(model), root=str(photos), faces=Faces.WHOLE, resize=resize)
        looker = BatchLabeler(settings).looker
        pixels = np.stack([looker(f"{number:03}.png").faces[0][1] for number in range(6)])
        found[resize] = seen.embeddings

        assert np.allclose(seen.embeddings, embeddings.network(model)(pixels), atol=1e-5)

    assert not np.allclose(found[None], found[Resize.CROP], atol=1e-3)


@NETWORKS
def test_faces_of_an_added_network_are_arranged(
    make: Callable[..., Path], names: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    photos = photos_of(tmp_path / "photos", 40)
    model, table = make(tmp_path / "any.onnx", SIDE, len(names), class_names=names), tmp_path / "t.csv"
    assert run("classify", photos, "--out", table, "--model", model, "--faces", "whole", "-q").exit_code == 0
    folder = tmp_path / "cache"
    task = Task(
        table=str(table), model=str(model), root=str(photos), folder=str(folder), max_pixels=10**8, faces="whole"
    )
    prepare.prepare(task, lambda _: None)
    assert Classifier(model).card.view.side == SIDE
    assert task.ranks_file().exists()
    assert len(list(folder.glob("alike-*.codes"))) == 1


def test_the_review_takes_the_model_that_is_named_and_no_other(run: Run, tmp_path: Path) -> None:
    photos = photos_of(tmp_path / "photos", 4)
    model, table = convolutional(tmp_path / "any.onnx", SIDE, 2, class_names=TWO), tmp_path / "t.csv"
    assert run("classify", photos, "--out", table, "--model", model, "--faces", "whole", "-q").exit_code == 0
    settings = ReviewSettings(table=table, reviewer="ann", model=str(model))
    task = task_of(settings, str(photos))

    assert task
    assert task.model == str(model)
    assert task_of(replace(settings, model=""), str(photos)) is None
    with pytest.raises(ModelError, match="is another model than any, which labelled"):
        task_of(replace(settings, model="default"), str(photos))
