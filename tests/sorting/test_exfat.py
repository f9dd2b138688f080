"""`labeler sort` onto exFAT: a disk without links, on which names differ in more than case and may not hold a colon."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from conftest import Folder
from disks import snapshot
from kills import killed

from labeler.errors import LabelerError
from labeler.records import Row
from labeler.sorting import sort as sorting
from labeler.sorting.sort import Mode, Outcome
from labeler.storage import transfer

REFUSED = ("a:b.jpg", "who?.jpg", "star*.jpg", 'quote".jpg', "a|b.jpg", "<1>.jpg", "c:d/1.jpg", "sub/e:f/1.jpg")
TAKEN = ("1.jpg", "sub/2.jpg", "été.jpg")
PLACED = [Mode.COPY, Mode.MOVE]


def sort(
    photos: Path, into: Path, rows: list[Row], mode: Mode = Mode.COPY, *, flat: bool = False
) -> dict[str, Outcome]:
    classes = {row.label for row in rows}
    with sorting.held(into, str(photos)):
        plan = sorting.plan(rows, str(photos), into, mode, flat=flat, class_names=classes)
        return {os.path.relpath(move.source, photos): move.outcome for move in sorting.apply(plan, into)}


def undo(into: Path) -> list[Outcome]:
    with sorting.undo(into) as moves:
        return [move.outcome for move in moves]


def happy(folder: Folder, *names: str) -> list[Row]:
    for name in names:
        folder.file(name, name.encode())
    return [Row(name, face=0, label="happy") for name in names]


@pytest.mark.parametrize("mode", PLACED)
def test_a_name_that_the_disk_refuses_costs_one_file(folder: Folder, exfat: Path, mode: Mode) -> None:
    rows = happy(folder, *REFUSED, *TAKEN)
    before = snapshot(folder.path)
    outcomes = sort(folder.path, exfat / "sorted", rows, mode)

    assert outcomes == dict.fromkeys(REFUSED, Outcome.BLOCKED) | dict.fromkeys(TAKEN, Outcome.SORTED)
    assert not [path for path in exfat.rglob("*") if transfer.UNFINISHED.fullmatch(path.name)]
    assert sort(folder.path, exfat / "sorted", rows, mode) == outcomes | dict.fromkeys(TAKEN, Outcome.THERE)
    assert undo(exfat / "sorted") == [Outcome.UNDONE] * len(TAKEN)
    assert (names(snapshot(folder.path)), os.listdir(exfat)) == (names(before), [])


def names(found: dict[str, object]) -> dict[str, object]:
    """Return the files without their times: exFAT counts in steps of ten milliseconds, or two seconds."""
    return {path: content[0] if isinstance(content, tuple) else content for path, content in found.items()}


@pytest.mark.parametrize("mode", [Mode.SYMLINK, Mode.HARDLINK])
def test_links_that_the_disk_does_not_know_say_what_to_do(folder: Folder, exfat: Path, mode: Mode) -> None:
    rows = happy(folder, *TAKEN)
    with pytest.raises(LabelerError, match=r"link.*Use --mode copy") as refusal:
        sort(folder.path, exfat / "sorted", rows, mode)

    assert refusal.value.exit_code == 2
    assert undo(exfat / "sorted") == []
    assert os.listdir(exfat) == []


@pytest.mark.parametrize("mode", PLACED)
def test_names_that_differ_in_case_alone_are_all_kept(folder: Folder, exfat: Path, mode: Mode) -> None:
    rows = happy(folder, "a/1.jpg", "b/1.JPG", "A/2.jpg", "a/É.jpg", "b/e\u0301.jpg")
    before = names(snapshot(folder.path))
    outcomes = sort(folder.path, exfat / "sorted", rows, mode, flat=True)

    assert set(outcomes.values()) == {Outcome.SORTED}
    assert len(os.listdir(exfat / "sorted" / "happy")) == len(rows)
    assert undo(exfat / "sorted") == [Outcome.UNDONE] * len(rows)
    assert names(snapshot(folder.path)) == before


def test_classes_that_differ_in_case_alone_have_a_folder_each(folder: Folder, exfat: Path) -> None:
    rows = [
        row._replace(label=label)
        for row, label in zip(happy(folder, "1.jpg", "2.jpg"), ["Happy", "happy"], strict=True)
    ]
    sort(folder.path, exfat / "sorted", rows)

    assert sorted(len(list(path.iterdir())) for path in (exfat / "sorted").iterdir() if path.is_dir()) == [1, 1]


@pytest.mark.parametrize("mode", PLACED)
def test_photos_on_the_disk_are_sorted_and_put_back(folder: Folder, exfat: Path, mode: Mode) -> None:
    photos = Folder(exfat / "photos")
    rows = happy(photos, *TAKEN)
    before = names(snapshot(photos.path))
    for into in (folder.path / "sorted", exfat / "sorted"):
        assert set(sort(photos.path, into, rows, mode).values()) == {Outcome.SORTED}
        assert undo(into) == [Outcome.UNDONE] * len(rows)
        assert names(snapshot(photos.path)) == before


def test_a_name_that_the_old_place_refuses_now_is_kept_by_undo(folder: Folder, exfat: Path) -> None:
    photos = folder.path / "disk"
    into = folder.path.parent / "sorted"
    sort(photos, into, happy(Folder(photos), "a:b.jpg", "1.jpg"), Mode.MOVE)
    photos.rmdir()
    photos.symlink_to(exfat)

    assert undo(into) == [Outcome.UNDONE, Outcome.REFUSED]
    assert (into / "happy" / "a:b.jpg").read_bytes() == b"a:b.jpg"
    photos.unlink()
    photos.mkdir()
    assert undo(into) == [Outcome.UNDONE]
    assert (photos / "a:b.jpg").read_bytes() == b"a:b.jpg"


@pytest.mark.parametrize("mode", PLACED)
def test_a_sort_onto_the_disk_killed_at_any_step_is_completed_and_undone(
    folder: Folder, exfat: Path, mode: Mode
) -> None:
    rows = happy(folder, "a/1.jpg", "A/1.JPG", "a:b.jpg")
    before = names(snapshot(folder.path))
    for step in range(0, 1000, 3):
        into = exfat / f"sorted{step}"
        if not killed(step, partial(sort, folder.path, into, rows, mode)):
            break
        outcomes = sort(folder.path, into, rows, mode)
        assert outcomes["a:b.jpg"] is Outcome.BLOCKED
        assert set(undo(into)) == {Outcome.UNDONE}
        assert (names(snapshot(folder.path)), list(into.rglob("*"))) == (before, []), f"killed before step {step}"
    assert step > 10
