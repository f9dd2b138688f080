"""The prior that probabilities assume: another one takes its place, or one line says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import CLASS_NAMES, Folder, make_bundle
from typer.testing import Result

from labeler import pipeline
from labeler.errors import LabelerError, ModelError
from labeler.inference import bundle, prior
from labeler.records import Settings
from labeler.tables import reader, run_record

PRIOR = (0.2, 0.5, 0.3)

Run = Callable[..., Result]


@pytest.fixture
def stating(tmp_path: Path) -> Path:
    """A bundle that states the prior of its probabilities."""
    return make_bundle(tmp_path / "stating.onnx", prior=PRIOR)


def probabilities(folder: Folder, model: Path, wanted: tuple[float, ...] = ()) -> np.ndarray:
    rows = pipeline.label([folder.path], Settings(model=str(model), prior=wanted))
    return np.array([row.probabilities for row in rows])


def test_the_card_states_the_prior(stating: Path, model: Path) -> None:
    assert (bundle.card(stating).prior, bundle.card(model).prior) == (PRIOR, ())


@pytest.mark.parametrize(
    "stated", [[0.5, 0.5], [0.5, 0.5, 0], [0.5, 0.6, 0.3], ["a", "b", "c"], [True, 1, 1], None, 1, {"a": 1}]
)
def test_a_card_with_another_prior_is_damaged(tmp_path: Path, stated: object) -> None:
    path = make_bundle(tmp_path / "m.onnx", prior=json.dumps(stated))
    with pytest.raises(ModelError, match="its prior is not a share above 0 for each class, with a sum of 1"):
        bundle.card(path)


def test_every_probability_is_that_of_the_wanted_shares(folder: Folder, stating: Path) -> None:
    for seed in range(6):
        folder.noise(f"{seed}.png", seed)
    wanted = (0.6, 0.1, 0.3)
    before, after = probabilities(folder, stating), probabilities(folder, stating, wanted)
    expected = before * wanted / PRIOR
    expected /= expected.sum(axis=1, keepdims=True)

    assert np.abs(after - expected).max() <= 3e-6  # The table rounds to six decimals.
    assert np.abs(after - before).max() > 0.1


def test_its_own_prior_changes_nothing(folder: Folder, stating: Path) -> None:
    folder.noise("a.png", 1)

    assert np.abs(probabilities(folder, stating) - probabilities(folder, stating, PRIOR)).max() <= 1e-6


def test_the_label_and_the_threshold_are_of_the_changed_probabilities(folder: Folder, stating: Path, run: Run) -> None:
    folder.noise("a.png", 1)
    out = folder.path.parent / "t.csv"
    shares = folder.path.parent / "shares.csv"
    shares.write_text("angry,1\nhappy,1\nsad,999998\n")
    command = ("classify", folder.path, "--out", out, "--model", stating, "--prior", shares, "--threshold", "0.9", "-q")
    assert run(*command).exit_code == 0
    (row,) = reader.read(out)

    assert (row.label, row.score == max(row.probabilities)) == ("sad", True)
    assert max(probabilities(folder, stating)[0]) < 0.9


def test_a_model_that_states_no_prior_is_refused_in_one_line(folder: Folder, model: Path, run: Run) -> None:
    folder.noise("a.png", 1)
    out = folder.path.parent / "t.csv"
    result = run("classify", folder.path, "--out", out, "--model", model, "--prior", "balanced")

    assert (result.exit_code, len(result.stderr.splitlines())) == (4, 1)
    assert "does not state the prior that its probabilities assume" in result.stderr
    assert not out.exists()


def test_without_the_option_a_model_needs_no_prior(model: Path) -> None:
    assert prior.wanted("trained", str(model)) == ()


def test_balanced_shares_are_equal(stating: Path) -> None:
    assert prior.wanted("balanced", str(stating)) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.csv", "class,share\nsad,0.5\nangry,0.25\nhappy,0.25\n"),
        ("s.csv", "\ufeffsad,200\r\n\r\nangry,100\r\nhappy,100\r\n"),
        ("s.CSV", '"sad", 2\n"angry", 1\n"happy", 1\n'),
        ("s.json", '{"sad": 2, "angry": 1, "happy": 1.0}'),
        ("shares", "sad,2\nangry,1\nhappy,1"),
    ],
)
def test_a_file_of_shares_or_counts_is_read(tmp_path: Path, stating: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")

    assert prior.wanted(str(tmp_path / name), str(stating)) == (0.25, 0.25, 0.5)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("s.csv", "sad,2\nangry,1\n", "lacks happy; give a number above 0 for each class"),
        ("s.csv", "sad,2\nangry,1\nhapy,1\nhappy,1\n", "names 'hapy'; the classes are angry, happy, sad"),
        ("s.csv", "sad,2\nangry,0\nhappy,1\n", "gives '0' for 'angry'; give a number above 0"),
        ("s.csv", "sad,2\nangry,many\nhappy,1\n", "gives 'many' for 'angry'; give a number above 0"),
        ("s.csv", "sad,2\nangry,nan\nhappy,1\n", "gives 'nan' for 'angry'"),
        ("s.csv", "sad,2\nsad,1\nhappy,1\n", "names 'sad' twice"),
        ("s.csv", "sad,2,3\n", "cannot be read: not every line has two cells; give lines of a class"),
        ("s.csv", "sad,0.0000001\nangry,1\nhappy,1\n", "a share for each of the 3 classes, at least 1e-06"),
        ("s.csv", "", "lacks angry, happy, sad"),
        ("s.csv", '"sad', "cannot be read: "),
        ("s.json", "[1, 2, 3]", "it is not one JSON object"),
        ("s.json", "3", "it is not one JSON object"),
        ("s.json", '{"sad": 1, "sad": 2}', "names 'sad' twice"),
        ("s.json", '{"sad": true}', "gives 'True' for 'sad'"),
        ("s.json", '{"sad": ', "cannot be read: "),
        ("s.csv", "s\x1b[2Jad,1\nangry,1\n", "names 's\\\\x1b[2Jad'"),
    ],
)
def test_a_bad_file_is_told_in_one_line(tmp_path: Path, stating: Path, name: str, content: str, told: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(LabelerError) as caught:
        prior.wanted(str(tmp_path / name), str(stating))

    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("given", ["balaced", "nowhere.csv"])
def test_what_is_no_file_is_told_with_the_choices(stating: Path, given: str) -> None:
    with pytest.raises(LabelerError, match=rf"--prior is trained, balanced or a file, and there is no {given}"):
        prior.wanted(given, str(stating))


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_what_cannot_be_read_as_text_is_told(tmp_path: Path, stating: Path, content: bytes | None) -> None:
    path = tmp_path / "s.csv"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(LabelerError, match=r"s\.csv cannot be read: "):
        prior.wanted(str(path), str(stating))


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.5, 0.4, 0.3), (1.0, 0.0, 0.0)])
def test_shares_that_are_none_are_refused_before_anything_is_labelled(
    folder: Folder, stating: Path, shares: tuple[float, ...]
) -> None:
    folder.noise("a.png", 1)
    with pytest.raises(LabelerError, match="the prior has to be a share for each of the 3 classes"):
        probabilities(folder, stating, shares)


def test_a_table_says_its_prior_and_is_continued_with_the_same_only(
    folder: Folder, stating: Path, tmp_path: Path, run: Run
) -> None:
    folder.noise("a.png", 1)
    command = ("classify", folder.path, "--out", tmp_path / "t.csv", "--model", stating, "-q")
    assert run(*command, "--prior", "balanced").exit_code == 0
    record = run_record.read(tmp_path / "t.csv")
    assert record is not None
    assert record.settings["prior"] == pytest.approx([1 / 3] * 3)
    folder.noise("b.png", 2)
    same, other = run(*command, "--prior", "balanced"), run(*command)

    assert same.exit_code == 0
    assert other.exit_code == 2
    assert "--prior was 0.333333333, 0.333333333, 0.333333333, is trained" in other.stderr


def test_a_table_without_a_prior_is_not_continued_with_one(
    folder: Folder, stating: Path, tmp_path: Path, run: Run
) -> None:
    folder.noise("a.png", 1)
    command = ("classify", folder.path, "--out", tmp_path / "t.csv", "--model", stating, "-q")
    assert run(*command).exit_code == 0
    record = run_record.read(tmp_path / "t.csv")
    result = run(*command, "--prior", "balanced")

    assert record is not None
    assert "prior" not in record.settings  # As in the records of earlier versions, whose tables go on.
    assert result.exit_code == 2
    assert "--prior was trained, is 0.333333333" in result.stderr


def test_evaluate_and_sort_take_it_too(folder: Folder, stating: Path, tmp_path: Path, run: Run) -> None:
    for seed, name in enumerate(CLASS_NAMES * 2):
        folder.noise(f"{name}/{seed}.png", seed)
    (tmp_path / "s.json").write_text(json.dumps({"angry": 1, "happy": 1, "sad": 999998}))
    about = ("--model", stating, "--prior", tmp_path / "s.json", "--workers", "1")
    judged = run("evaluate", folder.path, *about, "--json", "--quiet")
    sorted_ = run("sort", folder.path, "--into", tmp_path / "sorted", *about, "--quiet")

    assert json.loads(judged.stdout)["per_class"]["sad"]["recall"] == 1
    assert sorted_.exit_code == 0, sorted_.output
    assert [path.name for path in (tmp_path / "sorted").iterdir() if path.is_dir()] == ["sad"]
