"""A file gets another place, and nothing is ever overwritten."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import Folder

from labeler.errors import OutputError
from labeler.storage import transfer


@pytest.fixture(params=["with hard links", "without hard links"])
def source(request: pytest.FixtureRequest, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file on a file system with hard links, and on one, such as FAT, without."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    if request.param == "without hard links":
        monkeypatch.setattr(os, "link", refuse)
    return str(folder.file("1.jpg", b"picture"))


def test_a_moved_file_has_its_new_name_only(source: str, folder: Folder) -> None:
    transfer.move(source, str(folder.path / "2.jpg"))

    assert os.listdir(folder.path) == ["2.jpg"]


def test_a_move_does_not_overwrite(source: str, folder: Folder) -> None:
    other = folder.file("2.jpg", b"other")

    with pytest.raises(FileExistsError):
        transfer.move(source, str(other))
    assert (Path(source).read_bytes(), other.read_bytes()) == (b"picture", b"other")


def test_a_move_does_not_overwrite_a_broken_link(source: str, folder: Folder) -> None:
    link = folder.path / "2.jpg"
    link.symlink_to("nowhere")

    with pytest.raises(FileExistsError):
        transfer.move(source, str(link))
    assert link.is_symlink()


def test_a_copy_does_not_overwrite(source: str, folder: Folder) -> None:
    other = folder.file("2.jpg", b"other")

    with pytest.raises(FileExistsError):
        transfer.copy(source, str(other), transfer.digest(source))
    assert other.read_bytes() == b"other"


def test_a_copy_leaves_nothing_else_behind(source: str, folder: Folder) -> None:
    transfer.copy(source, str(folder.path / "2.jpg"), transfer.digest(source))

    assert sorted(os.listdir(folder.path)) == ["1.jpg", "2.jpg"]


def test_a_copy_with_other_bytes_does_not_appear(source: str, folder: Folder) -> None:
    with pytest.raises(OutputError, match="changed while it was copied"):
        transfer.copy(source, str(folder.path / "2.jpg"), "another hash")
    assert os.listdir(folder.path) == ["1.jpg"]


def test_one_file_reached_on_two_ways_is_not_spare(folder: Folder) -> None:
    path = folder.file("a/1.jpg")
    (folder.path / "b").symlink_to("a")

    assert not transfer.spare(str(path), str(folder.path / "b" / "1.jpg"))


def test_one_file_reached_on_two_ways_is_not_spare_even_with_a_third_name(folder: Folder) -> None:
    path = folder.file("a/1.jpg")
    os.link(path, folder.path / "third.jpg")
    (folder.path / "b").symlink_to("a")

    assert not transfer.spare(str(path), str(folder.path / "b" / "1.jpg"))


def test_a_second_name_of_a_file_is_spare(folder: Folder) -> None:
    path = folder.file("1.jpg")
    os.link(path, folder.path / "2.jpg")

    assert transfer.spare(str(path), str(folder.path / "2.jpg"))


@pytest.fixture
def across(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Name a place on another file system than ``tmp_path``."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir=memory) as path:
        yield partial(os.path.join, path)


def test_a_move_across_file_systems_keeps_permissions_and_time(folder: Folder, across: Callable[[str], str]) -> None:
    path = folder.file("1.jpg")
    path.chmod(0o604)
    os.utime(path, ns=(1_234_567_890_123_456_789, 1_234_567_890_123_456_789))
    transfer.move(str(path), across("1.jpg"))

    status = os.stat(across("1.jpg"))
    assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o604, 1_234_567_890_123_456_789)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_move_across_file_systems_keeps_the_owner(folder: Folder, across: Callable[[str], str]) -> None:
    path = folder.file("1.jpg")
    os.chown(path, 1234, 4321)
    transfer.move(str(path), across("1.jpg"))

    assert (os.stat(across("1.jpg")).st_uid, os.stat(across("1.jpg")).st_gid) == (1234, 4321)


def test_attributes_that_the_other_file_system_has_no_room_for_stop_no_move(
    folder: Folder, across: Callable[[str], str]
) -> None:
    Path(across("1.jpg")).write_bytes(b"picture")
    os.chmod(across("1.jpg"), 0o604)
    try:
        os.setxattr(across("1.jpg"), "user.comment", b"x" * 6000)
    except OSError as exc:
        pytest.skip(f"needs a file system with large attributes: {exc}")
    transfer.move(across("1.jpg"), str(folder.path / "1.jpg"))

    assert (folder.path / "1.jpg").stat().st_mode & 0o777 == 0o604


def test_a_file_that_changes_while_it_moves_across_file_systems_stays(
    folder: Folder, across: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.file("1.jpg", b"picture")
    monkeypatch.setattr(transfer, "sync", lambda _: path.write_bytes(b"edited"))

    with pytest.raises(OutputError, match="changed while it was moved"):
        transfer.move(str(path), across("1.jpg"))
    assert (path.read_bytes(), os.path.lexists(across("1.jpg"))) == (b"edited", False)


def test_bytes_that_went_wrong_on_the_way_leave_the_file_where_it_is(
    folder: Folder, across: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.file("1.jpg", b"picture")
    monkeypatch.setattr(shutil, "copyfile", lambda _, part: Path(part).write_bytes(b"pict\0re"))

    with pytest.raises(OutputError, match="changed while it was copied"):
        transfer.move(str(path), across("1.jpg"))
    assert (path.read_bytes(), os.listdir(across(""))) == (b"picture", [])


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_leaves_the_file_where_it_is(folder: Folder, small: Path) -> None:
    path = folder.file("1.jpg", b"x" * 100_000)

    with pytest.raises(OSError, match="No space"):
        transfer.move(str(path), str(small / "1.jpg"))
    assert (path.stat().st_size, os.listdir(small)) == (100_000, [])


def test_one_file_in_a_folder_that_is_mounted_twice_is_not_spare(folder: Folder) -> None:
    path = folder.file("a/1.jpg")
    os.link(path, folder.path / "third.jpg")
    (folder.path / "b").mkdir()
    mount = ["mount", "--bind", str(path.parent), str(folder.path / "b")]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a folder twice")
    try:
        assert not transfer.spare(str(path), str(folder.path / "b" / "1.jpg"))
    finally:
        subprocess.run(["umount", str(folder.path / "b")], check=True)


def test_bytes_get_a_place_that_is_free(folder: Folder) -> None:
    target, sha256 = str(folder.path / "1.jpg"), hashlib.sha256(b"picture").hexdigest()
    transfer.put(b"picture", target, sha256)
    with pytest.raises(FileExistsError):
        transfer.put(b"other", target, hashlib.sha256(b"other").hexdigest())

    assert Path(target).read_bytes() == b"picture"
    assert os.listdir(folder.path) == ["1.jpg"]


def test_bytes_that_are_not_as_they_were_read_get_no_place(folder: Folder) -> None:
    with pytest.raises(OutputError, match="was not written as it was read"):
        transfer.put(b"picture", str(folder.path / "1.jpg"), hashlib.sha256(b"other").hexdigest())

    assert os.listdir(folder.path) == []
