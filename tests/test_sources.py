"""Folders and files to names: complete, in order, each once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, Folder
from hypothesis import given, settings
from hypothesis import strategies as st

from labeler.errors import LabelerError
from labeler.selection import Selection
from labeler.sources import Source, find
from labeler.storage.store import key


def test_a_folder_is_walked_with_its_own_files_first_and_everything_by_name(folder: Folder) -> None:
    for name in ("b/2.jpg", "b/10.jpg", "a/c/z.jpg", "a/b.jpg", "z.png", "A.jpg"):
        folder.picture(name)

    assert list(find(folder.path)) == ["A.jpg", "z.png", "a/b.jpg", "a/c/z.jpg", "b/10.jpg", "b/2.jpg"]


def test_hidden_files_and_folders_are_passed_over(folder: Folder) -> None:
    folder.picture("seen.jpg")
    folder.picture(".hidden.jpg")
    folder.picture(".thumbnails/1.jpg")

    assert list(find(folder.path)) == ["seen.jpg"]


def test_suffixes_in_capitals_are_pictures_and_other_files_are_counted(folder: Folder) -> None:
    folder.picture("1.JPG", format="JPEG")
    folder.file("notes.txt")
    source = find(folder.path)

    assert (list(source), source.passed_over) == (["1.JPG"], 1)


def test_a_file_that_was_named_is_taken_whatever_its_suffix(folder: Folder) -> None:
    notes = folder.file("notes.txt")

    assert list(Source([notes])) == ["notes.txt"]


def test_links_in_a_circle_end(folder: Folder) -> None:
    folder.picture("a/1.jpg")
    (folder.path / "a" / "up").symlink_to(folder.path)
    (folder.path / "a" / "self").symlink_to(folder.path / "a" / "self")

    assert list(find(folder.path)) == ["a/1.jpg"]


def test_a_linked_folder_outside_is_walked_once_in_the_place_of_the_first_link(folder: Folder, tmp_path: Path) -> None:
    outside = Folder(tmp_path / "outside")
    outside.picture("sub/2.jpg")
    (folder.path / "m").symlink_to(outside.path)
    (folder.path / "n").symlink_to(outside.path)
    (folder.path / "o").symlink_to(outside.path / "sub")
    folder.picture("a/z.jpg")
    folder.picture("z/1.jpg")

    assert list(find(folder.path)) == ["a/z.jpg", "m/sub/2.jpg", "z/1.jpg"]


def test_what_lies_behind_a_link_is_not_walked_again_behind_a_later_one(folder: Folder, tmp_path: Path) -> None:
    outside = Folder(tmp_path / "outside")
    outside.picture("1.jpg")
    outside.picture("sub/2.jpg")
    (folder.path / "a").symlink_to(outside.path / "sub")
    (folder.path / "z").symlink_to(outside.path)

    assert list(find(folder.path)) == ["a/2.jpg", "z/1.jpg"]


def test_a_link_to_a_folder_that_is_walked_anyway_is_passed_over(folder: Folder, tmp_path: Path) -> None:
    folder.picture("m/1.jpg")
    (folder.path / "a").symlink_to(folder.path / "m")
    (folder.path / "b").symlink_to(tmp_path)  # It holds the folder itself.
    Folder(tmp_path / "beside").picture("2.jpg")

    assert list(find(folder.path)) == ["b/beside/2.jpg", "m/1.jpg"]


def test_a_link_to_a_hidden_or_excluded_folder_is_walked(folder: Folder) -> None:
    folder.picture(".cache/faces/1.jpg")
    folder.picture("old/2.jpg")
    (folder.path / "a").symlink_to(folder.path / ".cache" / "faces")
    (folder.path / "b").symlink_to(folder.path / "old")

    assert list(Source([folder.path], selection=Selection(exclude=("old/",)))) == ["a/1.jpg", "b/2.jpg"]


@given(st.lists(st.sampled_from(["a", "b", "a-", "a/b", "b/a", "a/b/c", "-"]), min_size=1), st.data())
@settings(max_examples=20, deadline=None)
def test_the_names_come_in_the_order_of_their_keys(folders: list[str], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as place:
        made = Folder(Path(place))
        for number, below in enumerate(folders):
            made.file(f"{below}/{data.draw(st.sampled_from('abz'))}{number}.jpg")
        names = list(find(place))

        assert names == sorted(names, key=key)
        assert len(names) == len(folders)


def test_several_inputs_share_one_root_so_that_equal_names_stay_apart(folder: Folder) -> None:
    folder.picture("a/1.jpg")
    folder.picture("b/1.jpg")
    source = Source([folder.path / "b", folder.path / "a"])

    assert (source.root, list(source)) == (str(folder.path), ["a/1.jpg", "b/1.jpg"])


def test_files_and_folders_that_were_named_come_in_one_order(folder: Folder) -> None:
    for name in ("a/2.jpg", "a/b/3.jpg", "a/1.jpg", "c/4.jpg", "z.jpg"):
        folder.picture(name)
    given = [folder.path / name for name in ("c", "z.jpg", "a/b", "a/2.jpg")]

    assert list(Source(given)) == ["z.jpg", "a/2.jpg", "a/b/3.jpg", "c/4.jpg"]


def test_an_input_inside_another_counts_once(folder: Folder) -> None:
    picture = folder.picture("a/1.jpg")

    assert list(Source([folder.path, folder.path / "a", picture, folder.path])) == ["a/1.jpg"]


def test_absolute_names_are_complete_paths(folder: Folder) -> None:
    picture = folder.picture("a/1.jpg")

    assert list(Source([folder.path], absolute=True)) == [str(picture)]


def test_walking_again_gives_the_same_names(folder: Folder) -> None:
    for index in range(20):
        folder.picture(f"{index % 3}/{index}.jpg")
    source = find(folder.path)

    assert list(source) == list(source)


def test_a_missing_input_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="nowhere"):
        Source([tmp_path / "nowhere"])


def test_a_subfolder_that_cannot_be_listed_is_reported_and_the_rest_is_found(folder: Folder) -> None:
    folder.picture("a/1.jpg")
    folder.picture("b/2.jpg")
    source = _walked_without_rights(folder.path, locked="a")

    assert source == "b/2.jpg | a: Permission denied"


def test_a_folder_that_was_named_and_cannot_be_listed_stops_with_a_clear_error(folder: Folder) -> None:
    folder.picture("1.jpg")

    assert "cannot be read: Permission denied" in _walked_without_rights(folder.path, locked=".")


def _walked_without_rights(path: Path, locked: str) -> str:
    """Walk in a child process that is not root, for nothing is locked to root."""
    os.chmod(path / locked, 0o000)
    for parent in path.parents:
        if parent.stat().st_uid == os.getuid() and os.getuid() == 0 and str(parent) not in {"/", "/tmp"}:
            os.chmod(parent, 0o755)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if os.getuid() == 0:
            os.setuid(65534)
        source = find(path)
        try:
            answer = " ".join(source) + " | " + " ".join(source.unreadable)
        except LabelerError as exc:
            answer = str(exc)
        os.write(writing, answer.encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.chmod(path / locked, 0o755)
    return os.read(reading, 4096).decode()


def test_with_all_files_a_suffix_does_not_matter_but_a_dot_in_front_does(folder: Folder) -> None:
    for name in ("a.jpg", "no suffix", "b.txt", ".hidden"):
        folder.file(name)
    source = Source([folder.path], all_files=True)

    assert list(source) == ["a.jpg", "b.txt", "no suffix"]
    assert source.passed_over == 0


def test_a_current_folder_that_was_deleted_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    script = "import os\nfrom labeler.cli import app\nos.rmdir(os.getcwd())\napp.main()"
    command = [sys.executable, "-c", script, "classify", "photos", "--out", str(tmp_path / "t.csv")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path / "here", env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, "the current folder no longer exists" in done.stderr) == (2, True), done.stderr


def test_an_input_that_cannot_be_reached_says_why(tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match=r"cannot be read: File name too long"):
        Source([tmp_path / ("x" * 256)])
