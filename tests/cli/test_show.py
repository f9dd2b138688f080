"""One screen says what a table is, how right it is as far as that is known, and what could be done next."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import blind
import odd_rows
import pytest
from conftest import Folder
from reviewing import event
from typer.main import get_command
from typer.testing import Result

from labeler.cli.app import app
from labeler.records import Row, Status
from labeler.tables import reader, run_record
from labeler.tables.matching import Box
from labeler.tables.review_log import Log
from labeler.tables.reviews import AGAIN, Kind

Run = Callable[..., Result]


def shown(run: Run, *arguments: object) -> str:
    result = run("show", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_table_that_nobody_has_reviewed(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 100)
    told = shown(run, table.path)

    assert "100 faces in 100 photos" in told
    assert "not known: nobody has looked blind" in told
    assert f"labeler review {table.path} --certify" in told


def test_the_certificate_fits_on_a_screen_of_24_lines_and_80_columns(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = blind.write(tmp_path / "t.csv", 600)
    table.answer(120)
    monkeypatch.chdir(tmp_path)
    lines = shown(run, "t.csv").splitlines()
    told = " ".join(" ".join(lines).split())

    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert re.search(r"\d\d\.\d% of the labels are right \(\d\d\.\d to \d\d\.\d, 120 faces looked at blind", told)
    assert re.search(r"as corrected \d\d\.\d%", told)
    assert re.search(r"of the 4\d\d faces that nobody has looked at \d\d\.\d%", told)
    assert "120 faces (ann 120)" in told
    assert "labeler calibrate t.csv --out t-calibrated.csv" in told


def test_the_worst_table_fits_on_a_screen(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    table = worst(tmp_path / "labels.csv")
    monkeypatch.chdir(tmp_path)
    lines = shown(run, "labels.csv", "--wanted", "0.5").splitlines()
    told = " ".join(" ".join(lines).split())

    assert len(lines) < 24  # The prompt needs one.
    assert max(map(len, lines)) <= 80
    assert re.search(r"% of the labels are right .* as corrected .* that nobody has looked at", told)
    assert re.search(r"\d (more )?notes?: --classes", told)
    assert len(lines) - lines.index("next") >= 4

    every = " ".join(shown(run, table.path, "--classes").split())
    for note in (
        "the reviewer errs on",
        "unsure:",
        "contradict each other",
        "that the detector missed",
        "another draw",
    ):
        assert note in every
    assert ": --classes" not in every


def worst(path: Path) -> blind.Blind:
    """Write a table about which all is said that can be."""
    table = blind.write(path, 2000, threshold=0.5)
    names = tuple(f"{name}-{'looking' * 2}" for name in ("a", "b"))
    table.answer(200)
    table.answer(40, reviewer="bob with a long name", second=3, said=lambda row, label: "sad" if row % 2 else label)
    table.answer(20, first=200, said=lambda _, __: "uncertain", second=6)
    for number, name in enumerate(names):
        table.answer(5, reviewer=name, second=7 + number)
    rest, again, first = table.cards(900)[400:], table.cards(30), table.event(0, "happy", 9)
    said = [table.event(row, table.truth[row], 10 + at / 100) for at, row in enumerate(rest[:150])]
    said += [
        table.event(row, "happy", 20 + at, view="certify 0123456789ab", shown=False)
        for at, row in enumerate(rest[150:160])
    ]
    said += [
        table.event(row, table.truth[row] if at % 10 else "fear", 40 + at, view=AGAIN, shown=False)
        for at, row in enumerate(again)
    ]
    said += [
        event("happy", 80, file=first.file, box=Box(200, 200, 50, 50), kind=Kind.ADD),
        event("sad", 81, file="gone.jpg"),
    ]
    Log.of(path).append(said)
    record = run_record.read(path)
    assert record
    full = replace(
        record,
        model="a-model-with-a-rather-long-name",
        model_figures={"accuracy": 0.7123, "data": "test of FER-2013, as labelled by ten persons (FER+)"},
        root="/home/somebody/photos/of/the/summer/in/a/folder/that/lies/deep/below/others",
        settings={"threshold": 0.5, "faces": "all", "min_face": 24},
        calibrated={"cards": 200, "temperature": 1.25},
    )
    run_record.write(path, full, "")
    path.with_name(path.name + ".part").write_text("", "utf-8")
    return table


def test_what_is_next_can_be_run(tmp_path: Path, run: Run) -> None:
    """Each command has arguments that its parser takes, also for a table with a blank in its name."""
    for name, cards, others in (("a b.csv", 0, 0), ("c.csv", 120, 0), ("d.csv", 150, 110)):
        table = blind.write(tmp_path / name, 300)
        table.answer(cards)
        look(table, table.cards(300)[300 - others :])
        told = json.loads(shown(run, table.path, "--json"))["next"]

        assert 0 < len(told) <= 3
        for command in told:
            _, verb, *arguments = shlex.split(command)
            assert str(table.path) in arguments
            parser = get_command(app).commands[verb]  # type: ignore[attr-defined]
            parser.make_context(verb, arguments)


def look(table: blind.Blind, rows: list[int]) -> None:
    """Name the truth of faces that are shown with their label."""
    Log.of(table.path).append(table.event(row, table.truth[row], 50 + at / 100) for at, row in enumerate(rows))


@pytest.mark.parametrize(("cards", "others", "adapts"), [(150, 150, True), (150, 90, False), (95, 150, False)])
def test_with_enough_reviews_an_adapted_model_is_proposed(
    tmp_path: Path, run: Run, cards: int, others: int, adapts: bool
) -> None:
    table = blind.write(tmp_path / "t.csv", 400)
    table.answer(cards)
    look(table, table.cards(400)[400 - others :])

    assert (f"labeler adapt {table.path} --out runs/mine" in shown(run, table.path)) is adapts


def test_no_adapted_model_is_proposed_for_recalibrated_scores(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 400)
    table.answer(150)
    look(table, table.cards(400)[250:])
    record = run_record.read(table.path)
    assert record
    run_record.write(table.path, replace(record, calibrated={"cards": 150}), "")

    assert "labeler adapt" not in shown(run, table.path)


def test_the_figures_of_the_classes_and_of_the_folders(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 1000)
    table.answer(300)
    told = shown(run, table.path, "--classes", "--by", "folder")

    assert re.search(r"^  happy +\d\d\.\d% \(.*\) +\d\d\.\d% \(.*\) +\d\d\.\d% \(.*\)$", told, re.M)
    assert re.search(r"^  disgust +.*too few cards \(\d+\)", told, re.M)
    assert len(re.findall(r"^  \d: .* cards of 100 faces$", told, re.M)) == 10
    assert "largest gap" in told


def test_without_a_blind_answer_there_is_no_figure_to_ask_for(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 100)
    result = run("show", table.path, "--by", "folder")

    assert result.exit_code == 2
    assert f"no figure can be given: labeler review {table.path} --certify" in result.stderr


def test_everything_stands_in_the_json(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 400)
    table.answer(100)
    row = table.cards(101)[100]
    Log.of(table.path).append([table.event(row, "not_a_face", 99), event("sad", 100, file="gone.jpg")])
    told = json.loads(shown(run, table.path, "--json", "--by", "folder"))

    assert (told["faces"], told["photos"], told["statuses"]) == (400, 400, {"ok": 400})
    assert sum(told["labels"].values()) == 400
    assert told["certificate"]["cards"] == 100
    assert len(told["groups"]) == 10
    assert told["reviews"]["faces"] == 101
    assert told["reviews"]["reviewers"] == {"ann": 101}
    assert told["reviews"]["orphans"] == 1
    wrong = sum(
        row.label != table.truth[at] for at, row in enumerate(reader.read(table.path)) if at in table.cards(100)
    )
    assert told["reviews"]["changed"] == wrong + 1


def test_a_recalibrated_table_says_so_and_has_the_cross_fitted_certificate(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 1200, seed=3)
    table.answer(200)
    out = tmp_path / "calibrated.csv"
    assert run("calibrate", table.path, "--out", out, "--quiet").exit_code == 0
    told = " ".join(shown(run, out).split())

    assert "recalibrated by" in told
    assert "cross-fitted from" in told
    assert "200 blind answers are of another draw" in told
    assert f"labeler review {out} --certify" in told
    assert "labeler calibrate" not in told


def test_photos_without_a_face_and_broken_ones_are_counted(tmp_path: Path, run: Run) -> None:
    rows = [
        Row("a.jpg").without_label(Status.NO_FACE, "no face found"),
        Row("b.jpg").without_label(Status.UNREADABLE, "it is none"),
    ]
    odd_rows.write_finished(tmp_path / "t.csv", odd_rows.record_of(blind.NAMES), rows)
    told = shown(run, tmp_path / "t.csv")

    assert "0 faces in 2 photos" in told
    assert "1 no_face, 1 unreadable" in told
    assert "--certify" not in told


def test_no_table_and_an_unfinished_one_are_told_in_a_line(tmp_path: Path, run: Run) -> None:
    assert "does not exist" in run("show", tmp_path / "none.csv").stderr
    (tmp_path / "t.csv.part").write_text("", "utf-8")
    result = run("show", tmp_path / "t.csv")

    assert result.exit_code == 2
    assert "is unfinished; run the same classify command" in result.stderr


def test_a_run_that_adds_to_the_table_is_told(folder: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    folder.noise("a.png", seed=1)
    table = tmp_path / "t.csv"
    assert run("classify", folder.path, "--out", table, "--model", model, "-q").exit_code == 0
    (tmp_path / "t.csv.part").write_text("", "utf-8")

    assert "has not ended" in shown(run, table)


def test_nothing_of_the_record_commands_the_terminal(tmp_path: Path, run: Run) -> None:
    table = blind.write(tmp_path / "t.csv", 60)
    record = run_record.read(table.path)
    assert record
    bad = "\x1b[31mred\u202e"
    hostile = replace(
        record, model=bad, certificate={"sentence": bad}, calibrated={"cards": bad}, settings={"threshold": bad}
    )
    run_record.write(table.path, hostile, "")
    told = shown(run, table.path)

    assert told.count("\\x1b[31mred\\u202e") == 4
    assert "\x1b" not in told
    assert "\u202e" not in told
