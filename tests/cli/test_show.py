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
from labeler.tables.review_log import Log

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


def test_what_is_next_can_be_run(tmp_path: Path, run: Run) -> None:
    """Each command has arguments that its parser takes, also for a table with a blank in its name."""
    for name, cards in (("a b.csv", 0), ("c.csv", 120)):
        table = blind.write(tmp_path / name, 300)
        table.answer(cards)
        told = json.loads(shown(run, table.path, "--json"))["next"]

        assert 0 < len(told) <= 3
        for command in told:
            _, verb, *arguments = shlex.split(command)
            assert str(table.path) in arguments
            parser = get_command(app).commands[verb]  # type: ignore[attr-defined]
            parser.make_context(verb, arguments)


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
