"""Reviews of several persons: put together in any order, counted as anybody can count, decided as was asked."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from itertools import count, permutations
from pathlib import Path
from typing import Any

import pytest
from kills import killed_before
from odd_rows import ODD_NAMES, record_of, write_finished
from reviewing import NAMES, at, event, face, undo
from sklearn.metrics import cohen_kappa_score
from typer.testing import Result

from labeler.errors import LabelerError
from labeler.reviewers.merge import Decide, Merged, MergeSettings, merge, votes
from labeler.tables import reader
from labeler.tables.corrections import Reviews, of_table
from labeler.tables.matching import Box
from labeler.tables.review_log import Log
from labeler.tables.reviews import CONSENSUS, Event, Kind

Run = Callable[..., Result]

FILES = [f"{number}.jpg" for number in range(8)]
SAID = {
    "ann": ["happy", "happy", "angry", "angry", "happy", "angry", "happy", "not_a_face"],
    "bob": ["happy", "angry", "angry", "happy", "happy", "angry", "uncertain", "not_a_face"],
    "cat": ["happy", "angry", "angry"],
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    write_finished(path, record_of(NAMES), [face(file) for file in FILES])
    return path


def reviews_of(who: str, said: list[str], second: int = 0) -> list[Event]:
    return [
        event(new, second + number, file=file, reviewer=who, action=f"{who}{number}{second}")
        for number, (file, new) in enumerate(zip(FILES, said, strict=False))
    ]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Return the reviews of three persons, each in a file."""
    found = {}
    for second, (who, said) in enumerate(SAID.items()):
        found[who] = tmp_path / f"{who}.reviews.jsonl"
        Log(found[who]).append(reviews_of(who, said, second * 20))
    return found


def merged(table: Path, *others: Path, **changes: Any) -> Merged:
    return merge(MergeSettings(table=table, others=others, **changes))


def counting(table: Path) -> dict[str, str]:
    """Return the label that counts for each file; those whose face was taken out have an empty one."""
    found = of_table(table)
    assert found
    return {row.file: row.label for row in found.rows(reader.read(table))}


def test_the_order_of_files_changes_nothing_and_twice_adds_nothing(table: Path, files: dict[str, Path]) -> None:
    results = set()
    for number, order in enumerate(permutations(files.values())):
        out = table.parent / f"{number}.out.jsonl"
        for path in order:
            merged(table, path, out=out)
        first = out.read_bytes()
        again = merged(table, *order, *order, out=out)
        assert out.read_bytes() == first
        assert [new for _, new in again.events.values()] == [0, 0, 0, 0]
        results.add(json.dumps({**again.as_json(), "reviews": "", "files": []}))
        assert sorted(first.splitlines()) == sorted(
            line for path in files.values() for line in path.read_bytes().splitlines()
        )

    assert len(results) == 1
    assert not Log.of(table).path.exists()


def test_the_majority_decides_and_all_votes_are_kept(table: Path, files: dict[str, Path]) -> None:
    found = merged(table, *files.values())

    assert {path.name: counts for path, counts in found.events.items()} == {
        "t.csv.reviews.jsonl": (0, 0),
        "ann.reviews.jsonl": (8, 8),
        "bob.reviews.jsonl": (8, 8),
        "cat.reviews.jsonl": (3, 3),
    }
    assert len(Log.of(table).read()) == 19
    assert counting(table) == {
        "0.jpg": "happy", "1.jpg": "angry", "2.jpg": "angry", "3.jpg": "happy", "4.jpg": "happy", "5.jpg": "angry",
        "6.jpg": "uncertain", "7.jpg": "",
    }  # fmt: skip


def test_the_figures_are_those_of_scikit_learn_and_of_a_count_by_hand(table: Path, files: dict[str, Path]) -> None:
    found = merged(table, *files.values()).votes.as_json()
    both = [(one, other) for one, other in zip(SAID["ann"], SAID["bob"], strict=True) if other != "uncertain"]

    assert found["reviewed"] == 8
    assert found["reviewers"]["bob"] == {
        "faces": 8, "changed": 5, "labels": {"happy": 3, "angry": 3, "uncertain": 1, "not_a_face": 1},
    }  # fmt: skip
    assert found["faces_with_several_votes"] == 7
    assert found["raw_agreement"]["value"] == pytest.approx((5 + 1 / 3 + 0) / 7)  # All but 1.jpg and 3.jpg.
    assert [(pair["reviewers"], pair["n"], pair["agreed"]) for pair in found["pairs"]] == [
        (["ann", "bob"], 7, 5),
        (["ann", "cat"], 3, 2),
        (["bob", "cat"], 3, 3),
    ]
    assert found["pairs"][0]["cohen_kappa"]["value"] == pytest.approx(cohen_kappa_score(*zip(*both, strict=True)))
    assert found["disagreements"] == [["angry", "happy", 3]]


