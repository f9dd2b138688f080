"""A model is adapted by the reviews of a table: a better one is written, and else nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from blind import Blind
from conftest import CLASS_NAMES, make_bundle
from onnxruntime.quantization import QuantFormat, quantize_static
from PIL import Image
from reviewing import event
from typer.testing import CliRunner, Result

from labeler.certify.draw import Draw
from labeler.cli.app import app
from labeler.inference import bundle
from labeler.inference.classifier import Classifier
from labeler.records import Row
from labeler.tables import index, reader
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import CONSENSUS, path_of
from labeler.tables.verdicts import verdict
from training.adapt import adapt as adapting
from training.adapt import faces

Run = Callable[..., Result]

PHOTOS, CARDS, REVIEWED = 300, 120, 150


class Case:
    """A table of photos in which the place of a bright band is the class, which its model does not see."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.photos, self.table = folder, folder / "photos", folder / "t.csv"
        self.model = folder / "model.onnx"

    @property
    def rows(self) -> list[Row]:
        return list(reader.read(self.table))

    def truth(self, row: Row) -> str:
        return CLASS_NAMES[int(row.file[:-4]) % len(CLASS_NAMES)]

    @property
    def cards(self) -> list[int]:
        return Blind(path=self.table, truth=()).cards(CARDS)

    def blind(self, said: Callable[[Row], str], count: int = CARDS, second: float = 0) -> None:
        """Answer the first cards."""
        view = Draw.of(index.load(self.table)).view
        self.say(self.cards[:count], said, second, view=view, shown=False)

    def review(self, said: Callable[[Row], str], count: int = REVIEWED, second: float = 100, **about: object) -> None:
        """Review faces that are no cards."""
        cards = set(self.cards)
        self.say([row for row in range(PHOTOS) if row not in cards][:count], said, second, **about)

    def say(self, numbers: list[int], said: Callable[[Row], str], second: float, **about: object) -> None:
        rows = self.rows
        Log.of(self.table).append(
            event(
                said(rows[number]),
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

    def right(self, table: Path) -> float:
        return float(np.mean([row.label == self.truth(row) for row in reader.read(table)]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Case:
    case = Case(tmp_path_factory.mktemp("made"))
    case.photos.mkdir()
    make_bundle(case.model)
    random = np.random.default_rng(0)
    for number in range(PHOTOS):
        pixels = random.integers(0, 180, (48, 48, 3), dtype=np.uint8)
        third = 16 * (number % len(CLASS_NAMES))
        pixels[third : third + 16] += 60
        Image.fromarray(pixels).save(case.photos / f"{number:03}.png")
    arguments = ["classify", str(case.photos), "--out", str(case.table), "--model", str(case.model), "--quiet"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return case


@pytest.fixture
def case(made: Case, tmp_path: Path) -> Case:
    """A copy of the table without reviews; the photos are shared."""
    found = Case(tmp_path)
    for path in (made.table, Path(f"{made.table}.run.json"), made.model):
        shutil.copy(path, tmp_path)
    found.photos = made.photos
    return found


@pytest.fixture
def reviewed(case: Case) -> Case:
    """The same with blind cards and reviews, all of them true."""
    case.blind(case.truth)
    case.review(case.truth)
    return case


def always(label: str) -> Callable[[Row], str]:
    return lambda _: label


def adapt(run: Run, case: Case, *more: object) -> Result:
    return run("adapt", case.table, "--out", case.folder / "mine", "--model", case.model, "--progress", "none", *more)


def test_the_adapted_model_is_better_on_all_photos(reviewed: Case, run: Run) -> None:
    before = reviewed.table.read_bytes(), path_of(reviewed.table).read_bytes()
    result = adapt(run, reviewed, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    mine, out = reviewed.folder / "mine", reviewed.folder / "again.csv"
    assert run("classify", reviewed.photos, "--out", out, "--model", mine, "--quiet").exit_code == 0

    assert (told["written"], told["better"], told["faces"], told["cards"]) == (True, True, REVIEWED, CARDS)
    assert reviewed.right(reviewed.table) < 0.5
    assert reviewed.right(out) > 0.7
    assert told["accuracy"][1] > told["accuracy"][0] + 0.2
    assert told["log_loss"][1] < told["log_loss"][0]
    assert told["gain"]["accuracy"]["interval"][0] > 0
    assert {**json.loads((mine / "metrics.json").read_text()), "written": True} == told
    assert (reviewed.table.read_bytes(), path_of(reviewed.table).read_bytes()) == before


def test_the_card_of_the_bundle_says_what_it_was_made_of(reviewed: Case, run: Run) -> None:
    assert adapt(run, reviewed, "--quiet").exit_code == 0
    card, earlier = bundle.card(reviewed.folder / "mine" / "model.onnx"), bundle.card(reviewed.model)

    assert (card.name, card.class_names) == ("mine", CLASS_NAMES)
    assert card.adapted["faces"] == REVIEWED
    assert card.adapted["model_sha256"] == earlier.sha256
    assert card.training_data.endswith(f", then {REVIEWED} faces of t.csv")
    assert card.validation["n"] == CARDS
    low, high = card.validation["accuracy_interval"]
    assert low <= card.validation["accuracy"] <= high


def test_the_bundle_says_what_was_judged(reviewed: Case, run: Run) -> None:
    assert adapt(run, reviewed, "--quiet").exit_code == 0
    found = adapting.adapt(reviewed.table, reviewed.model)
    pixels = np.random.default_rng(5).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    flat = pixels.reshape(20, -1).astype(np.float32) / 255
    wanted = found.head(Classifier(reviewed.model).predict(pixels).astype(float).round(6), flat)

    assert np.abs(Classifier(reviewed.folder / "mine" / "model.onnx").predict(pixels) - wanted).max() < 1e-4


def test_nothing_is_learnt_from_the_blind_sample(case: Case) -> None:
    case.review(case.truth)
    case.blind(case.truth)
    true = adapting.adapt(case.table, case.model)
    case.blind(always(CLASS_NAMES[0]), second=200)
    lied = adapting.adapt(case.table, case.model)

    assert np.array_equal(true.head.kernel, lied.head.kernel)
    assert true.judged.after.accuracy > lied.judged.after.accuracy + 0.2


def test_a_model_that_is_not_better_is_not_written(case: Case, run: Run) -> None:
    """The reviews say what the model says."""
    case.blind(case.truth)
    case.review(lambda row: row.label)
    result = adapt(run, case, "--json")

    assert result.exit_code == 1
    assert "the gain is not certain: the model stays as it is, and nothing was written" in result.stderr
    assert (json.loads(result.stdout)["better"], json.loads(result.stdout)["written"]) == (False, False)
    assert not (case.folder / "mine").exists()
    with pytest.raises(Exception, match="not better for certain"):
        adapting.write(adapting.adapt(case.table, case.model), case.folder / "mine" / "model.onnx")


def test_without_enough_reviews_it_says_what_to_do(case: Case, run: Run) -> None:
    assert "has no reviews: show a random sample of it first: labeler review" in adapt(run, case).stderr
    case.review(case.truth, count=20)
    assert "nobody has looked at" in adapt(run, case).stderr
    case.blind(case.truth, count=30)
    assert "has 30 of at least 100 faces that were looked at blind" in adapt(run, case).stderr
    case.blind(case.truth, second=200)
    result = adapt(run, case)
    assert result.exit_code == 2
    assert "has 20 of at least 100 reviewed faces beside the blind sample" in result.stderr
    assert not (case.folder / "mine").exists()


def test_reviews_that_name_no_class_teach_nothing(case: Case, run: Run) -> None:
    case.blind(case.truth)
    case.review(always("uncertain"))
    assert "has 0 of at least 100 reviewed faces" in adapt(run, case).stderr
    case.review(always("not_a_face"), second=300)
    assert "has 0 of at least 100 reviewed faces" in adapt(run, case).stderr


def test_blind_answers_of_a_table_that_grew_are_no_judges(reviewed: Case, run: Run) -> None:
    with reviewed.table.open("a", encoding="utf-8") as file:
        last = reviewed.table.read_text().splitlines()[-1]
        file.write(last.replace("299.png", "300.png") + "\n")

    assert "blind answers beside" in adapt(run, reviewed).stderr


def test_photos_that_have_changed_or_gone_are_passed_over(reviewed: Case, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(reviewed.photos, moved)
    taught = [reviewed.rows[row].file for row in range(PHOTOS) if row not in set(reviewed.cards)]
    (moved / taught[0]).unlink()
    (moved / taught[1]).write_bytes(b"no picture")
    shutil.copy(moved / taught[2], moved / taught[3])
    found = adapting.adapt(reviewed.table, reviewed.model, str(moved))

    assert found.passed_over["cannot be read"] == 2
    assert found.passed_over["the photo is another one than when it was labelled"] == 1
    assert found.learnt == REVIEWED - 3
    assert "2 faces passed over: cannot be read" in "\n".join(found.lines())


def test_near_copies_of_a_face_that_judges_are_not_learnt_from(case: Case) -> None:
    photos = case.folder / "copied"
    shutil.copytree(case.photos, photos)
    cards = case.cards
    taught = [row for row in range(PHOTOS) if row not in set(cards)]
    for one, other in zip(taught[:5], cards[:5], strict=True):
        with Image.open(photos / case.rows[other].file) as picture:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / case.rows[one].file)
    made = case.table.with_name("copied.csv")
    run_classify(photos, made, case.model)
    case.table = made
    case.blind(case.truth)
    case.review(case.truth, count=PHOTOS)
    judges = {case.rows[row].file for row in case.cards}
    found = adapting.adapt(case.table, case.model)

    assert found.passed_over["near copy of a face that judges"] >= sum(
        (case.rows[one].file in judges) != (case.rows[other].file in judges)
        for one, other in zip(taught[:5], cards[:5], strict=True)
    )
    assert found.learnt + sum(found.passed_over.values()) == PHOTOS - CARDS


def run_classify(photos: Path, out: Path, model: Path) -> None:
    arguments = ["classify", str(photos), "--out", str(out), "--model", str(model), "--quiet"]
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_nothing_of_the_user_is_overwritten(reviewed: Case, run: Run) -> None:
    mine = reviewed.folder / "mine"
    mine.mkdir()
    (mine / "model.onnx").write_bytes(b"mine")
    result = adapt(run, reviewed)
    assert result.exit_code == 2
    assert "exists; choose another --out, or replace it with --overwrite" in result.stderr
    assert (mine / "model.onnx").read_bytes() == b"mine"
    assert adapt(run, reviewed, "--overwrite").exit_code == 0
    assert bundle.card(mine / "model.onnx").adapted
    file = reviewed.folder / "file"
    file.write_text("text")
    result = run("adapt", reviewed.table, "--out", file, "--model", reviewed.model)
    assert "is a file; name a folder with --out" in result.stderr


def test_another_model_than_that_of_the_table_is_refused(reviewed: Case, run: Run) -> None:
    result = run("adapt", reviewed.table, "--out", reviewed.folder / "mine", "--model", "default")

    assert result.exit_code == 4
    assert "is another model; name the model that labelled" in result.stderr


def test_an_adapted_model_can_be_adapted_again_and_calibrated_but_not_trained(reviewed: Case, run: Run) -> None:
    assert adapt(run, reviewed, "--quiet").exit_code == 0
    again, model = Case(reviewed.folder), reviewed.folder / "mine" / "model.onnx"
    again.table, again.photos, again.model = reviewed.folder / "again.csv", reviewed.photos, model
    run_classify(again.photos, again.table, model)
    again.blind(always(CLASS_NAMES[-1]))
    again.review(always(CLASS_NAMES[-1]))
    out = reviewed.folder / "twice"
    result = run("adapt", again.table, "--out", out, "--model", model, "--quiet")
    assert result.exit_code == 0, result.output
    last = reviewed.folder / "last.csv"
    run_classify(again.photos, last, out)

    assert {row.label for row in reader.read(last)} == {CLASS_NAMES[-1]}
    calibrated = ("--out", reviewed.folder / "c.csv", "--model-out", reviewed.folder / "c", "--model", model)
    assert run("calibrate", again.table, *calibrated, "--quiet").exit_code == 0
    trained = run("train", again.photos, "--labels", again.table, "--from", model, "--out", reviewed.folder / "run")
    assert trained.exit_code == 4
    assert "is what labeler adapt made of" in trained.stderr


@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
def test_a_quantised_model_can_be_adapted(reviewed: Case, run: Run, form: QuantFormat) -> None:
    case = Case(reviewed.folder)
    case.photos, case.table, case.model = reviewed.photos, case.folder / "q.csv", case.folder / "q.onnx"
    random = np.random.default_rng(1)
    shown = iter([{"pixels": random.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)} for _ in range(4)])
    source = SimpleNamespace(get_next=lambda: next(shown, None))
    quantize_static(reviewed.model, case.model, source, quant_format=form, op_types_to_quantize=["MatMul"])
    run_classify(case.photos, case.table, case.model)
    case.blind(case.truth)
    case.review(case.truth)
    assert adapt(run, case, "--quiet").exit_code == 0
    out = case.folder / "again.csv"
    run_classify(case.photos, out, case.folder / "mine")

    assert case.right(out) > case.right(case.table) + 0.2


def votes(*said: tuple[str, str, str]) -> list[float]:
    """Return the shares of (reviewer, label, view)."""
    events = (event(label, at, reviewer=who, view=view) for at, (who, label, view) in enumerate(said))
    return faces.votes(verdict(events), CLASS_NAMES)


def test_all_votes_count_and_a_consensus_is_the_only_one() -> None:
    assert votes(("ann", "sad", "grid")) == [0, 0, 1]
    assert votes(("ann", "sad", "grid"), ("bob", "angry", "grid"), ("cem", "sad", "grid")) == [1 / 3, 0, 2 / 3]
    assert votes(("ann", "sad", "grid"), ("ann", "happy", "grid")) == [0, 1, 0]
    assert votes(("ann", "sad", "grid"), ("bob", "angry", "grid"), ("bob", "angry", CONSENSUS)) == [1, 0, 0]
    assert votes(("ann", "sad", "grid"), ("bob", "uncertain", "grid"), ("cem", "sad", "grid")) == [0, 0, 1]
    assert votes(("ann", "not_a_face", "grid"), ("bob", "not_a_face", "grid"), ("cem", "sad", "grid")) == [0, 0, 0]
