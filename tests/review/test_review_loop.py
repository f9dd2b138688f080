"""From photos to a model that learnt from their correction: the whole loop, in a browser, with the keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import example_faces
import pytest
from opened import Opened, reviews
from typer.testing import Result

import labeler

PHOTOS = 200
SCREEN = 104
"""Faces on a screen of 1280x800 pixels."""

MARKED = (1, 3, 4, 5)
"""Places of the faces that are called surprised; the first is one of three in its photo."""

Run = Callable[..., Result]

pytestmark = pytest.mark.heavy


@pytest.mark.usefixtures("tensorflow")
def test_a_table_is_corrected_by_keyboard_and_used_by_every_command(chromium: Any, tmp_path: Path, run: Run) -> None:
    photos, table = tmp_path / "photos", tmp_path / "labels.csv"
    example_faces.make(photos, PHOTOS)
    assert run("classify", photos, "--out", table, "--quiet").exit_code == 0
    neutral = labeler.read(table, reviews=False).query("label == 'neutral'")
    last = len(neutral) - 1
    assert SCREEN < last < 2 * SCREEN
    with reviews(chromium, tmp_path) as review:
        opened = review(table, "--reviewer", "ann")
        order_by_file(opened)
        correct_a_screen(opened)
        add_a_face(opened)
        go_on_after_a_kill(opened, last)
        exit_code = opened.server.stop()

    marked = [neutral.iloc[at] for at in MARKED]
    surprised = [row.file for row in marked if row.file != example_faces.GROUP]
    gone = neutral.iloc[last].file

    assert exit_code == 0
    assert_read(table, {(row.file, row.face): "surprise" for row in marked}, gone, len(neutral))
    assert_sorted(run, table, tmp_path / "sorted", surprised, gone)
    assert_exported(run, table, tmp_path / "faces", [*surprised, example_faces.GROUP], gone)
    assert_trained(run, table, photos, tmp_path / "run")


def assert_read(table: Path, wanted: dict[tuple[str, int], str], gone: str, looked_at: int) -> None:
    faces = labeler.read(table)
    reviewed = faces[faces["reviewed"]]
    changed = reviewed[(reviewed["label"] != reviewed["label_before"]) & (reviewed["status"] == "ok")]

    assert len(reviewed) == looked_at + 1
    assert {(row.file, row.face): row.label for row in changed.itertuples()} == {
        **wanted,
        (example_faces.GROUP, 3): "happy",
    }
    assert faces[faces["file"] == gone]["status"].tolist() == ["no_face"]


def assert_sorted(run: Run, table: Path, into: Path, surprised: list[str], gone: str) -> None:
    assert run("sort", table, "--into", into, "--quiet").exit_code == 0
    assert sorted(path.name for path in (into / "surprise").rglob("*.jpg")) == sorted(map(base, surprised))
    assert [path.name for path in (into / "no_face").rglob("*.jpg")] == [base(gone)]


def assert_exported(run: Run, table: Path, out: Path, surprised: list[str], gone: str) -> None:
    assert run("export", table, "--to", "imagefolder", "--out", out, "--quiet").exit_code == 0
    faces = [json.loads(line) for line in (out / "train" / "metadata.jsonl").read_text("utf-8").splitlines()]

    assert sorted(face["file"] for face in faces if face["label"] == "surprise") == sorted(surprised)
    assert [face["label"] for face in faces if face["file"] == example_faces.GROUP and face["face"] == 3] == ["happy"]
    assert gone not in {face["file"] for face in faces}


def assert_trained(run: Run, table: Path, photos: Path, out: Path) -> None:
    command = ("train", photos, "--labels", table, "--arch", "documented", "--epochs", "1", "--workers", "1", "--json")
    result = run(*command, "--out", out)

    assert result.exit_code == 0, result.output
    assert "surprise" in json.loads(result.stdout)["per_class"]
    assert (out / "model.onnx").exists()


def base(file: str) -> str:
    return file.rpartition("/")[2]


def order_by_file(opened: Opened) -> None:
    """Walk into the form, choose the order, and walk back to the faces."""
    walk(opened, "Shift+Tab", "document.activeElement.name === 'order'")
    while opened.page.evaluate("document.activeElement.value") != "file":
        opened.press("ArrowDown")
    opened.wait(f"document.getElementById('under').textContent.includes('{example_faces.GROUP}')")
    walk(opened, "Tab", "document.activeElement.id === 'grid'")
    opened.sees()


def walk(opened: Opened, key: str, arrived: str) -> None:
    for _ in range(60):
        if opened.page.evaluate(arrived):
            return
        opened.press(key)
    raise AssertionError(arrived)


def correct_a_screen(opened: Opened) -> None:
    """Mark four faces, name them, accept the rest; take that back, and do it again."""
    opened.press("ArrowRight", " ", "ArrowRight", "ArrowRight", " ", "Shift+ArrowRight", "Shift+ArrowRight", "2")
    opened.hears(f"{len(MARKED)} faces: surprise")
    opened.press("Enter")
    opened.hears(f"{SCREEN - len(MARKED)} faces accepted")
    opened.press("u")
    opened.hears(f"undone: {SCREEN - len(MARKED)} faces")
    opened.press("Shift+U")
    opened.hears(f"done again: {SCREEN - len(MARKED)} faces")


def add_a_face(opened: Opened) -> None:
    """Draw a box beside the three faces of the first photo."""
    opened.press("Home", "v")
    opened.wait("document.querySelectorAll('.box').length === 3")
    opened.press("b", *["ArrowLeft"] * 2, *["Shift+ArrowDown"] * 2, "h")
    opened.wait("document.querySelectorAll('.box').length === 4")
    opened.settled()
    opened.press("Escape")


def go_on_after_a_kill(opened: Opened, last: int) -> None:
    """Say that the last face is none while the server is dead; open the page anew, and accept the rest."""
    opened.press("End")
    opened.sees()
    opened.server.kill()
    opened.press("x")
    opened.wait("document.getElementById('connection').textContent.includes('Reconnecting')")
    opened.server.start()
    opened.context.new_page().goto(opened.server.url)
    opened.wait("document.getElementById('connection').hidden")
    opened.settled()
    opened.press("End")
    opened.sees()
    opened.press("Enter")
    opened.hears(f"{last - SCREEN} faces accepted")
    opened.settled()
