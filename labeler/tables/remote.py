"""Tables at an address: copied to this machine for as long as a command runs, with what lies beside them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from labeler import storage
from labeler.errors import LabelerError, OutputError
from labeler.storage import address as addresses
from labeler.storage.address import is_remote
from labeler.storage.store import FileError, Store
from labeler.tables import formats, parts, reviews, run_record
from labeler.tables.run_record import PLAN

_MOST_BYTES = 1 << 31
"""Upper limit on an object of a table, which is in memory while it is copied: about 20 million rows of one file."""

_OF_PARTS = re.compile(r"_plan\.json|_SUCCESS|parts/[0-9]+\.parquet").fullmatch
"""Matches the names in a directory of parts that a reader needs."""


@contextmanager
def local(given: str, corrections: Path | None = None, *, corrects: bool = False) -> Iterator[Path]:
    """Yield the path of a table; that of one at an address is a copy, which goes when the block ends.

    ``corrections`` is the file of this machine that holds what persons say about a table at an address, in place of the
    one beside it. A command that ``corrects`` appends to it; it then begins with what lies beside the table.

    Raises:
        LabelerError: the table or what lies beside it cannot be read, or there is no file to append corrections to.
        OutputError: there is no room for the copy.
    """
    if not is_remote(given):
        path = Path(addresses.local(given))
        if corrections:
            raise LabelerError(
                f"--reviews is for a table at an address; what persons say of {path} lies in {reviews.path_of(path)}. "
                "Leave it out"
            )
        yield path
        return
    at = addresses.parse(given)
    _check(given, corrections, corrects=corrects)
    with tempfile.TemporaryDirectory(prefix="labeler-table-") as folder:
        path = Path(folder, at.name.rpartition("/")[2] or at.bucket)
        try:
            _copy(given, path)
            if corrections:
                _use(path, corrections)
            yield path
        except LabelerError as exc:
            exc.args = (str(exc).replace(str(path), at.place),)
            raise


def is_table(given: str) -> bool:
    """Say whether a path or an address is one of a table, and not of photos."""
    if is_remote(given):
        return _is_file(addresses.parse(given).name) or storage.at(given).version(PLAN) is not None
    path = Path(addresses.local(given))
    return not path.is_dir() or parts.is_directory(path)


def _is_file(name: str) -> bool:
    """Say whether a name is one of a table that is a file, and not a directory of parts."""
    return Path(name).suffix.lower() in formats.SUFFIXES


def _check(given: str, corrections: Path | None, *, corrects: bool) -> None:
    place = addresses.parse(given).place
    if corrects and not corrections:
        raise LabelerError(
            f"corrections cannot be appended beside {place}; name a file of this machine for them: --reviews "
            f"{Path(place).name}{reviews.SUFFIX}"
        )
    if corrections and not corrects and not corrections.is_file():
        raise LabelerError(f"there is no file {corrections}; labeler review {place} --reviews {corrections} begins one")
    if corrections and not corrections.parent.is_dir():
        raise LabelerError(f"the folder {corrections.parent} does not exist; create it first")


def _copy(given: str, path: Path) -> None:
    """Copy a table and what lies beside it.

    Raises:
        LabelerError: it cannot be read.
        OutputError: there is no room for it.
    """
    above, name = addresses.divided(given)
    if _is_file(path.name):
        _fetch(storage.at(above), [name], path.parent)
    else:
        _fetch(storage.at(given), _parts(given), path)
    if name:
        beside = storage.at(above)
        for suffix in (run_record.RECORD, reviews.SUFFIX):
            if beside.version(name + suffix) is not None:
                _fetch(beside, [name + suffix], path.parent)


def _parts(given: str) -> list[str]:
    """Return the names of the objects of a directory of parts."""
    store = storage.at(given)
    if store.version(PLAN) is None:
        raise LabelerError(
            f"there is no table at {addresses.parse(given).place}: the name of one ends in "
            f"{', '.join(formats.SUFFIXES)}, and a directory of parts holds {PLAN}"
        )
    return [name for name in store.walk([""], lambda folder: folder != "parts") if _OF_PARTS(name)]


def _fetch(store: Store, names: Iterable[str], folder: Path) -> None:
    names = list(names)
    store.ahead(names, _MOST_BYTES)
    for name in names:
        try:
            content = store.read(name, _MOST_BYTES).data
        except FileError as exc:
            place = addresses.parse(store.locate(name)).place
            raise LabelerError(f"{place} cannot be read: {exc.reason}") from exc
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        except OSError as exc:
            raise OutputError(
                f"no room for a copy of the table in {folder} ({exc.strerror or exc}); name another: TMPDIR=FOLDER"
            ) from exc


def _use(path: Path, corrections: Path) -> None:
    """Let a file of this machine be the reviews of a copy; one that is new begins with those beside the table."""
    beside = run_record.beside(path, reviews.SUFFIX)
    try:
        if beside.exists():
            if not corrections.exists():
                corrections.write_bytes(beside.read_bytes())
            beside.unlink()
        beside.symlink_to(corrections.absolute())
    except OSError as exc:
        raise OutputError(f"{corrections} cannot be used for corrections: {exc.strerror or exc}") from exc
