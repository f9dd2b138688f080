"""What is gathered of a table: every row is counted once, and what is kept is bounded."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple

import numpy as np
import pytest

from labeler.errors import NoPicturesError
from labeler.evaluation import metrics
from labeler.evaluation import truth as evaluated
from labeler.records import UNCERTAIN, Row, Status
from labeler.report import aggregates, truth
from labeler.report.aggregates import OTHERS, Aggregates, gather
from labeler.report.choice import Best, Sampled
from labeler.report.truth import Judged

CLASSES = ("angry", "happy", "sad")


def some_rows(count: int, seed: int = 1) -> Iterator[Row]:
    """Yield the rows of photos with no face, one or several; some failed, damaged or uncertain."""
    draw = random.Random(seed)
    for number in range(count):
        row = Row(f"{draw.choice(CLASSES)}/{number:05}.jpg", image_width=800, image_height=600)
        kind = draw.random()
        if kind < 0.1:
            yield row.without_label(Status.NO_FACE, "no face was found")
        elif kind < 0.2:
            yield row.without_label(Status.UNREADABLE, f"image file is truncated ({number} bytes not processed)")
        else:
            for index in range(draw.choice((1, 1, 2, 7))):
                shares = [draw.random() ** 3 for _ in CLASSES]
                shares = [share / sum(shares) for share in shares]
                face = row._replace(face=index, x=1.0, y=1.0, width=draw.uniform(20, 1200), height=20.0)
                face = face._replace(face_score=None if draw.random() < 0.3 else draw.random())
                labelled = face.labelled(tuple(shares), CLASSES, 0.4)
                yield labelled.damaged("data is lost") if kind < 0.25 else labelled


ROWS = list(some_rows(2000))
FACES = [row for row in ROWS if row.label]


def gathered(rows: list[Row] = ROWS, **options: object) -> Aggregates:
    return gather(rows, Aggregates(CLASSES, **options))  # type: ignore[arg-type]


def test_every_file_and_every_face_is_counted_once() -> None:
    found = gathered()
    statuses = Counter(row.status for row in ROWS if not row.face)

    assert (found.files, found.faces) == (2000, len(FACES))
    assert found.statuses == statuses
    assert found.labels == Counter(row.label for row in FACES)
    assert sum(map(sum, found.scores.values())) == sum(found.sizes) == len(FACES)
    assert sum(map(sum, found.grid)) + found.whole == len(FACES)
    assert sum(found.photos_by_faces) == 2000 - statuses[Status.UNREADABLE]
    assert sum(folder.photos for folder in found.folders.values()) == 2000
    assert sum(folder.labels.total() for folder in found.folders.values()) == len(FACES)


def test_histograms_hold_what_belongs_there() -> None:
    found = gathered()
    scores = np.histogram([row.score for row in FACES if row.label == "happy"], aggregates.SCORE_BINS, (0, 1))[0]
    sizes = np.histogram([row.width for row in FACES], [*aggregates.SIZES, np.inf])[0]
    both = [(row.face_score, row.score) for row in FACES if row.face_score is not None]
    grid = np.histogram2d(*zip(*both, strict=True), aggregates.GRID_BINS, ((0, 1), (0, 1)))[0]
    per_photo = Counter(Counter(row.file for row in FACES).values())

    assert found.scores["happy"] == scores.tolist()
    assert found.sizes == sizes.tolist()
    assert found.grid == grid.tolist()
    assert found.photos_by_faces[:7] == [found.statuses["no_face"], per_photo[1], per_photo[2], 0, 0, 0, per_photo[7]]


def test_the_surest_the_least_sure_and_a_sample_of_each_label_are_kept() -> None:
    found = gathered(samples=5).picked["happy"]
    scores = sorted(row.score or 0 for row in FACES if row.label == "happy" and row.status is Status.OK)

    assert [row.score for row in found.surest.rows()] == scores[:-6:-1]
    assert [row.score for row in found.least_sure.rows()] == scores[:5]
    assert len({(row.file, row.face) for row in found.sample.rows()}) == 5
    assert all(row.label == "happy" for row in found.sample.rows())


def test_the_earlier_of_equal_rows_is_kept() -> None:
    best = Best(2)
    for file in "abcd":
        best.offer(1.0, Row(file))

    assert [row.file for row in best.rows()] == ["a", "b"]


def test_a_sample_depends_on_names_and_seed_alone_and_grows() -> None:
    def sample(rows: list[Row], most: int, seed: int = 0) -> list[tuple[str, int | None]]:
        found = Sampled(most, seed)
        for row in rows:
            found.offer(row)
        return [(row.file, row.face) for row in found.rows()]

    ten = sample(FACES, 10)

    assert sample(FACES[::-1], 10) == ten == sample(FACES, 20)[:10]
    assert sample(FACES, 10, seed=1) != ten


def test_pairs_of_classes_are_counted_where_they_are_close() -> None:
    shares = [(0.5, 0.4, 0.1), (0.4, 0.5, 0.1), (0.4, 0.4, 0.2), (0.1, 0.45, 0.45), (0.7, 0.2, 0.1), (1.0, 0.0, 0.0)]
    rows = [Row(f"{place}.jpg", 0).labelled(one, CLASSES, 0) for place, one in enumerate(shares)]
    found = gathered(rows)

    assert dict(found.pairs) == {("angry", "happy"): 3, ("happy", "sad"): 1}
    assert [row.file for row in found.pair_examples["angry", "happy"].rows()] == ["2.jpg", "0.jpg", "1.jpg"]


def test_reasons_that_differ_in_numbers_only_are_one() -> None:
    found = gathered()
    (truncated,) = [one for one in found.reasons.values() if one.status is Status.UNREADABLE]

    assert truncated.count == found.statuses["unreadable"]
    assert len(truncated.names) == aggregates.NAMES
    assert {one.reason for one in found.reasons.values()} >= {"no face was found", "data is lost"}


def test_what_is_kept_is_bounded_whatever_a_table_holds() -> None:
    rows = []
    for number in range(5000):
        row = Row(f"folder{number}/a.jpg", 0, label="x" * number, score=0.5, width=9.0, height=9.0)
        reason = "".join(chr(97 + int(digit)) for digit in str(number))
        rows += [row, Row(f"{number}.jpg").without_label(Status.UNREADABLE, reason)]
    found = gathered(rows)

    assert (found.faces, found.labels.total(), found.statuses["unreadable"]) == (4999, 4999, 5000)
    assert len(found.labels) <= aggregates.MOST_LABELS + 1
    assert len(found.folders) <= aggregates.MOST_FOLDERS + 1
    assert len(found.reasons) <= aggregates.MOST_REASONS + 1
    assert sum(one.count for one in found.reasons.values()) == 5000
    assert found.labels[OTHERS] == 4999 - aggregates.MOST_LABELS


def test_folders_of_absolute_names_begin_below_the_root() -> None:
    found = gathered([Row("/data/photos/2019/a.jpg"), Row("/data/photos/b.jpg")], root="/data/photos")

    assert set(found.folders) == {"2019", ""}


def judged(rows: list[Row]) -> Judged:
    one = Judged(CLASSES, truth.of_folders, "the class folders")
    gathered(rows, judged=one)
    return one


def test_the_comparison_with_the_truth_is_that_of_evaluate() -> None:
    """`evaluate` computes its figures with scikit-learn, and from a list of all rows."""
    found, wanted = judged(ROWS).figures(), evaluated.of_folders(ROWS, CLASSES)

    assert found.confusion == wanted.confusion
    assert (found.n, found.accuracy, found.accuracy_interval) == (wanted.n, wanted.accuracy, wanted.accuracy_interval)
    assert found.macro_f1 == pytest.approx(wanted.macro_f1)
    assert found.macro_f1_interval == wanted.macro_f1_interval
    assert found.majority_baseline == wanted.majority_baseline
    for name, one in found.per_class.items():
        figures = wanted.per_class[name]
        assert (one.precision, one.recall, one.f1, one.support) == pytest.approx(astuple(figures))
        assert one.f1_interval[0] < one.f1 < one.f1_interval[1]
    assert wanted.confidence
    bins = judged(ROWS).bins
    assert [(one.n, one.right) for one in bins] == [(one.n, one.right) for one in wanted.confidence.reliability]
    assert [one.score for one in bins] == pytest.approx([one.score for one in wanted.confidence.reliability])


def test_every_face_is_compared_or_left_out_with_its_reason() -> None:
    found = judged(ROWS)

    assert found.figures().n + found.left_out.total() == len(ROWS)
    assert found.left_out[truth.FURTHER_FACE] == sum(bool(row.face) for row in ROWS)


def test_the_surest_mistakes_are_kept() -> None:
    found = [row.score or 0 for row in judged(ROWS).mistakes.rows()]
    wrong = sorted(
        max(row.probabilities)
        for row in FACES
        if row.face == 0 and row.status is Status.OK and row.most_probable(CLASSES) != row.file.split("/")[0]
    )

    assert found == wrong[: -truth.MISTAKES - 1 : -1]


def test_classes_that_the_model_lacks_are_named_and_left_out() -> None:
    rows = [Row(f"{folder}/a.jpg", 0).labelled((0.8, 0.1, 0.1), CLASSES, 0) for folder in ("angry", "cheerful")]
    found = judged([*rows, rows[0]._replace(file="b.jpg")])

    assert (found.figures().n, dict(found.unknown)) == (1, {"cheerful": 1})
    assert dict(found.left_out) == {truth.UNKNOWN: 1, truth.UNLABELLED: 1}


def test_nothing_to_compare_is_said() -> None:
    row = Row("cheerful/a.jpg", 0).labelled((0.8, 0.1, 0.1), CLASSES, 0)
    with pytest.raises(NoPicturesError, match=r"the model does not know cheerful. The classes are angry, happy, sad"):
        judged([row]).figures()


def test_an_uncertain_face_counts_with_its_most_probable_class() -> None:
    row = Row("sad/a.jpg", 0).labelled((0.3, 0.3, 0.4), CLASSES, 0.9)

    assert row.label == UNCERTAIN
    assert judged([row]).figures().accuracy == 1


def test_figures_are_compared_with_every_label_once_more() -> None:
    """An oracle for the figures that needs neither rows nor folders."""
    draw = np.random.default_rng(3)
    names = np.array(CLASSES)
    true, answers = names[draw.integers(0, 3, 500)], names[draw.integers(0, 2, 500)]
    rows = [
        Row(f"{one}/{place}.jpg", 0, label=answer, score=0.5)
        for place, (one, answer) in enumerate(zip(true, answers, strict=True))
    ]
    wanted = metrics.compare(true.tolist(), answers.tolist(), CLASSES)

    assert judged(rows).figures().confusion == wanted.confusion
    assert judged(rows).figures().per_class["sad"].precision_interval == (0, 1)
