"""`audit` finds labels that are wrong, copies and contradictions, in real pictures and tables."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from any_networks import convolutional
from conftest import Folder
from PIL import Image
from typer.testing import Result

from training.audit import audit

Run = Callable[..., Result]
Rows = list[dict[str, str]]

COUNT = 30
WRONG = {"dark/7.png", "light/3.png", "light/19.png"}


def paint(folder: Folder, name: str, seed: int, level: int) -> Path:
    """Make a noisy picture as light as ``level``."""
    path = folder.noise(name, seed)
    Image.fromarray((np.asarray(Image.open(path)) // 4 + level).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def faces(folder: Folder) -> Folder:
    """Dark and light pictures, three of them in the wrong folder."""
    for label, name in enumerate(("dark", "light")):
        for index in range(COUNT):
            file = f"{name}/{index}.png"
            paint(folder, file, seed=1000 * label + index, level=150 * ((file in WRONG) ^ label))
    return folder


@pytest.fixture
def audited(run: Run, model: Path, tmp_path: Path) -> Callable[[Folder], Rows]:
    """Audit a folder and return the table."""

    def rows(folder: Folder) -> Rows:
        out = tmp_path / "audit.csv"
        result = run("audit", folder.path, "--out", out, "--model", model, "--workers", 1)
        assert result.exit_code == 0, result.output
        with out.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return rows


def test_wrong_labels_are_found_and_no_others(faces: Folder, audited: Callable[[Folder], Rows]) -> None:
    rows = audited(faces)

    assert {row["file"] for row in rows} == WRONG
    assert {(row["issue"], row["label"] != row["suggested"]) for row in rows} == {("label", True)}


def test_the_worst_comes_first(faces: Folder, audited: Callable[[Folder], Rows]) -> None:
    margins = [float(row["confidence"]) - float(row["suggested_probability"]) for row in audited(faces)]

    assert margins == sorted(margins)
    assert max(margins) < 0


def test_a_copy_is_named_with_the_picture_it_repeats(faces: Folder, audited: Callable[[Folder], Rows]) -> None:
    (faces.path / "dark" / "again.png").write_bytes((faces.path / "dark" / "0.png").read_bytes())
    found = [(row["file"], row["other"]) for row in audited(faces) if row["issue"] == "duplicate"]

    assert found == [("dark/again.png", "dark/0.png")]


def test_a_near_copy_is_told_from_a_copy(faces: Folder, audited: Callable[[Folder], Rows]) -> None:
    picture = Image.open(faces.path / "light" / "0.png")
    picture.save(faces.path / "light" / "again.jpg", quality=80)
    found = [(row["file"], row["other"]) for row in audited(faces) if row["issue"] == "near_duplicate"]

    assert found == [("light/again.jpg", "light/0.png")]


def test_a_picture_under_two_labels_is_a_conflict(faces: Folder, audited: Callable[[Folder], Rows]) -> None:
    (faces.path / "light" / "again.png").write_bytes((faces.path / "dark" / "0.png").read_bytes())
    conflicts = [row for row in audited(faces) if row["issue"] == "conflict"]

    assert [(row["file"], row["other"]) for row in conflicts] == [
        ("light/again.png", "dark/0.png"),
        ("dark/0.png", "light/again.png"),
    ]
    assert len({row["group"] for row in conflicts}) == 1


def test_copies_never_vouch_for_each_other() -> None:
    """Copies with a wrong label would agree on it, were they in two folds."""
    seen = np.random.default_rng(0).normal(0, 1, (200, 5)).astype(np.float32)
    labels, groups, copies = np.arange(200) % 2, np.arange(200), np.arange(1, 41, 2)
    seen[np.arange(200), labels] += 6
    seen[copies, 4] = 20  # What they have in common, and nothing else has, while all else says that they are a 1.
    labels[copies], groups[copies] = 0, 0
    probabilities = audit.out_of_fold(seen, labels, groups, 5)

    assert probabilities[copies, 0].max() < 0.5


def test_every_picture_is_judged() -> None:
    seen = np.random.default_rng(0).normal(0, 1, (100, 4)).astype(np.float32)
    probabilities = audit.out_of_fold(seen, np.arange(100) % 4, np.arange(100), 3)

    assert np.allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_the_table_can_be_of_another_format(run: Run, faces: Folder, model: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"audit{suffix}"
    run("audit", faces.path, "--out", out, "--model", model, "--workers", 1)
    if suffix == ".parquet":
        rows = pyarrow.parquet.read_table(out).to_pylist()
    else:
        rows = list(map(json.loads, out.read_text("utf-8").splitlines()))

    assert list(rows[0])[:2] == ["file", "label"]
    assert {row["file"] for row in rows} == WRONG


def test_labels_of_a_table_are_audited(run: Run, faces: Folder, model: Path, tmp_path: Path) -> None:
    files = [f"{name}/{index}.png" for name in ("dark", "light") for index in range(COUNT)]
    lines = [f"{file},{'night' if file[0] == 'd' else 'day'}" for file in files]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *lines, "dark/0.png,uncertain"]))
    out = tmp_path / "audit.csv"
    run("audit", faces.path, "--labels", tmp_path / "labels.csv", "--out", out, "--model", model, "--workers", 1)
    with out.open(newline="") as file:
        found = [(row["file"], row["label"], row["suggested"]) for row in csv.DictReader(file)]

    assert sorted(found) == [
        ("dark/7.png", "night", "day"),
        ("light/19.png", "day", "night"),
        ("light/3.png", "day", "night"),
    ]


def test_tied_votes_are_no_labels(run: Run, faces: Folder, model: Path, tmp_path: Path) -> None:
    files = [f"{name}/{index}.png" for name in ("dark", "light") for index in range(COUNT)]
    votes = ["2,2" if file == "dark/7.png" else "3,1" if file[0] == "d" else "0,4" for file in files]
    table = tmp_path / "votes.csv"
    table.write_text("\n".join(["file,night,day", *(f"{file},{two}" for file, two in zip(files, votes, strict=True))]))
    command = ["audit", faces.path, "--labels", table, "--out", tmp_path / "audit.csv", "--model", model, "--json"]
    summary = json.loads(run(*command, "--workers", 1).stdout)

    assert summary["n"] == 2 * COUNT - 1
    assert [line.rpartition("/")[2] for line in summary["skipped"]] == ["7.png: its votes are tied"]


def test_the_summary_counts_the_table(run: Run, faces: Folder, model: Path, tmp_path: Path) -> None:
    (faces.path / "dark" / "again.png").write_bytes((faces.path / "dark" / "0.png").read_bytes())
    out = tmp_path / "audit.csv"
    result = run("audit", faces.path, "--out", out, "--model", model, "--workers", 1, "--json", "--quiet")
    summary = json.loads(result.stdout)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert summary["issues"] == Counter(row["issue"] for row in rows) == {"label": 3, "duplicate": 1}
    assert summary["changes"] == {"light -> dark": 2, "dark -> light": 1}
    assert (summary["n"], summary["folds"], result.stderr) == (2 * COUNT + 1, 5, "")


def test_broken_pictures_are_named(run: Run, faces: Folder, model: Path, tmp_path: Path) -> None:
    faces.file("dark/broken.png")
    result = run("audit", faces.path, "--out", tmp_path / "audit.csv", "--model", model, "--workers", 1)

    assert result.exit_code == 1
    assert "skipped" in result.stderr
    assert "dark/broken.png" in result.stderr


def test_an_audit_that_is_there_is_kept(run: Run, faces: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit.csv"
    out.write_text("mine")
    result = run("audit", faces.path, "--out", out, "--model", model)

    assert (result.exit_code, out.read_text()) == (2, "mine")
    assert "exists already" in result.stderr


def test_a_class_too_small_for_the_folds_is_named(run: Run, faces: Folder, model: Path, tmp_path: Path) -> None:
    for index in range(6):  # Of these, two are different.
        paint(faces, f"rare/{index}.png", seed=index % 2, level=80)
    result = run("audit", faces.path, "--out", tmp_path / "audit.csv", "--model", model, "--workers", 1)

    assert result.exit_code == 2
    assert "rare has 2 photos that are no copies of each other, too few for 5 folds" in " ".join(result.stderr.split())
    assert not (tmp_path / "audit.csv").exists()


def test_the_features_of_an_added_network_are_those_of_its_own_crops(faces: Folder, run: Run, tmp_path: Path) -> None:
    model = convolutional(tmp_path / "any.onnx", 96, 2, class_names=["cat", "dog"])
    out = tmp_path / "audit.csv"
    result = run("audit", faces.path, "--out", out, "--model", model, "--workers", 1, "--faces", "whole")

    assert result.exit_code == 0, result.output
    with out.open(newline="", encoding="utf-8") as file:
        assert {row["file"] for row in csv.DictReader(file) if row["issue"] == "label"} >= WRONG
