"""The page that leads to the address: where it lies, and what is taken from one that a kill left."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from labeler.review import redirect

TOKEN = "x" * 43
URL = f"http://127.0.0.1:4242/#token={TOKEN}"
NOBODY = 65534


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is used where the system has none for programs that run."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"labeler-{os.getuid()}"


def left_by_a_kill() -> Path:
    """Write a page, and leave it, as a kill would."""
    with redirect.page("t") as page:
        page.write(URL)
        content = page.path.read_bytes()
    page.path.touch(0o600)
    page.path.write_bytes(content)
    return page.path


def test_a_page_that_was_left_says_where_its_server_was(runtime: Path) -> None:
    path = left_by_a_kill()

    assert path.parent == runtime
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with redirect.page("t") as page:
        assert page.left == (4242, TOKEN)
    assert path.exists(), "what was not written anew is not removed"
    with redirect.page("other") as page:
        assert page.left is None


def linked(path: Path) -> None:
    path.rename(path.parent / "elsewhere")
    path.symlink_to("elsewhere")


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def given_away(path: Path) -> None:
    if os.getuid():
        pytest.skip("only root can give a file away")
    os.chown(path, NOBODY, NOBODY)


def rewritten(before: str, after: str) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        content = path.read_text("utf-8")
        assert before in content
        path.write_text(content.replace(before, after), "utf-8")

    return rewrite


PLANTED = {
    "a link": linked,
    "a link to nothing": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "a pipe": piped,
    "another owner": given_away,
    "open to others": lambda path: path.chmod(0o604),
    "more than its own": rewritten("</a>", "</a><script>"),
    "two addresses": rewritten("4242", "4243 4242"),
    "another host": rewritten("127.0.0.1", "10.0.0.1"),
    "no port": rewritten("4242", "0"),
    "too high a port": rewritten("4242", "65536"),
    "a digit of another script": rewritten("4242", "424٢"),
    "a short token": rewritten(TOKEN, "x"),
    "nothing": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(bytes(range(256))),
    "much": lambda path: path.write_bytes(path.read_bytes() * 1000),
}


@pytest.mark.parametrize("plant", [pytest.param(plant, id=name) for name, plant in PLANTED.items()])
def test_what_is_not_a_page_of_ours_is_replaced_and_not_taken(runtime: Path, plant: Callable[[Path], object]) -> None:
    path = left_by_a_kill()
    plant(path)
    elsewhere = runtime / "elsewhere"
    target = elsewhere.read_bytes() if elsewhere.exists() else b""
    new = URL.replace("4242", "4243")

    with redirect.page("t") as page:
        assert page.left is None
        page.write(new)
        assert page.path == path
        assert (stat.S_IFMT(path.lstat().st_mode), path.lstat().st_uid) == (stat.S_IFREG, os.getuid())
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        assert re.findall('url=(.+?)"', path.read_text("utf-8")) == [new]
    assert not os.path.lexists(path)
    assert (elsewhere.read_bytes() if elsewhere.exists() else b"") == target


def test_a_folder_in_its_place_is_left_alone(runtime: Path) -> None:
    path = left_by_a_kill()
    path.unlink()
    path.mkdir()
    with redirect.page("t") as page:
        assert page.left is None
        page.write(URL)
        assert stat.S_IMODE(page.path.stat().st_mode) == 0o600
    assert list(runtime.iterdir()) == [path]


def test_without_a_folder_of_the_system_it_lies_in_one_of_this_user(temporary: Path) -> None:
    assert left_by_a_kill().parent == temporary
    assert stat.S_IMODE(temporary.stat().st_mode) == 0o700
    with redirect.page("t") as page:
        assert page.left == (4242, TOKEN)


TRAPS = {
    "a file": lambda place: place.write_bytes(b""),
    "open to others": lambda place: (place.mkdir(), place.chmod(0o755)),
    "to be written by others": lambda place: (place.mkdir(), place.chmod(0o720)),
    "a link": lambda place: ((place.parent / "mine").mkdir(mode=0o700), place.symlink_to("mine")),
    "another owner": lambda place: (place.mkdir(mode=0o700), given_away(place)),
}


@pytest.mark.parametrize("trap", [pytest.param(trap, id=name) for name, trap in TRAPS.items()])
def test_a_folder_that_others_made_or_can_open_is_not_used(temporary: Path, trap: Callable[[Path], object]) -> None:
    trap(temporary)
    with suppress(OSError):
        temporary.joinpath("labeler-review-t.html").write_text("planted")
    with redirect.page("t") as page:
        page.write(URL)
        assert page.left is None
        assert temporary not in page.path.parents
        assert stat.S_IMODE(page.path.parent.stat().st_mode) == 0o700
        assert page.path.resolve() == page.path
    assert not page.path.parent.exists()


def test_a_table_has_one_name_wherever_it_is_named_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = {
        redirect.name_of(Path("t.csv"), None),
        redirect.name_of(tmp_path / "t.csv", None),
        redirect.name_of(tmp_path / "a" / ".." / "t.csv", None),
    }

    assert len(names) == 1
    assert redirect.name_of(Path("u.csv"), None) not in names
    assert redirect.name_of(Path("t.csv"), Path("s")) not in names