def test_what_was_undone_or_superseded_is_no_vote(table: Path) -> None:
    Log.of(table).append([
        event("angry", 1, file=FILES[0]),
        event("happy", 2, file=FILES[0]),
        event("angry", 3, file=FILES[0], reviewer="bob"),
        undo(3, 4, "bob"),
    ])  # fmt: skip
    found = votes(table)

    assert {who: dict(said) for who, said in found.reviewers.items()} == {"ann": {"happy": 1}}
    assert found.raters is None


def test_faces_that_were_added_have_votes_too(table: Path) -> None:
    box = Box(300.0, 300.0, 50.0, 50.0)
    near = Box(305.0, 300.0, 50.0, 50.0)
    Log.of(table).append([
        event("happy", 1, file=FILES[0], box=box, kind=Kind.ADD, old=""),
        event("angry", 2, file=FILES[0], box=near, kind=Kind.ADD, old="", reviewer="bob"),
    ])  # fmt: skip

    assert votes(table).pairs == {("ann", "bob"): {("happy", "angry"): 1}}


def test_two_of_one_name_are_one_person_and_it_is_said(table: Path, tmp_path: Path) -> None:
    paths = [tmp_path / "here.reviews.jsonl", tmp_path / "there.reviews.jsonl"]
    Log(paths[0]).append(reviews_of("ann", ["happy"]))
    Log(paths[1]).append(reviews_of("ann", ["angry"], 10))
    found = merged(table, *paths)

    assert found.twice == {"ann": paths}
    assert found.votes.reviewers == {"ann": {"angry": 1}}
    assert merged(table, paths[0]).twice == {}  # It is a part of what the table has by now.


def test_reviews_of_other_photos_are_refused_and_nothing_is_changed(table: Path, tmp_path: Path) -> None:
    own, other = Log.of(table), tmp_path / "other.reviews.jsonl"
    own.append(reviews_of("ann", ["happy"]))
    before = own.path.read_bytes()
    Log(other).append([event("happy", 1, file="elsewhere.jpg")])

    with pytest.raises(LabelerError, match=r"about other photos.*elsewhere\.jpg"):
        merged(table, other)
    with pytest.raises(LabelerError, match="does not exist"):
        merged(table, tmp_path / "none.reviews.jsonl")
    with pytest.raises(LabelerError, match=r"line 1 of .*is damaged"):
        merged(table, table)
    assert own.path.read_bytes() == before


def test_killed_before_each_step_the_same_command_completes_it(table: Path, files: dict[str, Path]) -> None:
    """Every third step, as two merges are compared at each."""
    expected = merged(table, *files.values(), out=table.parent / "whole.jsonl")
    lines = sorted(expected.path.read_bytes().splitlines())
    ends = []
    for step in count(0, 3):
        out = table.parent / f"killed-{step}.jsonl"
        ends.append(killed_before(step, lambda out=out: merged(table, *files.values(), out=out)))  # type: ignore[misc]
        found = merged(table, *files.values(), out=out)
        assert sorted(out.read_bytes().splitlines()) == lines
        assert found.votes.as_json() == expected.votes.as_json()
        if ends[-1] == 0:
            break

    assert len(ends) > 5
    assert set(ends) == {0, -signal.SIGKILL}


