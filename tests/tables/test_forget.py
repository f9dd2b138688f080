"""Whatever the program keeps of a photo is erased; the photo, and all that belongs to others, stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, Folder
from disks import snapshot
from kills import killed_before
from odd_rows import ODD_NAMES, record_of, write_finished
from reviewing import event, undo
from typer.testing import Result

from labeler.errors import LabelerError
from labeler.records import Face, Row
from labeler.storage.lock import Lock
from labeler.storage.store import key
from labeler.tables import reader, review_log, run_record
from labeler.tables.forget import forget
from labeler.tables.review_log import Log

Run = Callable[..., Result]


@pytest.fixture(params=[".csv", ".jsonl", ".parquet"])
def table(request: pytest.FixtureRequest, run: Run, folder: Folder, model: Path, tmp_path: Path) -> Path:
    """A table of four crops with everything that may stand beside it."""
    for number, name in enumerate(("a.png", "b.png", "sub/c.png", "sub/d.png")):
        folder.noise(name, seed=number)
    path = tmp_path / f"t{request.param}"
    command = ("classify", folder.path, "--out", path, "--model", model, "--save-crops", tmp_path / "crops", "-q")
    assert run(*command).exit_code == 0
    Log.of(path).append(
        [
            event("angry", 1, file="a.png"),
            event("angry", 2, file="sub/c.png"),
            undo(2, 3),
            event("sad", 4, file="a.png"),
        ]
    )
    cache = tmp_path / f"{path.name}.cache"
    cache.mkdir()
    (cache / "hashes.sqlite").write_bytes(b"hashes of a.png")
    return path


def holds(folder: Path, name: str) -> list[str]:
    """Return the files below a folder, but for photos, that name a photo or are named after it."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "photos" not in path.parts and (name in str(path) or name.encode() in path.read_bytes())
    )


def test_nothing_is_left_of_a_photo_but_the_photo(run: Run, table: Path, folder: Folder, tmp_path: Path) -> None:
    photos = snapshot(folder.path)
    others = [row for row in reader.read(table) if row.file != "a.png"]
    result = run("forget", "a.png", "--table", table, "--json")
    found = json.loads(result.stdout)

    assert result.exit_code == 0, result.output
    assert (found["files"], found["rows"], found["corrections"]) == (["a.png"], 1, 2)
    assert found["crops"] == [str(tmp_path / "crops" / "a.png.face0.png")]
    assert found["cache"] == str(tmp_path / f"{table.name}.cache")
    assert holds(tmp_path, "a.png") == []
    assert snapshot(folder.path) == photos
    assert list(reader.read(table)) == others
    assert [one.file for one in Log.of(table).read()] == ["sub/c.png", ""]
    assert sorted(path.name for path in (tmp_path / "crops").rglob("*.png")) == [
        "b.png.face0.png", "c.png.face0.png", "d.png.face0.png"
    ]  # fmt: skip
    record = run_record.read(table)
    assert record
    assert (record.counts["files"], record.counts["faces"], record.counts["ok"]) == (3, 3, 3)


def test_a_table_without_some_photos_has_no_certificate(run: Run, table: Path) -> None:
    """It was of other faces: the cards are drawn anew."""
    record = run_record.read(table)
    assert record
    run_record.write(table, replace(record, certificate={"sentence": "98.0% of the labels are right"}), "")
    assert run("forget", "a.png", "--table", table, "-q").exit_code == 0
    left = run_record.read(table)

    assert left
    assert left.certificate is None


def test_the_same_run_goes_on_without_the_photo(
    run: Run, table: Path, folder: Folder, model: Path, tmp_path: Path
) -> None:
    assert run("forget", "a.png", "--table", table, "-q").exit_code == 0
    rest = list(reader.read(table))
    os.unlink(folder.path / "a.png")
    folder.noise("e.png", seed=9)
    command = ("classify", folder.path, "--out", table, "--model", model, "--save-crops", tmp_path / "crops", "-q")

    assert run(*command).exit_code == 0
    assert [row for row in reader.read(table) if row.file != "e.png"] == rest


def test_of_a_table_without_other_photos_nothing_is_left(run: Run, table: Path, folder: Folder, tmp_path: Path) -> None:
    photos = ("a.png", "b.png", "sub/c.png", "sub/d.png")
    assert run("forget", *photos, "--table", table, "-q").exit_code == 0
    left = [path for path in tmp_path.rglob("*") if path.is_file() and folder.path not in path.parents]

    assert [path.name for path in left if path.suffix != ".onnx"] == []


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run, table: Path, tmp_path: Path) -> None:
    before = snapshot(tmp_path)
    dry = run("forget", "a.png", "--table", table, "--dry-run", "--json")
    assert snapshot(tmp_path) == before
    assert "would be erased" in dry.stderr

    assert json.loads(run("forget", "a.png", "--table", table, "--json", "-q").stdout) == json.loads(dry.stdout)


