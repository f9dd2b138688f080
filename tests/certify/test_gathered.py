"""What persons said, sorted: which answers are a sample, which are known, and what tells how careful somebody was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import blind
import numpy as np
import odd_rows
import pytest
from blind import Blind
from reviewing import event, undo

from labeler.certify import certified
from labeler.certify.answers import NOT_A_FACE, NOT_SEEN, UNSURE
from labeler.certify.draw import Draw
from labeler.certify.gathered import Gathered
from labeler.certify.strata import ABSTAINED
from labeler.errors import LabelerError
from labeler.records import UNCERTAIN
from labeler.tables import corrections, index, reader, run_record
from labeler.tables.review_log import Log
from labeler.tables.reviews import AGAIN, SENTINEL


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Blind:
    return blind.write(tmp_path_factory.mktemp("table") / "t.csv")


@pytest.fixture
def table(written: Blind, tmp_path: Path) -> Blind:
    for file in written.path.parent.glob("t.csv*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return Blind(path=tmp_path / "t.csv", truth=written.truth)


def gathered(table: Blind) -> Gathered:
    found = certified.gather(table.path)
    assert found
    return found


def test_the_same_table_gives_the_same_draw_in_every_format(table: Blind, tmp_path: Path) -> None:
    rows = list(reader.read(table.path))
    record = run_record.read(table.path)
    assert record
    names = {table.draw.name}
    for suffix in ("jsonl", "parquet"):
        odd_rows.write_finished(tmp_path / f"u.{suffix}", record, rows)
        names.add(Draw.of(index.load(tmp_path / f"u.{suffix}")).name)

    assert len(names) == 1


def test_a_table_that_grew_or_has_other_scores_is_another_draw(table: Blind, tmp_path: Path) -> None:
    rows = list(reader.read(table.path))
    record = run_record.read(table.path)
    assert record
    grown = [*rows, rows[0]._replace(file="new.jpg")]
    other = [rows[0]._replace(score=0.123), *rows[1:]]
    names = {table.draw.name}
    for number, changed in enumerate((grown, other)):
        odd_rows.write_finished(tmp_path / f"{number}.csv", record, changed)
        names.add(Draw.of(index.load(tmp_path / f"{number}.csv")).name)

    assert len(names) == 3


def test_blind_answers_are_the_sample_and_correct_the_table(table: Blind) -> None:
    table.answer(40)
    found = gathered(table)
    rows = [int(found.draw.rows[place]) for place in found.cards]

    assert rows == table.cards(40)
    assert [found.draw.index.class_names[found.review.blind[place]] for place in found.cards] == [
        table.truth[row] for row in rows
    ]
    assert found.reviewers == {"ann": 40}
    made = corrections.of_table(table.path)
    assert made
    corrected = {row.file: row.label for row in made.rows(reader.read(table.path))}
    assert [corrected[table.event(row, "sad", 0).file] for row in rows] == [table.truth[row] for row in rows]


def test_an_answer_to_a_card_whose_label_was_in_sight_is_none(table: Blind) -> None:
    row, other = table.cards(2)
    view = table.draw.view
    Log.of(table.path).append([table.event(row, "sad", 1, view=view, shown=True)])
    Log.of(table.path).append([table.event(other, "sad", 2, view=view, shown=False)])
    found = gathered(table)

    assert [int(found.draw.rows[place]) for place in found.cards] == [other]


def test_what_was_opened_before_the_first_card_is_known_and_since_then_another_matter(table: Blind) -> None:
    cards = table.cards(60)
    before, skipped, after = cards[50], cards[3], cards[55]
    log = Log.of(table.path)
    log.append([table.event(before, "sad", 0), table.event(skipped, "happy", 0)])
    table.answer(3, second=10)
    table.answer(6, first=4, second=11)
    log.append([table.event(after, "fear", 20)])
    found = gathered(table)
    review = found.review
    at = {row: int(found.draw.places[row]) for row in (before, skipped, after)}

    assert review.open[at[before]] == blind.NAMES.index("sad")
    assert review.open[at[skipped]] == blind.NAMES.index("happy")
    assert at[skipped] not in found.cards
    assert len(found.cards) == 9
    assert review.later is not None
    assert review.later[at[after]] == blind.NAMES.index("fear")
    assert np.count_nonzero(review.blind != NOT_SEEN) == 9


def test_a_card_that_was_opened_before_its_turn_is_answered_by_that_look(table: Blind) -> None:
    cards = table.cards(6)
    table.answer(3, second=10)
    Log.of(table.path).append([table.event(cards[3], "fear", 12)])
    table.answer(2, first=4, second=13)
    found = gathered(table)
    place = int(found.draw.places[cards[3]])

    assert place in found.cards
    assert found.review.blind[place] == blind.NAMES.index("fear")
    assert found.review.later is not None
    assert found.review.later[place] == NOT_SEEN


def test_a_card_that_was_passed_over_or_undone_is_unsure(table: Blind) -> None:
    cards = table.cards(6)
    table.answer(2, second=10)
    table.answer(3, first=3, second=11)
    Log.of(table.path).append([undo((cards[4], 11.01), 20)])
    found = gathered(table)
    answers = {int(found.draw.rows[place]): found.review.blind[place] for place in found.cards}

    assert answers[cards[2]] == answers[cards[4]] == UNSURE
    assert len(answers) == 6


def test_of_two_answers_of_one_reviewer_the_last_counts_and_not_a_face_is_none(table: Blind) -> None:
    cards = table.cards(2)
    table.answer(2, second=10, said=lambda *_: "sad")
    table.answer(2, second=20, said=lambda row, _: "not_a_face" if row == cards[0] else "uncertain")
    found = gathered(table)

    assert [int(found.review.blind[place]) for place in found.cards] == [NOT_A_FACE, UNSURE]


def test_reviewers_who_contradict_each_other_are_counted_and_their_cards_are_unsure(table: Blind) -> None:
    cards = table.cards(10)
    table.answer(10)
    table.answer(10, reviewer="bob", second=10, said=lambda row, label: "sad" if row == cards[4] else label)
    truth = table.truth[cards[4]]
    found = gathered(table)
    contradicted = int(truth != "sad")

    assert (found.both, found.contradicted) == (10, contradicted)
    table.answer(10, reviewer="eve", second=20)
    assert gathered(table).contradicted == 0


def test_cards_shown_twice_and_sentinels_are_checks_and_correct_nothing(table: Blind) -> None:
    cards = table.cards(30)
    table.answer(30, said=lambda *_: "sad")
    log = Log.of(table.path)
    log.append(table.event(row, "sad", 40 + at, view=AGAIN, shown=False) for at, row in enumerate(cards[:6]))
    log.append(table.event(row, "fear", 50 + at, view=AGAIN, shown=False) for at, row in enumerate(cards[6:8]))
    log.append([table.event(cards[8], "uncertain", 60, view=AGAIN, shown=False)])
    log.append(table.event(row, "fear", 70 + at, view=SENTINEL) for at, row in enumerate(cards[10:14]))
    missed = [table.event(row, "happy", 80 + at, view=SENTINEL) for at, row in enumerate(cards[14:16])]
    log.append(replace(one, old="happy", id="") for one in missed)
    log.append([undo((cards[10], 70), 90)])
    found = gathered(table)

    assert (found.checks.twice, found.checks.disagreed) == (8, 2)
    assert (found.checks.sentinels, found.checks.missed) == (5, 2)
    assert found.checked["ann"] == found.checks
    made = corrections.of_table(table.path)
    assert made
    labels = {row.file: row.label for row in made.rows(reader.read(table.path)) if row.before is not None}
    assert set(labels.values()) == {"sad"}
    assert made.counts.reviewed == 30


def test_answers_to_another_draw_are_known_faces_and_no_cards(table: Blind, tmp_path: Path) -> None:
    table.answer(40)
    rows, record = list(reader.read(table.path)), run_record.read(table.path)
    assert record
    grown = tmp_path / "grown.csv"
    odd_rows.write_finished(grown, record, [*rows, rows[0]._replace(file="new.jpg")])
    Log.of(table.path).path.rename(Log.of(grown).path)
    found = certified.gather(grown)
    assert found

    assert (found.earlier, found.looked, len(found.cards)) == (40, 40, 0)
    assert np.count_nonzero(found.review.open != NOT_SEEN) == 40
    assert certified.of_table(grown) is None


def test_reviews_of_other_photos_are_orphans(table: Blind) -> None:
    other = event("sad", 1, file="elsewhere.jpg")
    Log.of(table.path).append([other])
    found = gathered(table)

    assert (found.orphans, found.looked) == (1, 0)


def test_a_table_without_a_face_says_so(tmp_path: Path) -> None:
    odd_rows.write_finished(tmp_path / "t.csv", odd_rows.record_of(blind.NAMES), [])

    with pytest.raises(LabelerError, match="no face with a label"):
        Draw.of(index.load(tmp_path / "t.csv"))


def test_the_certificate_says_how_right_the_labels_are_and_stands_in_the_run_record(table: Blind) -> None:
    table.answer(200)
    found = certified.of_table(table.path)
    assert found
    right = np.mean([row.label == table.truth[at] for at, row in enumerate(reader.read(table.path))])
    value, interval = found.certificate.model.accuracy.value, found.certificate.model.accuracy.interval
    assert value is not None
    assert interval is not None
    assert interval[0] <= right <= interval[1]
    assert found.sentence() == (
        f"{value:.1%} of the labels are right ({100 * interval[0]:.1f} to {100 * interval[1]:.1f}, "
        "200 faces looked at blind, 2026-11-25)"
    )
    assert found.notes() == ["nothing measured the reviewer's own errors: the answers are taken for the truth"]
    certified.record(table.path, found)
    record = run_record.read(table.path)
    assert record
    assert record.certificate == found.as_json()
    assert record.finished


def test_uncertain_faces_have_no_label_and_the_others_are_certified(tmp_path: Path) -> None:
    table = blind.write(tmp_path / "t.csv", threshold=0.6)
    table.answer(150)
    loaded, found = index.load(table.path), certified.of_table(table.path)
    uncertain = [loaded.labels[code] == UNCERTAIN for code in loaded.label]

    assert 0 < sum(uncertain) < 400
    assert (table.draw.labels == np.where(uncertain, ABSTAINED, loaded.label.astype(np.int32))).all()
    assert found
    model = found.certificate.model
    assert (model.faces, model.labelled) == (400, 400 - sum(uncertain))
    assert model.accuracy.interval
    right = [loaded.labels[code] == truth for code, truth in zip(loaded.label, table.truth, strict=True)]
    low, high = model.accuracy.interval
    assert low < sum(right) / model.labelled < high


def test_too_few_cards_give_no_figure(table: Blind) -> None:
    table.answer(10)
    found = certified.of_table(table.path)
    assert found

    assert found.sentence() == (
        "too few cards to say how right the labels are: 10 faces looked at blind, at least 15 are needed"
    )


def test_checks_and_contradictions_stand_in_the_notes(table: Blind) -> None:
    table.answer(60)
    table.answer(30, reviewer="bob", second=10, said=lambda row, label: "sad" if row % 2 else label)
    cards = table.cards(20)
    log = Log.of(table.path)
    log.append(table.event(row, table.truth[row], 40 + at, view=AGAIN, shown=False) for at, row in enumerate(cards))
    found = certified.of_table(table.path)
    assert found
    notes = "\n".join(found.notes())

    assert "the reviewer errs on" in notes
    assert "reviewers contradict each other on" in notes
    assert "let the reviewers look at them together" in notes
