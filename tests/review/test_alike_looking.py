"""A face is seen as `classify` saw it: what the model makes of it now is what stands in the table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Folder

from labeler import pipeline, storage
from labeler.inference import bundle
from labeler.inference.classifier import Classifier
from labeler.records import Faces, Row, Settings
from labeler.review.coding import _sample
from labeler.review.looking import Numbered, Reader, Seen

PHOTOS = ROOT / "examples" / "photos"


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(bundle.find(""))


def labelled(folder: Path, faces: Faces = Faces.AUTO) -> list[Row]:
    rows = list(pipeline.label([folder], Settings(faces=faces)))
    return [row for row in rows if row.probabilities]


def seen(classifier: Classifier, folder: Path, rows: list[Row], faces: Faces = Faces.AUTO) -> list[Seen]:
    reader = Reader(classifier.predict, storage.at(str(folder)), 10**8, faces)
    return list(reader.seen([Numbered(number, row) for number, row in enumerate(rows)], 2))


@pytest.mark.parametrize("faces", [Faces.AUTO, Faces.WHOLE])
def test_the_model_says_again_what_stands_in_the_table(classifier: Classifier, faces: Faces) -> None:
    rows = labelled(PHOTOS, faces)
    found = seen(classifier, PHOTOS, rows, faces)
    numbers = [number for some in found for number in some.numbers]
    again = np.concatenate([some.features for some in found])

    assert len(rows) > 5
    assert numbers == list(range(len(rows)))
    assert np.abs(again - np.array([row.probabilities for row in rows])).max() < 1e-4
    assert all(same for some in found for same in some.as_labelled)


def test_a_photo_of_another_size_is_not_seen(classifier: Classifier, folder: Folder) -> None:
    folder.noise("a.png", seed=1, side=90)
    rows = labelled(folder.path, Faces.WHOLE)
    folder.noise("a.png", seed=1, side=40)
    (found,) = seen(classifier, folder.path, rows, Faces.WHOLE)

    assert (found.numbers, found.tried) == ([], 1)


def test_a_sample_is_of_whole_files_and_always_the_same() -> None:
    files = np.repeat(np.arange(500), np.arange(500) % 4 + 1)
    chosen = _sample(files, 100)

    assert 100 <= chosen.sum() < 104
    assert not set(files[chosen]) & set(files[~chosen])
    assert np.array_equal(chosen, _sample(files, 100))
    assert _sample(files, 10**6).all()
    assert not len(_sample(np.zeros(0, np.int64), 10))
