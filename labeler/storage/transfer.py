"""Copy, move, link and rename files, never over an existing target."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labeler.errors import LabelerError, OutputError

NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})
"""Errors for a link where a file system (FAT, some network shares), or its rules, allow none."""
NO_HARD_LINKS = NO_LINKS | {errno.EMLINK, errno.EINVAL}
"""The same for a hard link; an inode has an upper limit on its links (EMLINK)."""

REFUSED_NAME = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR})
"""Errors of file systems for a name that they refuse, or for a path that leads through a file."""

BLOCK = 1 << 18
"""Bytes compared at a time."""
BUFFER = 1 << 13

UNFINISHED = re.compile(r"\.labeler-sort-[0-9a-f]{16}\.part", re.IGNORECASE)
"""Matches an `unfinished` name."""


class UnreadableError(Exception):
    """A file that cannot be read; it never stops a run."""


def copy(source: str, target: str, sha256: str, *, keep_owner: bool = False) -> None:
    """Copy with modification time and permissions; ``target`` appears whole and verified, or not at all.

    Extended attributes, and the owner if ``keep_owner``, are kept where the file system accepts them.

    Raises:
        FileExistsError: ``target`` exists.
        OutputError: the copy's SHA-256 is not ``sha256``.
    """
    part = unfinished(target)
    try:
        shutil.copyfile(source, part)
        if digest(part) != sha256:
            raise OutputError(f"{source} changed while it was copied. Run the same command again to continue")
        if keep_owner:
            _give_owner(source, part)
        _give_stat(source, part)
        rename(part, target)
    finally:
        discard(part)


def put(content: bytes, target: str, sha256: str) -> None:
    """Write a new file; ``target`` appears whole and verified, or not at all.

    Raises:
        FileExistsError: ``target`` exists.
        OutputError: what was written does not have this SHA-256.
    """
    part = unfinished(target)
    try:
        Path(part).write_bytes(content)
        if digest(part) != sha256:
            raise OutputError(f"{target} was not written as it was read. Run the same command again to continue")
        rename(part, target)
    finally:
        discard(part)


def move(source: str, target: str) -> None:
    """Move a file; across file systems, remove the original only after fsync of its verified copy.

    Raises:
        FileExistsError: ``target`` exists.
        UnreadableError: ``source`` has to be copied and cannot be read.
        OutputError: ``source`` changed meanwhile; it is kept, and ``target`` is not.
    """
    try:
        rename(source, target)
    except OSError as exc:
        if exc.errno != errno.EXDEV:
            raise
        _move_across(source, target)


def _move_across(source: str, target: str) -> None:
    before = os.stat(source)
    copy(source, target, digest(source), keep_owner=True)
    sync(target)
    sync(os.path.dirname(target))
    after = os.stat(source)
    if (before.st_ino, before.st_size, before.st_mtime_ns) != (after.st_ino, after.st_size, after.st_mtime_ns):
        os.unlink(target)
        raise OutputError(f"{source} changed while it was moved. Run the same command again to continue")
    os.unlink(source)


def _give_owner(source: str, part: str) -> None:
    if os.name != "nt":
        with suppress(OSError):  # Only root may change it, and not on every file system.
            os.chown(part, os.stat(source).st_uid, os.stat(source).st_gid)


def _give_stat(source: str, part: str) -> None:
    try:
        shutil.copystat(source, part)
    except OSError:  # The times are set by now; some file systems refuse permissions, or large attributes.
        with suppress(PermissionError):
            shutil.copymode(source, part)


def hardlink(source: str, target: str) -> None:
    """Make ``target`` a hard link to the file ``source``.

    Raises:
        FileExistsError: ``target`` exists.
        LabelerError: the file systems do not allow this link.
    """
    try:
        os.link(os.path.realpath(source), target)
    except OSError as exc:
        if exc.errno != errno.EXDEV and exc.errno not in NO_HARD_LINKS:
            raise
        raise LabelerError(
            f"{source} cannot be hard-linked to {target} ({exc.strerror}): "
            "both must be on one file system, and the file must be yours. Use --mode copy"
        ) from exc


def symlink(source: str, target: str) -> None:
    """Make ``target`` a symbolic link to the file ``source``.

    Raises:
        FileExistsError: ``target`` exists.
        LabelerError: the file system of ``target`` has no symbolic links.
    """
    try:
        os.symlink(source, target)
    except OSError as exc:
        if exc.errno not in NO_LINKS:
            raise
        raise LabelerError(
            f"{target} cannot be made a symbolic link to {source} ({exc.strerror}): "
            "its file system does not support symbolic links. Use --mode copy"
        ) from exc


def is_refused(exc: OSError, source: str, target: str) -> bool:
    """Say whether placing ``source`` failed because of the target's own path, and would fail there again.

    Some file systems answer ENOENT to a name that they refuse, although its folder exists (exFAT through FUSE).
    """
    if exc.errno == errno.ENOENT:
        return os.path.exists(source)
    return exc.errno in REFUSED_NAME or (exc.errno == errno.EEXIST and not os.path.isdir(os.path.dirname(target)))


def rename(source: str, target: str) -> None:
    """Rename within one file system, by link and unlink: unlike `os.rename`, fail if ``target`` exists."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as exc:
        if exc.errno not in NO_HARD_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from exc
        os.rename(source, target)
    else:
        os.unlink(source)


