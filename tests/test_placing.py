"""A file gets another place, and nothing is ever overwritten."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from conftest import Folder

from labeler import placing
from labeler.errors import OutputError


@pytest.fixture(params=["with hard links", "without hard links"])
def source(request: pytest.FixtureRequest, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file on a file system with hard links, and on one, such as FAT, without."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "without hard links":
        monkeypatch.setattr(os, "link", refuse)
    return str(folder.file("1.jpg", b"picture"))


def test_a_moved_file_has_its_new_name_only(source: str, folder: Folder) -> None:
    placing.move(source, str(folder.path / "2.jpg"))

    assert os.listdir(folder.path) == ["2.jpg"]


def test_a_move_does_not_overwrite(source: str, folder: Folder) -> None:
    other = folder.file("2.jpg", b"other")

    with pytest.raises(FileExistsError):
        placing.move(source, str(other))
    assert (Path(source).read_bytes(), other.read_bytes()) == (b"picture", b"other")


def test_a_move_does_not_overwrite_a_broken_link(source: str, folder: Folder) -> None:
    link = folder.path / "2.jpg"
    link.symlink_to("nowhere")

    with pytest.raises(FileExistsError):
        placing.move(source, str(link))
    assert link.is_symlink()


def test_a_copy_does_not_overwrite(source: str, folder: Folder) -> None:
    other = folder.file("2.jpg", b"other")

    with pytest.raises(FileExistsError):
        placing.copy(source, str(other), placing.digest(source))
    assert other.read_bytes() == b"other"


def test_a_copy_leaves_nothing_else_behind(source: str, folder: Folder) -> None:
    placing.copy(source, str(folder.path / "2.jpg"), placing.digest(source))

    assert sorted(os.listdir(folder.path)) == ["1.jpg", "2.jpg"]


def test_a_copy_with_other_bytes_does_not_appear(source: str, folder: Folder) -> None:
    with pytest.raises(OutputError, match="changed while it was copied"):
        placing.copy(source, str(folder.path / "2.jpg"), "another hash")
    assert os.listdir(folder.path) == ["1.jpg"]


def test_one_file_reached_on_two_ways_is_not_spare(folder: Folder) -> None:
    path = folder.file("a/1.jpg")
    (folder.path / "b").symlink_to("a")

    assert not placing.spare(str(path), str(folder.path / "b" / "1.jpg"))


def test_one_file_reached_on_two_ways_is_not_spare_even_with_a_third_name(folder: Folder) -> None:
    path = folder.file("a/1.jpg")
    os.link(path, folder.path / "third.jpg")
    (folder.path / "b").symlink_to("a")

    assert not placing.spare(str(path), str(folder.path / "b" / "1.jpg"))


def test_a_second_name_of_a_file_is_spare(folder: Folder) -> None:
    path = folder.file("1.jpg")
    os.link(path, folder.path / "2.jpg")

    assert placing.spare(str(path), str(folder.path / "2.jpg"))
