"""Any network: its rows depend on its photo alone, whatever the batch, the number of workers and the engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from any_networks import convolutional, quantised, transformer
from conftest import ROOT, Folder
from PIL import Image

from labeler import pipeline
from labeler.executors.executor import InProcess
from labeler.inference.classifier import Classifier
from labeler.job import Labelled
from labeler.parts import classify as parts
from labeler.parts import merge
from labeler.parts.order import Order
from labeler.records import Faces, Row, Settings, Status
from labeler.tables import reader

NETWORKS: dict[str, Callable[..., Path]] = {
    "convolutional": convolutional,
    "transformer": transformer,
    "quantised": quantised,
    "quantised when it is run": partial(quantised, dynamic=True),
}
PHOTOS = 21
"""More than two blocks, and no multiple of one."""


@pytest.fixture
def pictures(folder: Folder) -> Folder:
    """Pictures of all kinds of brightness, which a network that mixes images would not see the same way."""
    for number in range(PHOTOS - 1):
        pixels = np.random.default_rng(number).integers(0, 13 * number + 8, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder.path / f"{number:02}.png")
    folder.file("broken.jpg")
    return folder


@pytest.fixture(params=NETWORKS)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A bundle that was made by hand, so that its block is the usual one."""
    return NETWORKS[request.param](tmp_path / "made.onnx", 64, 4)


def settings(network: Path) -> Settings:
    return Settings(model=str(network), faces=Faces.WHOLE)


def by_itself(pictures: Folder, network: Path) -> list[Row]:
    """Return the rows of pictures that are labelled one by one."""
    return list(pipeline.label([pictures.path], settings(network), batch_size=1))


def test_rows_depend_on_no_batch_and_no_worker(pictures: Folder, made: Path) -> None:
    expected = by_itself(pictures, made)

    assert len({row.probabilities for row in expected}) == PHOTOS
    for workers, batch_size in ((1, 3), (1, 64), (2, 5)):
        found = list(pipeline.label([pictures.path], settings(made), workers, batch_size))
        assert found == expected, f"{workers} workers, batches of {batch_size}"


def test_parts_are_the_rows_of_the_table(pictures: Folder, made: Path, tmp_path: Path) -> None:
    inputs, how = (pictures.path,), settings(made)
    table, out = tmp_path / "t.csv", f"{tmp_path / 'parts'}/"
    here: InProcess[Labelled] = InProcess()
    pipeline.classify(pipeline.Job(inputs=inputs, out=table, settings=how, batch_size=64, executor=here))
    parts.classify(Order(inputs=inputs, out=out, settings=how, batch_size=2, unit_files=7, executor=here))
    merge.merge(out, tmp_path / "merged.csv")

    assert (tmp_path / "merged.csv").read_bytes() == table.read_bytes()
    assert [row.probabilities for row in reader.read(table)] == [row.probabilities for row in by_itself(pictures, made)]


def test_a_network_that_mixes_the_images_of_a_run_is_given_one_at_a_time(tmp_path: Path) -> None:
    made = Classifier(quantised(tmp_path / "made.onnx", dynamic=True, block=8))
    pixels = np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    pixels[0] //= 8

    assert made.block == 1
    made.block, apart = 8, made.predict(pixels)
    assert np.abs(made.predict(pixels) - apart).max() > 1e-4, "it would not matter here"


@pytest.mark.parametrize("side", [16, 96, 640])
@pytest.mark.parametrize("kind", ["convolutional", "transformer"])
def test_photos_are_labelled_by_networks_of_any_side(tmp_path: Path, kind: str, side: int) -> None:
    network = NETWORKS[kind](tmp_path / "made.onnx", side, 3)
    photos = ROOT / "examples" / "photos" / "portraits"
    rows = list(pipeline.label([photos], Settings(model=str(network))))

    assert {row.status for row in rows} == {Status.OK}
    assert len({row.probabilities for row in rows}) == len(rows) == 3
