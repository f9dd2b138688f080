"""Two classes or a thousand, whatever they are called: through every command, all columns or the most probable ones."""

from __future__ import annotations

import csv
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Folder, make_bundle
from typer.testing import Result

from labeler import storage
from labeler.review.current import Current
from labeler.review.desk import Desk
from labeler.review.thumbnails import Thumbnails
from labeler.review.tile_cache import TileCache
from labeler.review.views import Wanted
from labeler.sorting.folders import Folders, key, plain
from labeler.tables import corrections, index, reader
from labeler.tables.review_log import Log

Run = Callable[..., Result]

NAMES = (
    "tench, Tinca tinca", "n/a", "../up", "C:\\x", "con", "CON", "nul.txt", "..", "trailing.", "Trailing", "trailing",
    "=1+1", "it's", '"quoted"', "<b>&amp;</b>", "[red]x[/red]", "😀", "שלום", "é", "e\u0301", "label_2", "LABEL_0",
    "class_name", "x" * 200, "é" * 200, "a" * 199 + "b", "7", "{}", "%s", "*",
)  # fmt: skip
MANY = (*NAMES, *(f"class {number}" for number in range(1000 - len(NAMES))))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("many") / "model.onnx", MANY, side=16, input_size=16)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("two") / "model.onnx", ("mask on", "n/a"), side=16, input_size=16)


@pytest.fixture
def photos(folder: Folder) -> Path:
    for seed in range(6):
        folder.noise(f"{seed}.png", seed)
    return folder.path


def classified(run: Run, photos: Path, model: Path, out: Any, *options: object) -> Any:
    result = run("classify", photos, "--out", out, "--model", model, "--workers", "1", "--quiet", *options)
    assert result.exit_code == 0, result.output
    return out


def refused(result: Result) -> str:
    assert result.exit_code == 2, result.output
    assert result.output.count("\n") == 1
    return result.output


@pytest.mark.parametrize(
    ("which", "options"), [("two", ()), ("two", ("--top", "1")), ("many", ()), ("many", ("--top", "5"))]
)
def test_photos_are_labelled_reported_sorted_and_reviewed(
    request: pytest.FixtureRequest, run: Run, photos: Path, tmp_path: Path, which: str, options: tuple[str, ...]
) -> None:
    table = classified(run, photos, request.getfixturevalue(which), tmp_path / "t.csv", *options)
    rows = list(reader.read(table))
    report = run("report", table, "--out", tmp_path / "r.html", "--quiet")
    sorted_ = run("sort", table, "--into", tmp_path / "sorted", "--quiet")
    again = run("sort", table, "--into", tmp_path / "sorted", "--quiet", "--json")
    desk = opened(table)

    assert (report.exit_code, sorted_.exit_code) == (0, 0), report.output + sorted_.output
    assert len(list((tmp_path / "sorted").glob("*/*.png"))) == len(rows) == 6
    assert sum(json.loads(again.stdout).values()) == 6
    assert desk.table()["classes"] == list(reader.class_names(table))
    assert sum(desk.table()["counts"].values()) == 6
    assert [desk.views.make(Wanted(order=order))[1] for order in ("surest", "doubtful", "wrong")] == [6, 6, 6]
    assert run("sort", "--undo", tmp_path / "sorted", "--quiet").exit_code == 0
    assert list((tmp_path / "sorted").glob("*/*.png")) == []


def relabel(table: Path) -> None:
    """Give the six rows of a CSV table labels that are hard to write and to make folders of."""
    lines = table.read_text("utf-8").splitlines()
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        for line, name in zip(csv.reader(lines), ["label", *NAMES[2:8]], strict=True):
            writer.writerow([*line[:7], name, *line[8:]])


def test_photos_go_into_folders_one_for_each_class_and_back(run: Run, photos: Path, many: Path, tmp_path: Path) -> None:
    table, into = classified(run, photos, many, tmp_path / "t.csv", "--top", "2"), tmp_path / "sorted"
    relabel(table)
    command = ("sort", table, "--into", into, "--mode", "move", "--quiet")

    assert run(*command).exit_code == 0
    assert sorted(path.parent.parent for path in into.glob("*/*.png")) == [into] * 6
    assert len({path.parent.name.casefold() for path in into.glob("*/*.png")}) == 6
    assert run(*command).exit_code == 0
    assert run("sort", "--undo", into, "--quiet").exit_code == 0
    assert len(list(photos.glob("*.png"))) == 6