def test_labels_that_are_no_class_and_events_without_a_face_are_kept_and_named(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.reviews.jsonl"
    Log(other).append([
        event("contempt", 1, file=FILES[0]),
        event("happy", 2, file=FILES[1], version="2-2"),
        event("happy", 3, file=FILES[1], box=Box(500.0, 1.0, 20.0, 20.0)),
        event("happy", 4, file="gone.jpg"),
    ])  # fmt: skip
    found = merged(table, other).votes

    assert found.unknown == {"contempt": 1}
    assert found.orphans == {FILES[1]: 2, "gone.jpg": 1}


def test_hostile_names_are_merged(tmp_path: Path) -> None:
    table = tmp_path / "t.jsonl"
    write_finished(table, record_of(NAMES), [face(name) for name in ODD_NAMES if name])
    other = tmp_path / "other.reviews.jsonl"
    Log(other).append([event("angry", second, file=name) for second, name in enumerate(ODD_NAMES) if name])

    found = merged(table, other)
    assert (found.votes.reviewed, found.votes.orphans) == (len(ODD_NAMES) - 1, {})
    assert set(counting(table).values()) == {"angry"}


@pytest.fixture
def trusted(table: Path) -> Path:
    """Add the reviews of two who agree with the model, and of one who nearly never does."""
    pytest.importorskip("cleanlab")
    labels = ["happy", "angry"] * 20
    rows = [face(f"{number}.jpg", label=label) for number, label in enumerate(labels)]
    path = table.parent / "many.csv"
    write_finished(path, record_of(NAMES), rows)
    other = {"happy": "angry", "angry": "happy"}
    said = {
        "ann": labels,
        "bob": labels[:39],
        "wrong": [other[label] for label in labels[:30]] + labels[30:],
        "worse": [other[label] for label in labels[:30]] + labels[30:],
    }
    said["ann"] = [*labels[:20], "uncertain", *labels[21:]]
    for start, (who, names) in enumerate(said.items()):
        Log.of(path).append(
            event(new, start * 50 + number, file=f"{number}.jpg", reviewer=who, action=f"{who}{number}")
            for number, new in enumerate(names)
        )
    return path


def test_cleanlab_decides_by_trust_and_the_decision_counts(trusted: Path) -> None:
    before = counting(trusted)
    found = merged(trusted, decide=Decide.CLEANLAB)
    after = counting(trusted)
    labels = {row.file: row.label for row in reader.read(trusted)}

    assert before["0.jpg"] == "angry"  # Two against two: the latest.
    assert all(after[f"{number}.jpg"] == labels[f"{number}.jpg"] for number in range(20))
    assert found.decisions == found.votes.decided == sum(before[name] != after[name] for name in before) > 0
    assert "consensus" not in found.votes.reviewers
    assert merged(trusted, decide=Decide.CLEANLAB).decisions == 0
    assert counting(trusted) == after


def test_a_decision_counts_until_somebody_votes_again_or_the_majority_is_asked_for(trusted: Path) -> None:
    before = counting(trusted)
    decisions = merged(trusted, decide=Decide.CLEANLAB).decisions
    after = counting(trusted)
    later = f"2099{at(1)[4:]}"
    Log.of(trusted).append([event("uncertain", 0, time=later, file="0.jpg", reviewer="bob", action="later")])
    assert counting(trusted) == {**after, "0.jpg": "angry"}

    found = merged(trusted)
    assert (found.decisions, found.votes.decided) == (1, 0)  # One action is taken back.
    assert counting(trusted) == before
    assert merged(trusted).decisions == 0
    assert merged(trusted, decide=Decide.CLEANLAB).decisions >= decisions - 1


def test_cleanlab_needs_faces_with_two_votes(table: Path) -> None:
    pytest.importorskip("cleanlab")
    Log.of(table).append(reviews_of("ann", ["happy"]))

    with pytest.raises(LabelerError, match="there is none"):
        merged(table, decide=Decide.CLEANLAB)


def test_a_decision_without_votes_decides_nothing(table: Path) -> None:
    decision = event("angry", 5, file=FILES[0], reviewer=CONSENSUS, view=CONSENSUS)
    Log.of(table).append([event("happy", 1, file=FILES[0]), undo(1, 2), decision])

    assert counting(table)[FILES[0]] == "happy"
    assert Reviews(Log.of(table).read()).actions.in_force(decision)


def test_the_commands_say_it_all(run: Run, table: Path, files: dict[str, Path]) -> None:
    result = run("reviews", "merge", table, *files.values(), "--json")
    shown = run("reviews", "show", table, "--json")

    assert result.exit_code == shown.exit_code == 0
    found, again = json.loads(result.stdout), json.loads(shown.stdout)
    assert found["reviews"] == str(Log.of(table).path)
    assert {**found, **again} == found
    for text in (
        "ann.reviews.jsonl: 8 events, 8 new",
        "Krippendorff's alpha",
        "Gwet's AC1",
        "ann, bob",
        "angry or happy 3",
    ):
        assert text in result.stderr
    assert "ann, bob" in run("reviews", "show", table).stderr
    assert run("reviews", "show", table.parent / "none.csv").exit_code == 2
    assert run("reviews").exit_code == 2


def test_without_reviews_there_is_nothing_to_show(run: Run, table: Path) -> None:
    result = run("reviews", "show", table)

    assert (result.exit_code, "reviewed: 0 faces by 0 reviewers" in result.stderr) == (0, True)


def test_a_name_that_a_terminal_would_obey_is_printed_as_text(run: Run, table: Path) -> None:
    Log.of(table).append(
        [event("happy", 1, file="\x1b[2Jgone.jpg"), event("happy", 2, file=FILES[0], reviewer="[red]x")]
    )
    result = run("reviews", "show", table)

    assert "\x1b" not in result.stderr
    assert "[red]x" in result.stderr
