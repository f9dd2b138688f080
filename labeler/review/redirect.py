"""The page that leads to a review's address, for its user only; after a kill the next server finds the address in it.

A command line with the token would show it to everybody on the machine, so a browser is opened with this file. It has
one name for each table, and is removed at the usual end: a tab that was open when the server was killed goes on with
the next one, which takes the same port and token.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from html import escape
from pathlib import Path
from typing import NamedTuple

from labeler.errors import OutputError

_URL = re.compile(r'url=(http://127\.0\.0\.1:([1-9]\d{0,4})/#token=([\w-]{43}))"', re.ASCII)
_LONGEST = 1 << 12
"""Upper limit on the bytes of such a page, of which 400 are usual."""


class Left(NamedTuple):
    """Where a server listened that was killed."""

    port: int
    token: str


class Page:
    """The file, in a folder that only this user can open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left = _left(path)
        """What a server that was killed left there; None where there is nothing, or nothing of ours."""
        self._is_written = False

    def write(self, url: str) -> None:
        """Write the page; what is in its place is replaced and never followed, and a folder is left alone.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            descriptor, unplaced = tempfile.mkstemp(".html", "labeler-review-", self.path.parent)  # Its mode is 0600.
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(_content(url))
        except OSError as exc:
            raise OutputError(f"cannot write into {self.path.parent}: {exc.strerror}") from exc
        try:
            os.replace(unplaced, self.path)
        except OSError:
            self.path = Path(unplaced)
        self._is_written = True

    def remove(self) -> None:
        """Remove what was written."""
        if self._is_written:
            with suppress(OSError):
                self.path.unlink()


@contextmanager
def page(name: str) -> Iterator[Page]:
    """Yield the page of a name, not written yet; it is removed when the block ends."""
    with _private_folder() as folder:
        found = Page(folder / f"labeler-review-{name}.html")
        try:
            yield found
        finally:
            found.remove()


def name_of(log: Path, socket_path: Path | None) -> str:
    """Return the name of the page of whoever writes a file of reviews: the same for the same command."""
    places = (os.path.abspath(one) if one else "" for one in (log, socket_path))
    return blake2b(b"\0".join(map(os.fsencode, places)), digest_size=16).hexdigest()


def new_name() -> str:
    """Return a name that no other page has."""
    return secrets.token_hex(16)


def _content(url: str) -> str:
    return (
        '<!doctype html><meta charset="utf-8"><title>labeler review</title>'
        '<meta name="referrer" content="no-referrer">'
        f'<meta http-equiv="refresh" content="0; url={escape(url)}">'
        f'<a href="{escape(url)}">Open the review</a>\n'
    )


def _left(path: Path) -> Left | None:
    """Return what a page of ours says: a plain file of this user, that nobody else can open, as `write` writes it."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # A pipe must not keep us.
    try:
        with open(os.open(path, flags), encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if not _is_own(found, stat.S_IFREG | 0o600):
                return None
            content = file.read(_LONGEST)
    except (OSError, ValueError):
        return None
    url = _URL.search(content)
    if not url or content != _content(url[1]) or int(url[2]) >= 1 << 16:
        return None
    return Left(int(url[2]), url[3])


@contextmanager
def _private_folder() -> Iterator[Path]:
    """Yield a folder that only this user can open.

    That is the system's for files of programs that run, else `labeler-UID` in the temporary folder, which stays, else a
    new one, which does not.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and _is_private(Path(runtime)):
        yield Path(runtime)
        return
    if hasattr(os, "getuid"):
        own = Path(tempfile.gettempdir()) / f"labeler-{os.getuid()}"
        with suppress(OSError):
            own.mkdir(0o700)
        if _is_private(own):
            yield own
            return
    with tempfile.TemporaryDirectory(prefix="labeler-review-") as folder:
        yield Path(folder)


def _is_private(folder: Path) -> bool:
    """Say whether it is a folder, and no link to one, that only this user can open: others may have put it there."""
    try:
        return _is_own(folder.lstat(), stat.S_IFDIR | 0o700)
    except OSError:
        return False


def _is_own(found: os.stat_result, mode: int) -> bool:
    """Say whether this user has it, and it is of a kind and has a mode; a folder may hand down its group (setgid)."""
    return found.st_mode & ~0o7000 == mode and found.st_uid == os.getuid()
