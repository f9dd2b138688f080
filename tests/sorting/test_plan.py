"""Where `labeler sort` puts each file."""

from __future__ import annotations

import os
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from conftest import Folder

from labeler.errors import LabelerError
from labeler.records import Row, Status
from labeler.sorting.sort import Mode, Outcome, apply, plan
from labeler.storage import transfer


def targets(folder: Folder, rows: list[Row], *, flat: bool = False, classes: Sequence[str] = ()) -> list[str]:
    into = folder.path.parent / "sorted"
    return [move.target for move in plan(rows, str(folder.path), into, flat=flat, class_names=classes)]


def row(folder: Folder, name: str, label: str = "happy", content: bytes | None = None) -> Row:
    folder.file(name, content if content is not None else name.encode())
    return Row(name, face=0, label=label)


def test_each_label_has_a_folder(folder: Folder) -> None:
    rows = [row(folder, "1.jpg", "happy"), row(folder, "2.jpg", "uncertain")]

    assert targets(folder, rows) == ["happy/1.jpg", "uncertain/2.jpg"]


@pytest.mark.parametrize(
    ("status", "name"),
    [(Status.NO_FACE, "no_face"), (Status.UNREADABLE, "failed"), (Status.TOO_LARGE, "failed")],
)
def test_a_file_without_a_label_goes_where_its_status_says(folder: Folder, status: Status, name: str) -> None:
    folder.file("1.jpg")

    assert targets(folder, [Row("1.jpg", status=status, reason="so it is")]) == [f"{name}/1.jpg"]


def test_a_photo_of_several_people_goes_where_its_largest_face_goes(folder: Folder) -> None:
    folder.file("1.jpg")
    rows = [Row("1.jpg", face=1, label="sad"), Row("1.jpg", face=0, label="happy"), Row("1.jpg", face=2, label="sad")]

    assert targets(folder, rows) == ["happy/1.jpg"]


def test_subfolders_are_kept(folder: Folder) -> None:
    assert targets(folder, [row(folder, "holiday/sea/1.jpg")]) == ["happy/holiday/sea/1.jpg"]


def test_flattened_files_of_one_name_are_numbered(folder: Folder) -> None:
    rows = [row(folder, f"{name}/1.jpg") for name in ("a", "b", "c")]

    assert targets(folder, rows, flat=True) == ["happy/1.jpg", "happy/1-2.jpg", "happy/1-3.jpg"]


def test_a_number_that_is_a_name_already_is_not_given_twice(folder: Folder) -> None:
    rows = [row(folder, "a/1.jpg"), row(folder, "a/1-2.jpg"), row(folder, "b/1.jpg")]

    assert targets(folder, rows, flat=True) == ["happy/1.jpg", "happy/1-2.jpg", "happy/1-3.jpg"]


@pytest.mark.parametrize("other", ["ÉTÉ.JPG", unicodedata.normalize("NFD", "été.jpg")])
def test_names_that_some_disk_takes_for_one_are_numbered(folder: Folder, other: str) -> None:
    first = row(folder, f"a/{unicodedata.normalize('NFC', 'été.jpg')}")
    second = row(folder, f"b/{other}")

    assert targets(folder, [first, second], flat=True)[1] == f"happy/{Path(other).stem}-2{Path(other).suffix}"


def test_a_numbered_name_is_not_too_long_for_the_disk(folder: Folder) -> None:
    name = "x" * 251 + ".jpg"
    numbered = targets(folder, [row(folder, f"a/{name}"), row(folder, f"b/{name}")], flat=True)[1]

    assert len(numbered.partition("/")[2]) == 255


def test_what_is_long_after_a_dot_is_no_suffix_to_be_kept_whole(folder: Folder) -> None:
    name = "x." + "y" * 253
    numbered = targets(folder, [row(folder, f"a/{name}"), row(folder, f"b/{name}")], flat=True)[1]

    assert (len(numbered.partition("/")[2]), numbered[-3:]) == (255, "y-2")


def test_a_name_that_looks_like_a_half_done_copy_is_changed(folder: Folder) -> None:
    name = os.path.basename(transfer.unfinished("1.jpg"))

    assert targets(folder, [row(folder, name)]) == [f"happy/_{name}"]


def test_a_different_file_that_stands_there_is_left_alone(folder: Folder) -> None:
    Folder(folder.path.parent).file("sorted/happy/1.jpg", b"of the user's own")

    assert targets(folder, [row(folder, "1.jpg")]) == ["happy/1-2.jpg"]


def test_the_same_picture_that_stands_there_is_taken_for_sorted(folder: Folder) -> None:
    Folder(folder.path.parent).file("sorted/happy/1.jpg", b"the same")
    [move] = plan([row(folder, "1.jpg", content=b"the same")], str(folder.path), folder.path.parent / "sorted")

    assert (move.target, move.outcome) == ("happy/1.jpg", Outcome.THERE)