KEPT = (
    "thumbnails.sqlite",
    "thumbnails.sqlite-shm",
    "thumbnails.sqlite-wal",
    "alike-0123456789abcdef.codes",
    "alike-0123456789abcdef.codes.aside1",
    ".alike-0123456789abcdef.part.codes",
    "alike.ranks",
    ".alike.part.ranks",
)
OTHERS = ("my.sqlite", "thumbnails.sqlite.txt", "alike.codes.md", "alike-mine.codes", "photo.jpg", "sub")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A folder of `review --cache`, which holds other things, too."""
    folder = tmp_path / "elsewhere"
    (folder / "sub").mkdir(parents=True)
    for name in (*KEPT, *OTHERS[:-1], "sub/thumbnails.sqlite"):
        (folder / name).write_bytes(b"x")
    return folder


def test_what_reviews_kept_in_another_folder_goes_and_the_rest_of_it_stays(run: Run, table: Path, cache: Path) -> None:
    result = run("forget", "a.png", "--table", table, "--cache", cache, "--json")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["kept"] == sorted(str(cache / name) for name in KEPT)
    assert str(cache / "thumbnails.sqlite") in result.stderr.replace("\n", "")
    assert sorted(path.name for path in cache.iterdir()) == sorted(OTHERS)
    assert (cache / "sub" / "thumbnails.sqlite").exists()
    assert run("forget", "b.png", "--table", table, "--cache", cache, "-q").exit_code == 0


def test_the_folder_beside_the_table_may_be_named(run: Run, table: Path, tmp_path: Path) -> None:
    beside = tmp_path / f"{table.name}.cache"
    (beside / "thumbnails.sqlite").write_bytes(b"x")

    assert run("forget", "a.png", "--table", table, "--cache", beside, "-q").exit_code == 0
    assert not beside.exists()
    assert run("forget", "b.png", "--table", table, "--cache", "none", "-q").exit_code == 0


def test_another_folder_that_is_gone_or_leads_elsewhere_erases_nothing(
    run: Run, table: Path, cache: Path, tmp_path: Path
) -> None:
    (cache / "thumbnails.sqlite").unlink()
    (cache / "thumbnails.sqlite").symlink_to(cache / "photo.jpg")
    before = snapshot(tmp_path)
    for place in (cache, tmp_path / "gone", cache / "photo.jpg"):
        result = run("forget", "a.png", "--table", table, "--cache", place, "-q")
        assert (result.exit_code, result.stderr.count("\n")) == (2, 1), result.output
    assert snapshot(tmp_path) == before


def test_a_photo_may_be_named_by_its_path(
    run: Run, table: Path, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.path / "sub")
    assert run("forget", "c.png", folder.path / "b.png", "--table", table, "-q").exit_code == 0
    assert [row.file for row in reader.read(table)] == ["a.png", "sub/d.png"]


def test_what_is_no_photo_of_the_table_stops_it_before_anything_is_erased(
    run: Run, table: Path, folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder.path / "a.png", folder.path / "sub" / "a.png")
    Log.of(table).append([event("sad", 5, file="sub/a.png")])
    before = snapshot(tmp_path)
    assert "names no photo x.png" in run("forget", "a.png", "x.png", "--table", table).stderr
    monkeypatch.chdir(folder.path / "sub")
    assert "the path of another" in run("forget", "a.png", "--table", table).stderr
    assert run("forget", "a.png", "--table", tmp_path / "none.csv").exit_code == 2
    assert snapshot(tmp_path) == before


def test_nothing_is_erased_while_another_program_writes(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_log, "PATIENCE_S", 0.05)
    before = snapshot(tmp_path)
    for name in (f"{table.name}.lock", f"{table.name}.reviews.lock"):
        lock = Lock(tmp_path / name)
        with pytest.raises(LabelerError, match="another"):
            forget(["a.png"], table)
        lock.release()
    run_record.beside(table, run_record.PART).touch()
    with pytest.raises(LabelerError, match="was not completed"):
        forget(["a.png"], table)
    os.unlink(run_record.beside(table, run_record.PART))

    assert snapshot(tmp_path) == before


def test_killed_before_any_step_the_same_call_completes_it(table: Path, tmp_path: Path) -> None:
    whole = tmp_path.with_name(f"{tmp_path.name}-whole")
    shutil.copytree(tmp_path, whole)
    ends: set[int] = set()
    for step in count():
        shutil.rmtree(tmp_path)
        shutil.copytree(whole, tmp_path)
        ends.add(killed_before(step, lambda: forget(["a.png"], table)))
        if 0 in ends:
            break
        read = [row.file for row in reader.read(table)]
        assert read[-3:] == ["b.png", "sub/c.png", "sub/d.png"]
        if "a.png" in read:
            forget(["a.png"], table)
        record = run_record.read(table)
        assert record
        assert record.counts["files"] == 3
        assert [row.file for row in reader.read(table)] == ["b.png", "sub/c.png", "sub/d.png"]
        assert [one.file for one in Log.of(table).read()] == ["sub/c.png", ""]
        assert holds(tmp_path, "a.png") == []
    shutil.rmtree(whole)

    assert ends == {0, -signal.SIGKILL}
    assert step > 20


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_photos_with_hostile_names_are_erased_one_by_one(tmp_path: Path, suffix: str) -> None:
    table = tmp_path / f"odd{suffix}"
    names = sorted(ODD_NAMES, key=key)
    rows = [
        Row.of_image(name, 64, 64, "1-1")
        .located(0, Face(0.0, 0.0, 64.0, 64.0))
        .labelled((0.1, 0.2, 0.7), CLASS_NAMES, 0)
        for name in names
    ]
    write_finished(table, record_of(CLASS_NAMES, root="/photos"), rows)
    Log.of(table).append([event("sad", at, file=name) for at, name in enumerate(names)])
    while len(names) > 1:
        name = names.pop(len(names) // 2)
        forget([name], table)
        assert [row.file for row in reader.read(table)] == names
        assert [one.file for one in Log.of(table).read()] == names


def test_a_path_that_a_table_has_whole_is_found(run: Run, folder: Folder, model: Path, tmp_path: Path) -> None:
    photo = folder.noise("a.png", seed=1)
    other = folder.noise("b.png", seed=2)
    table = tmp_path / "t.csv"
    command = ("classify", photo, other, "--out", table, "--model", model, "--absolute", "-q")
    assert run(*command).exit_code == 0
    forget([str(photo)], table)
    record = run_record.read(table)

    assert [row.file for row in reader.read(table)] == [str(other)]
    assert record
    assert record.inputs == (str(other),)