def unfinished(target: str) -> str:
    """Return the hidden temporary name beside ``target`` under which its copy is written."""
    folder, name = os.path.split(target)
    return os.path.join(folder, f".labeler-sort-{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.part")


def discard(part: str) -> None:
    """Remove the `unfinished` file that a killed process left, if any."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.unlink(part)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty."""
    with suppress(OSError):
        folder.rmdir()


def digest(path: str) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Raises:
        UnreadableError: the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        raise UnreadableError(f"{path}: {exc.strerror}") from exc


def same_bytes(first: str, second: str) -> bool:
    """Say whether both are readable regular files with the same bytes."""
    try:
        one, other = os.stat(first), os.stat(second)
        if not (stat.S_ISREG(one.st_mode) and stat.S_ISREG(other.st_mode)) or one.st_size != other.st_size:
            return False
        return os.path.samestat(one, other) or _read_alike(first, second, one.st_size)
    except (OSError, ValueError):  # ValueError: no file system allows the name (a NUL byte).
        return False


def is_copy(copy: str, source: str) -> bool:
    """Say whether a copy that a sort made is unchanged: the same size and modification time, or the same bytes.

    Call it only for files that were made as copies. rsync decides in the same way, to read no file needlessly.
    """
    try:
        one, other = os.stat(copy), os.stat(source)
        alike = (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)
        return (alike and stat.S_ISREG(one.st_mode) and stat.S_ISREG(other.st_mode)) or same_bytes(copy, source)
    except (OSError, ValueError):  # ValueError: no file system allows the name (a NUL byte).
        return False


def _read_alike(first: str, second: str, size: int) -> bool:
    with open(first, "rb", BUFFER) as one, open(second, "rb", BUFFER) as other:  # Giving a size saves a system call.
        while block := one.read(min(size, BLOCK)):
            if block != other.read(len(block)):
                return False
            size -= len(block)
    return not size


def apart(first: str, second: str) -> bool:
    """Say whether removing one of two files leaves the other.

    Two paths can lead to one name, through a symbolic link or a folder that is mounted twice.
    """
    (folder, name), (other_folder, other_name) = (os.path.split(os.path.realpath(path)) for path in (first, second))
    if name.casefold() == other_name.casefold() and os.path.samefile(folder, other_folder):
        return False
    return not os.path.samefile(first, second) or os.stat(first).st_nlink > 1


def sync(path: str) -> None:
    """Fsync a file, or a folder's list of names."""
    if os.name == "nt":  # Windows syncs neither folders nor files that are open for reading only.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def spare(path: str, other: str) -> bool:
    """Say whether ``path`` may be removed, because ``other`` is a second file with the same bytes."""
    return same_bytes(path, other) and apart(path, other)


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """Turn a failure to write into a one-line error for the user.

    Raises:
        OutputError: something in the block could not be written.
    """
    try:
        yield
    except OSError as exc:
        raise OutputError(
            f"cannot write {path}: {exc.strerror or exc}. Nothing is lost: run the same command again to continue"
        ) from exc