def test_a_vanished_file_is_reported(folder: Folder) -> None:
    moves = plan([Row("gone.jpg", label="happy")], str(folder.path), folder.path.parent / "sorted")

    assert [move.outcome for move in moves] == [Outcome.MISSING]


@pytest.mark.parametrize(
    "name", ["nul\0.jpg", "surrogate\ud800.jpg", "", "nul\0/1.jpg", "surrogate\ud800/1.jpg", "x" * 5000]
)
def test_a_name_that_no_disk_can_hold_is_reported_as_missing(folder: Folder, name: str) -> None:
    into = folder.path.parent / "sorted"
    moves = apply(plan([Row(name, label="happy")], str(folder.path), into), into)

    assert [move.outcome for move in moves] == [Outcome.MISSING]


@pytest.mark.parametrize(
    "label",
    [
        *("../../etc", "a/b", "/etc", "..\\x", "C:\\x", "CON", "nul.txt", "com1", ".", "..", "", " ", ".hidden"),
        *("a\0b", "a\nb", "end.", "x" * 1000, "é" * 1000, "\ud800"),
    ],
)
def test_a_label_is_one_visible_folder_whatever_it_says(folder: Folder, label: str) -> None:
    into = folder.path.parent / "sorted"
    moves = plan([row(folder, "1.jpg", label)], str(folder.path), into)
    assert [move.outcome for move in apply(moves, into)] == [Outcome.SORTED]

    assert [path.parent.parent for path in into.rglob("[!.]*.jpg")] == [into]


def test_a_label_that_was_cut_does_not_end_in_a_dot(folder: Folder) -> None:
    label = f"{'x' * 126}.y"

    assert targets(folder, [row(folder, "1.jpg", label)], classes=[label]) == [f"{'x' * 126}/1.jpg"]


@pytest.mark.parametrize("label", ["CON", "nul.txt", "com1", "a/b", "a:b", "end.", ".hidden", ""])
def test_a_label_that_some_disk_refuses_is_changed(folder: Folder, label: str) -> None:
    assert targets(folder, [row(folder, "1.jpg", label)]) != [f"{label}/1.jpg"]


def test_a_file_from_outside_the_root_does_not_leave_the_sorted_folder(folder: Folder) -> None:
    Folder(folder.path.parent).file("elsewhere/1.jpg")

    assert targets(folder, [Row("../elsewhere/1.jpg", label="happy")]) == ["happy/1.jpg"]


def test_absolute_names_keep_their_subfolders_below_the_root(folder: Folder) -> None:
    path = folder.file("holiday/1.jpg")

    assert targets(folder, [Row(str(path), label="happy")]) == ["happy/holiday/1.jpg"]


def test_absolute_names_outside_the_root_give_their_last_part(folder: Folder) -> None:
    path = Folder(folder.path.parent).file("elsewhere/1.jpg")

    assert targets(folder, [Row(str(path), label="happy")]) == ["happy/1.jpg"]


@pytest.mark.parametrize("name", ["../elsewhere/1.jpg", "sub/../../elsewhere/1.jpg", "{parent}/elsewhere/1.jpg"])
def test_a_file_from_outside_the_root_is_never_moved(folder: Folder, name: str) -> None:
    Folder(folder.path.parent).file("elsewhere/1.jpg")
    rows = [Row(name.format(parent=folder.path.parent), label="happy")]
    moves = plan(rows, str(folder.path), folder.path.parent / "sorted", Mode.MOVE)

    assert [move.outcome for move in moves] == [Outcome.OUTSIDE]


def test_a_table_that_names_one_file_a_hundred_thousand_times_sorts_it_once(folder: Folder) -> None:
    folder.file("1.jpg")
    rows = [Row("./" * (number > 99_000) + "1.jpg", label=f"label{number}") for number in range(100_000)]

    assert targets(folder, rows) == ["label0/1.jpg"]


def test_a_file_behind_a_link_that_leads_out_of_the_sorted_folder_is_left(folder: Folder) -> None:
    parent = Folder(folder.path.parent)
    parent.file("elsewhere/own.txt")
    parent.file("sorted/own.txt")
    (parent.path / "sorted" / "happy").symlink_to(parent.path / "elsewhere")
    moves = plan([row(folder, "1.jpg")], str(folder.path), parent.path / "sorted")

    assert [move.outcome for move in moves] == [Outcome.BLOCKED]


@pytest.mark.parametrize("into", [".", "..", "../.", "../photos"])
def test_a_folder_that_contains_the_photos_is_refused(folder: Folder, into: str) -> None:
    with pytest.raises(LabelerError, match="contains the photos"):
        plan([row(folder, "1.jpg")], str(folder.path), folder.path / into)


