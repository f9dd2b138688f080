"""A table is recalibrated by its blind sample: where that helps, in a new table and a bundle, and else not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import blind
import numpy as np
import odd_rows
import onnx
import pytest
from blind import Blind
from conftest import Folder, make_bundle
from reviewing import event
from typer.testing import Result

from labeler.certify import calibrate, cells, certified, recalibrated
from labeler.inference import bundle, embeddings
from labeler.inference.classifier import Classifier
from labeler.records import Face, Row
from labeler.tables import corrections, reader, run_record
from labeler.tables.matching import box_of
from labeler.tables.review_log import Log
from labeler.tables.reviews import path_of
from labeler.tables.writer import TableWriter

Run = Callable[..., Result]


@pytest.fixture
def table(tmp_path: Path) -> Blind:
    """A table whose scores are too high, 200 of its faces answered blind."""
    found = blind.write(tmp_path / "t.csv", 1200, seed=3)
    found.answer(200)
    return found


def quality(path: Path, truth: tuple[str, ...]) -> tuple[float, float]:
    """Return the log loss and the share of right labels of a table, of faces."""
    rows = list(reader.read(path))
    names = reader.class_names(path)
    pairs = [(row, wanted) for row, wanted in zip(rows, truth, strict=True) if wanted in names]
    losses = [-np.log(max(row.probabilities[names.index(wanted)], 1e-6)) for row, wanted in pairs]
    return float(np.mean(losses)), float(np.mean([row.label == wanted for row, wanted in pairs]))


def test_the_truth_of_a_table_is_that_of_its_rows(table: Blind) -> None:
    """Checks the helper: a truth in another order than the rows makes every answer a random one."""
    assert 0.7 < quality(table.path, table.truth)[1] < 0.9


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_scores_of_the_whole_table_become_better(table: Blind, run: Run, suffix: str) -> None:
    out = table.path.with_name(f"calibrated.{suffix}")
    result = run("calibrate", table.path, "--out", out, "--json")
    told = json.loads(result.stdout)

    assert result.exit_code == 0, result.output
    assert told["written"]
    assert quality(out, table.truth)[0] < quality(table.path, table.truth)[0] - 0.05
    assert told["log_loss"][1] < told["log_loss"][0]
    assert told["cards"] <= 200
    rows, others = list(reader.read(table.path)), list(reader.read(out))
    unchanged = [(row.file, row.face, row.x, row.status, row.version) for row in rows]
    assert [(row.file, row.face, row.x, row.status, row.version) for row in others] == unchanged
    assert all(abs(sum(row.probabilities) - 1) < 1e-5 and row.score == max(row.probabilities) for row in others)


def test_the_record_says_what_was_done_and_the_corrections_go_along(table: Blind, run: Run) -> None:
    out = table.path.with_name("calibrated.csv")
    run("calibrate", table.path, "--out", out, "--quiet")
    record = run_record.read(out)
    assert record
    assert record.calibrated
    assert record.certificate

    assert record.finished
    assert set(record.calibrated["offsets"]) == set(blind.NAMES)
    assert record.certificate["method"] == "cross-fitted"
    assert "cross-fitted from" in record.certificate["sentence"]
    made, corrected = corrections.of_table(table.path), corrections.of_table(out)
    assert made
    assert corrected
    assert made.files == corrected.files
    assert certified.of_table(out) is None
    found = certified.gather(out)
    assert found
    assert (found.earlier, len(found.cards)) == (200, 0)


def test_where_it_would_not_help_nothing_is_written(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 400)
    names = reader.class_names(table.path)
    rows = {row.file: row for row in reader.read(table.path)}
    random = np.random.default_rng(0)
    own = [
        names[random.choice(len(names), p=np.array(row.probabilities) / sum(row.probabilities))]
        for row in rows.values()
    ]
    Blind(path=table.path, truth=tuple(own)).answer(60)
    result = run("calibrate", table.path, "--out", tmp_path / "out.csv")

    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("out")) == []


def test_a_card_is_never_judged_by_a_fit_that_saw_it(table: Blind) -> None:
    """Twenty cards of random classes: fitted and judged on them, the scores would look better."""
    other = blind.write(table.path.with_name("u.csv"), 400, seed=5)
    random = np.random.default_rng(1)
    other.answer(20, said=lambda *_: blind.NAMES[random.integers(7)])
    found = recalibrated.fit(other.path)

    assert not found.helps or found.fitted.loss_after < found.fitted.loss_before
    assert len(found.fitted.held_out) == found.cards == 20


def test_a_label_that_somebody_changed_in_the_table_itself_stays(table: Blind, run: Run) -> None:
    lines = table.path.read_text("utf-8").splitlines(keepends=True)
    row = next(reader.read(table.path))
    other = "fear" if row.label != "fear" else "sad"
    lines[1] = lines[1].replace(f",{row.label},", f",{other},", 1)
    table.path.write_text("".join(lines), "utf-8")
    table.answer(200, second=100)
    out = table.path.with_name("calibrated.csv")
    result = run("calibrate", table.path, "--out", out)

    assert result.exit_code == 0, result.output
    assert next(reader.read(out)).label == other


def test_the_table_itself_and_another_that_stands_there_are_refused(table: Blind, run: Run) -> None:
    out = table.path.with_name("calibrated.csv")
    out.write_text("mine", "utf-8")
    before = table.path.read_bytes()

    assert "is the table that is recalibrated" in run("calibrate", table.path, "--out", table.path).stderr
    assert "exists; choose another --out" in run("calibrate", table.path, "--out", out).stderr
    assert (out.read_text("utf-8"), table.path.read_bytes()) == ("mine", before)


def test_an_unfinished_table_of_classify_is_not_thrown_away(table: Blind, run: Run) -> None:
    out = table.path.with_name("calibrated.csv")
    begun = TableWriter.begin(out, odd_rows.record_of(blind.NAMES))
    begun.write([next(reader.read(table.path))])
    begun.close()
    part = run_record.beside(out, run_record.PART)
    before = part.read_bytes()
    result = run("calibrate", table.path, "--out", out)

    assert result.exit_code == 2
    assert "unfinished" in result.stderr
    assert part.read_bytes() == before
    assert run("calibrate", table.path, "--out", out, "--overwrite").exit_code == 0


def test_its_own_unfinished_table_is_made_anew(table: Blind, run: Run) -> None:
    """A run that was killed leaves such a part; the same command does all of it again."""
    out = table.path.with_name("calibrated.csv")
    begun = TableWriter.begin(out, odd_rows.record_of(blind.NAMES, calibrated=recalibrated.fit(table.path).as_json()))
    begun.write([next(reader.read(table.path))])
    begun.close()

    assert run("calibrate", table.path, "--out", out).exit_code == 0
    assert len(list(reader.read(out))) == len(table.truth)


def test_nothing_is_told_as_written_that_is_not(table: Blind, run: Run) -> None:
    out = table.path.with_name("calibrated.csv")
    path_of(out).mkdir()  # Its reviews cannot be written.
    result = run("calibrate", table.path, "--out", out, "--json")

    assert result.exit_code == 5
    assert not out.exists()
    assert "written" not in result.stdout


def test_the_fit_has_the_scores_of_the_table_itself(table: Blind) -> None:
    """The columns in memory are exact to 1 / 131,070: log loss and temperature come out otherwise."""
    found = recalibrated.fit(table.path)
    rows, review = list(reader.read(table.path)), found.found.review
    named = [place for place in found.found.cards if review.blind[place] >= 0]
    shares = np.array([rows[found.found.draw.rows[place]].probabilities for place in named])
    weights = cells.weights(review)[review.strata.of][named]
    wanted = calibrate.calibrate(shares, review.blind[named], weights)

    assert wanted
    assert found.fitted.loss_before == pytest.approx(wanted.loss_before, abs=1e-9)
    assert found.fitted.recalibration
    assert wanted.recalibration
    assert found.fitted.recalibration.temperature == pytest.approx(wanted.recalibration.temperature, abs=1e-9)


def test_classify_does_not_go_on_with_a_recalibrated_table(
    folder: Folder, model: Path, tmp_path: Path, run: Run
) -> None:
    table = classified(folder, model, tmp_path, run)
    out = tmp_path / "calibrated.csv"
    assert run("calibrate", table, "--out", out, "--quiet").exit_code == 0
    folder.noise("another.png", seed=999)
    result = run("classify", folder.path, "--out", out, "--model", model)

    assert result.exit_code == 2
    assert "the calibration was" in result.stderr


def classified(
    folder: Folder,
    model: Path,
    tmp_path: Path,
    run: Run,
    path: str = "t.csv",
    *,
    swapped: bool = False,
    prior: str = "trained",
) -> Path:
    """Return a table of photos of noise, of which the blind answers say another class than the model, often."""
    photos = 80
    for seed in range(photos):
        folder.noise(f"{seed:03}.png", seed=seed)
    table = tmp_path / path
    command = ("classify", folder.path, "--out", table, "--model", model, "--prior", prior, "--quiet")
    assert run(*command).exit_code == 0
    answer(table, 60, swapped=swapped)
    return table


def answer(table: Path, cards: int, second: int = 0, *, swapped: bool = False) -> None:
    """Say of cards, blind, three times in four that they are of the last class, and else of the first."""
    found, names = Blind(path=table, truth=()), reader.class_names(table)
    rows, view, log = list(reader.read(table)), found.draw.view, Log.of(table)
    for number, row in enumerate(found.cards(cards)):
        face = rows[row]
        said = names[-1] if bool(number % 4) != swapped else names[0]
        about = {"file": face.file, "box": box_of(face), "version": face.version, "old": face.label}
        action = (f"n{second}", number)
        log.append([event(said, second + number / 100, **about, view=view, shown=False, action=action)])


def test_the_bundle_gives_the_scores_of_the_table(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    table = classified(folder, model, tmp_path, run)
    out, mine = tmp_path / "calibrated.csv", tmp_path / "mine"
    result = run("calibrate", table, "--out", out, "--model-out", mine, "--model", model)
    assert result.exit_code == 0, result.output
    again = tmp_path / "again.csv"
    assert run("classify", folder.path, "--out", again, "--model", mine, "--quiet").exit_code == 0
    ours, theirs = list(reader.read(out)), list(reader.read(again))

    assert [row.label for row in ours] == [row.label for row in theirs]
    apart = np.abs(np.array([row.probabilities for row in ours]) - np.array([row.probabilities for row in theirs]))
    assert apart.max() <= 1e-5
    assert [row.probabilities for row in ours] != [row.probabilities for row in reader.read(table)]
    card = bundle.card(mine / "model.onnx")
    assert (card.name, card.class_names) == ("mine", reader.class_names(table))
    assert card.recalibration["cards"] == 60
    assert embeddings.embed(mine / "model.onnx", np.zeros((2, 64, 64, 3), np.uint8), 1, lambda *_: None).shape[0] == 2


def test_no_bundle_is_made_of_a_table_that_was_recalibrated_before(
    folder: Folder, model: Path, tmp_path: Path, run: Run
) -> None:
    """The model of its run record does not give its scores."""
    once = tmp_path / "once.csv"
    assert run("calibrate", classified(folder, model, tmp_path, run), "--out", once, "--quiet").exit_code == 0
    answer(once, 60, second=100)
    twice, mine = tmp_path / "twice.csv", tmp_path / "mine"
    result = run("calibrate", once, "--out", twice, "--model-out", mine, "--model", model)

    assert result.exit_code == 2
    assert "recalibrated from t.csv" in result.stderr
    assert not twice.exists()
    assert not mine.exists()
    assert run("calibrate", once, "--out", twice).exit_code == 0
    first, second = run_record.read(once), run_record.read(twice)
    assert first
    assert second
    assert second.calibrated
    assert second.calibrated["earlier"] == first.calibrated


def test_where_no_bundle_can_stand_no_table_is_written(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    table, out = classified(folder, model, tmp_path, run), tmp_path / "out.csv"
    result = run("calibrate", table, "--out", out, "--model-out", table / "mine", "--model", model)

    assert result.exit_code == 5
    assert f"cannot write {table / 'mine' / 'model.onnx'}" in result.stderr
    assert not out.exists()


def test_another_model_than_that_of_the_table_is_refused(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    table = classified(folder, model, tmp_path, run)
    result = run("calibrate", table, "--out", tmp_path / "o.csv", "--model-out", tmp_path / "m", "--model", "default")

    assert result.exit_code == 4
    assert "is another model; name the model that labelled" in result.stderr
    assert not (tmp_path / "o.csv").exists()


@pytest.mark.parametrize(
    ("cards", "text"), [(0, "has no reviews: show a random sample"), (12, "has 12 of at least 20 cards with a class")]
)
def test_too_few_cards_are_told_with_the_command_that_shows_more(
    tmp_path: Path, run: Run, cards: int, text: str
) -> None:
    table = blind.write(tmp_path / "t.csv", 200, seed=8)
    table.answer(cards, said=lambda _, label: label if label in blind.NAMES else "sad")
    result = run("calibrate", table.path, "--out", tmp_path / "out.csv")

    assert result.exit_code == 2
    assert text in result.stderr
    assert f"labeler review {table.path} --certify" in result.stderr


def test_reviews_of_another_table_are_told(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 200)
    Log.of(table.path).append([event("sad", 1, file="elsewhere.jpg")])
    result = run("calibrate", table.path, "--out", tmp_path / "out.csv")

    assert result.exit_code == 2
    assert "none of the 1 reviews beside" in result.stderr


def test_a_recalibrated_bundle_can_be_recalibrated_again(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    table = classified(folder, model, tmp_path, run)
    first, second = tmp_path / "first", tmp_path / "second"
    made = ("calibrate", table, "--out", tmp_path / "c.csv", "--model-out", first, "--model", model)
    assert run(*made).exit_code == 0
    again = classified(folder, first, tmp_path, run, path="u.csv", swapped=True)
    result = run("calibrate", again, "--out", tmp_path / "d.csv", "--model-out", second, "--model", first)
    assert result.exit_code == 0, result.output
    assert run("classify", folder.path, "--out", tmp_path / "e.csv", "--model", second, "--quiet").exit_code == 0
    ours, theirs = (
        np.array([row.probabilities for row in reader.read(tmp_path / name)]) for name in ("d.csv", "e.csv")
    )

    assert np.abs(ours - theirs).max() <= 1e-5
    about = bundle.card(second / "model.onnx").recalibration
    assert about["earlier"] == bundle.card(first / "model.onnx").recalibration


def test_the_bundle_gives_the_scores_of_a_table_with_another_prior(folder: Folder, tmp_path: Path, run: Run) -> None:
    model = make_bundle(tmp_path / "model.onnx", prior=[0.2, 0.5, 0.3])
    table = classified(folder, model, tmp_path, run, prior="balanced")
    mine = tmp_path / "mine"
    made = ("calibrate", table, "--out", tmp_path / "c.csv", "--model-out", mine, "--model", model)
    assert run(*made).exit_code == 0
    assert run("classify", folder.path, "--out", tmp_path / "d.csv", "--model", mine, "--quiet").exit_code == 0
    ours, theirs = (
        np.array([row.probabilities for row in reader.read(tmp_path / name)]) for name in ("c.csv", "d.csv")
    )
    card = bundle.card(mine / "model.onnx")

    assert np.abs(ours - theirs).max() <= 1e-5
    assert card.recalibration["ratios"] == pytest.approx([5 / 3, 2 / 3, 10 / 9])
    assert card.prior == ()  # That of the recalibrated probabilities is not known.


def test_a_recalibrated_bundle_still_knows_what_is_no_face(folder: Folder, tmp_path: Path, run: Run) -> None:
    model = make_bundle(tmp_path / "model.onnx", face=True, face_threshold=0.1)
    table = classified(folder, model, tmp_path, run)
    made = ("calibrate", table, "--out", tmp_path / "c.csv", "--model-out", tmp_path / "new", "--model", model)
    assert run(*made).exit_code == 0
    before, after = (Classifier(path) for path in (model, tmp_path / "new" / "model.onnx"))
    pixels = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)

    assert np.array_equal(before.answer(pixels).faces, after.answer(pixels).faces)  # type: ignore[arg-type]
    assert after.card.face_threshold == 0.1


def test_the_model_of_the_table_is_never_replaced(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    table = classified(folder, model, tmp_path, run)
    source = bundle.find(str(model))
    before = source.read_bytes()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "model.onnx").symlink_to(source)
    about = ("--model-out", tmp_path / "mine", "--model", model, "--overwrite")
    result = run("calibrate", table, "--out", tmp_path / "c.csv", *about)

    assert result.exit_code == 2
    assert "is the model that labelled" in result.stderr
    assert source.read_bytes() == before


def test_better_scores_that_make_labels_worse_are_refused(tmp_path: Path, run: Run) -> None:
    """Half of the faces are right by a hair, many certain ones are of a third class: its offset costs the others."""
    random = np.random.default_rng(0)
    names = ("a", "b", "c")
    truth = ["a"] * 300 + ["b"] * 300
    rows = []
    for number, wanted in enumerate(truth):
        certain = random.random() < 0.5
        own = {"a": (0.98, 0.01, 0.01), "b": (0.01, 0.98, 0.01)}[wanted]
        shares = own if certain else ((0.50, 0.49, 0.01) if wanted == "a" else (0.49, 0.50, 0.01))
        rows.append(
            Row.of_image(f"{number:03}.png", 64, 64, "1-1").located(0, Face(*blind.BOX, 0.9)).labelled(shares, names, 0)
        )
    odd_rows.write_finished(tmp_path / "t.csv", odd_rows.record_of(names), rows)
    table = Blind(path=tmp_path / "t.csv", truth=tuple(truth))
    table.answer(300, said=lambda row, label: "c" if rows[row].score == 0.98 and label == "a" else label)
    result = run("calibrate", table.path, "--out", tmp_path / "out.csv")

    assert (result.exit_code, "fewer labels would be right" in result.stderr) == (1, True), result.output
    assert not (tmp_path / "out.csv").exists()


def test_the_figures_are_those_of_the_labels_that_the_new_table_gets(table: Blind) -> None:
    """Labels that somebody changed in the table itself stay, so a recalibration changes none of them."""
    rows = list(reader.read(table.path))
    changed = [
        row._replace(label=wanted) if wanted in blind.NAMES else row
        for row, wanted in zip(rows, table.truth, strict=True)
    ]
    other = Blind(path=table.path.with_name("u.csv"), truth=table.truth)
    odd_rows.write_finished(other.path, odd_rows.record_of(blind.NAMES), changed)
    other.answer(200)
    found = recalibrated.fit(other.path)
    wrong = [row.label != wanted for row, wanted in zip(rows, table.truth, strict=True)]

    assert sum(wrong) > 100
    assert found.after.value >= found.before.value - 0.1


def test_a_file_that_is_no_table_gets_no_reviews_beside_it(table: Blind, run: Run) -> None:
    out = table.path.with_name("mine.csv")
    out.write_text("mine", "utf-8")
    result = run("calibrate", table.path, "--out", out, "--overwrite")

    assert result.exit_code == 2
    assert out.read_text("utf-8") == "mine"
    assert not Log.of(out).path.exists()


@pytest.mark.parametrize("damage", [None, "high", float("nan")])
def test_a_table_whose_threshold_nobody_knows_is_refused(table: Blind, run: Run, damage: object) -> None:
    path = table.path.with_name("t.csv.run.json")
    record = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(record | {"settings": {"threshold": damage}}), "utf-8")
    result = run("calibrate", table.path, "--out", table.path.with_name("o.csv"))

    assert result.exit_code == 2
    assert "tells the threshold" in result.stderr


def test_a_model_that_cannot_be_recalibrated_is_told_and_nothing_is_written(
    folder: Folder, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "old").mkdir()
    old = make_bundle(tmp_path / "old" / "model.onnx")
    network = onnx.load(old)
    network.opset_import[0].version = 10
    onnx.save(network, old)
    table = classified(folder, old, tmp_path, run)
    about = ("--model-out", tmp_path / "mine", "--model", old)
    result = run("calibrate", table, "--out", tmp_path / "o.csv", *about)

    assert result.exit_code == 4, result.output
    assert "cannot be recalibrated" in result.stderr
    assert not (tmp_path / "o.csv").exists()
    assert not (tmp_path / "mine" / "model.onnx").exists()