def opened(table: Path) -> Desk:
    root = reader.root(table)
    current = Current(index.load(table), Log.of(table), "ann", corrections.hashes(root))
    thumbnails = Thumbnails(storage.at(root), 10**8, TileCache(None))
    return Desk(table, current, thumbnails, read_only=True, stopping=threading.Event())


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (("calibrate", "t.csv", "--out", "u.csv"), "calibrate"),
        (("review", "t.csv", "--certify"), "a certificate"),
        (("adapt", "t.csv", "--out", "runs", "--model", "MODEL"), "adapt"),
        (("reviews", "merge", "t.csv", "--decide", "cleanlab"), "--decide cleanlab"),
    ],
)
def test_what_needs_all_probabilities_says_so(
    run: Run,
    photos: Path,
    many: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    what: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    classified(run, photos, many, Path("t.csv"), "--top", "5")
    said = refused(run(*(many if word == "MODEL" else word for word in command)))

    assert f"t.csv was made with --top 5, and {what} needs the probabilities of all classes" in said
    assert "run classify without --top" in said


def test_what_needs_labels_and_scores_works(run: Run, photos: Path, many: Path, tmp_path: Path) -> None:
    table = classified(run, photos, many, tmp_path / "t.csv", "--top", "5")
    whole = classified(run, photos, many, tmp_path / "all.csv")
    diff = run("diff", whole, table, "--json")
    info = run("show", table, "--json")
    drawn = run("annotate", table, "--out", tmp_path / "drawn", "--quiet")

    assert json.loads(diff.stdout)["agreement"]["share"] == 1, diff.output
    assert drawn.exit_code == 0, drawn.output
    assert "certify" not in str(json.loads(info.stdout)["next"])


def test_the_most_probable_classes_are_those_of_the_whole_table(
    run: Run, photos: Path, many: Path, tmp_path: Path
) -> None:
    few = list(reader.read(classified(run, photos, many, tmp_path / "t.parquet", "--top", "5")))
    for row, whole in zip(few, reader.read(classified(run, photos, many, tmp_path / "all.parquet")), strict=True):
        best = sorted(zip(whole.probabilities, MANY, strict=True), key=lambda pair: -pair[0])[:5]
        assert (row.label, row.score) == (whole.label, whole.score) == (best[0][1], best[0][0])
        assert row.further == tuple(cell for share, name in best[1:] for cell in (name, share))


def test_more_than_there_are_classes_is_refused(run: Run, photos: Path, two: Path, tmp_path: Path) -> None:
    said = refused(run("classify", photos, "--out", tmp_path / "t.csv", "--model", two, "--top", "5"))

    assert "--top 5: the model has 2 classes" in said
    assert list(tmp_path.glob("t.csv*")) == []


def test_parts_and_their_merge_name_the_most_probable_classes(
    run: Run, photos: Path, many: Path, tmp_path: Path
) -> None:
    one = classified(run, photos, many, tmp_path / "t.csv", "--top", "3")
    parts = classified(run, photos, many, f"{tmp_path}/parts/", "--top", "3", "--unit-size", "4")
    other = run("classify", photos, "--out", parts, "--model", many, "--top", "2", "--unit-size", "4")
    merged = run("merge", parts, "--out", tmp_path / "m.csv", "--quiet")

    assert merged.exit_code == 0, merged.output
    assert "--top was 3, is 2" in refused(other)
    assert (tmp_path / "m.csv").read_bytes() == one.read_bytes()
    assert reader.layout(Path(parts)) == reader.layout(one)


@pytest.mark.parametrize(
    "form", ["imagefolder", "yolo-cls", "parquet", "croissant", "cvat", "label-studio", "coco", "voc"]
)
def test_exports_hold_whatever_classes_are_called(
    run: Run, photos: Path, many: Path, tmp_path: Path, form: str
) -> None:
    table = classified(run, photos, many, tmp_path / "t.csv", "--top", "2")
    relabel(table)
    result = run("export", table, "--to", form, "--out", tmp_path / "out", "--split", "1", "--quiet")

    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "photos", "t.csv", "t.csv.run.json"]


def test_a_thousand_classes_have_a_folder_each_on_every_disk() -> None:
    folders = Folders(MANY)
    found = [folders.named(name) for name in MANY]

    assert len(set(map(key, found))) == len(MANY)
    assert all(plain(name) == name and len(name.encode()) <= 255 for name in found)
    turned = Folders(reversed(MANY))
    assert found == [turned.named(name) for name in MANY]
    assert [folders.named(name) for name in ("tench, Tinca tinca", "n/a", "con", "nul.txt")] == [
        "tench, Tinca tinca", "n_a", "_con-1143da2b", "_nul.txt",
    ]  # fmt: skip