def test_a_link_to_the_photos_is_refused(folder: Folder) -> None:
    link = folder.path.parent / "link"
    link.symlink_to(folder.path)

    with pytest.raises(LabelerError, match="contains the photos"):
        plan([row(folder, "1.jpg")], str(folder.path), link)


def test_files_in_a_sorted_folder_reached_by_a_link_are_not_sorted_again(folder: Folder) -> None:
    link = folder.path.parent / "link"
    there = row(folder, "below/2.jpg")
    link.symlink_to("photos/below")
    moves = plan([row(folder, "1.jpg"), there], str(folder.path), link)

    assert [move.outcome for move in moves] == [Outcome.PLANNED, Outcome.THERE]


def test_a_link_to_itself_is_refused(folder: Folder) -> None:
    link = folder.path.parent / "link"
    link.symlink_to("link")

    with pytest.raises(LabelerError, match="symbolic links"):
        plan([row(folder, "1.jpg")], str(folder.path), link)


@pytest.fixture
def mounted(folder: Folder) -> Iterator[Path]:
    """The folder of the photos under a second name, which no symbolic link gives away."""
    path = folder.path.parent / "mounted"
    path.mkdir()
    mount = ["mount", "--bind", str(folder.path), str(path)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a folder twice")
    yield path
    subprocess.run(["umount", str(path)], check=True)


def test_the_photos_mounted_elsewhere_are_refused(folder: Folder, mounted: Path) -> None:
    with pytest.raises(LabelerError, match="contains the photos"):
        plan([row(folder, "1.jpg")], str(folder.path), mounted)


def test_a_sorted_folder_mounted_elsewhere_is_not_sorted_again(folder: Folder, mounted: Path) -> None:
    into = mounted / "sorted"
    list(apply(plan([row(folder, "1.jpg")], str(folder.path), into), into))

    [again] = plan([Row("sorted/happy/1.jpg", label="happy")], str(folder.path), into)
    assert again.outcome is Outcome.THERE


def test_a_file_in_place_of_the_folder_is_refused(folder: Folder) -> None:
    path = Folder(folder.path.parent).file("sorted")

    with pytest.raises(LabelerError, match="is a file"):
        plan([row(folder, "1.jpg")], str(folder.path), path)


def test_a_missing_parent_folder_is_refused(folder: Folder) -> None:
    with pytest.raises(LabelerError, match="does not exist"):
        plan([row(folder, "1.jpg")], str(folder.path), folder.path.parent / "no" / "sorted")


@pytest.mark.parametrize("mode", Mode)
def test_sorted_files_that_a_second_classify_finds_are_not_sorted_again(folder: Folder, mode: Mode) -> None:
    into = folder.path / "sorted"
    rows = [row(folder, "1.jpg")]
    list(apply(plan(rows, str(folder.path), into, mode), into))

    moves = plan([*rows, Row("sorted/happy/1.jpg", label="happy")], str(folder.path), into, mode)
    assert {move.outcome for move in moves} == {Outcome.THERE}


def test_planning_writes_nothing(folder: Folder) -> None:
    targets(folder, [row(folder, "1.jpg")])

    assert os.listdir(folder.path.parent) == ["photos"]


@pytest.mark.parametrize(("label", "mode"), [("sad", Mode.COPY), ("happy", Mode.SYMLINK)])
def test_a_folder_sorted_in_another_way_is_refused(folder: Folder, label: str, mode: Mode) -> None:
    into = folder.path.parent / "sorted"
    list(apply(plan([row(folder, "1.jpg")], str(folder.path), into), into))

    with pytest.raises(LabelerError, match="sort --undo"):
        plan([Row("1.jpg", label=label)], str(folder.path), into, mode)


def test_a_picture_that_was_edited_and_restored_is_sorted_once(folder: Folder) -> None:
    into = folder.path.parent / "sorted"
    for content in (b"first", b"edited"):
        list(apply(plan([row(folder, "1.jpg", content=content)], str(folder.path), into), into))

    [move] = plan([row(folder, "1.jpg", content=b"first")], str(folder.path), into)
    assert (move.target, move.outcome) == ("happy/1.jpg", Outcome.THERE)


def test_a_new_picture_under_the_name_of_a_moved_one_is_sorted_too(folder: Folder) -> None:
    into = folder.path.parent / "sorted"
    list(apply(plan([row(folder, "1.jpg")], str(folder.path), into, Mode.MOVE), into))

    again = plan([row(folder, "1.jpg", content=b"new")], str(folder.path), into, Mode.MOVE)
    assert [(move.target, move.outcome) for move in again] == [("happy/1-2.jpg", Outcome.PLANNED)]
