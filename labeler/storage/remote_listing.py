"""List the objects below a folder of a remote store in columns: by obstore, and by pyarrow where a name stops it.

obstore takes no name with an empty part (``a//b``), with ``.`` or ``..`` as a part, or with a control character, and
fails at the first one with all that its page holds. pyarrow lists folder by folder, without entity tags. So only the
folders above such a name are listed by pyarrow, each in memory, and all others by obstore.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import obstore
import pyarrow as pa
import pyarrow.compute as pc
from obstore.exceptions import GenericError, InvalidPathError
from pyarrow import fs

from labeler.storage import connect
from labeler.storage.address import Address
from labeler.storage.listing import COLUMNS

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_PAGE = 10_000
"""Objects that obstore hands over at once; a request lists at most 1,000."""

_ILLEGAL = re.compile(r"(?:^|/)\.{0,2}(?:/|$)|[\x00-\x1f\x7f]")
_IN_PARTS = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")

_EMPTY_PART = "//"

_CUT_OFF = "list response body"
"""What obstore calls it."""


def is_legal(name: str) -> bool:
    """Say whether obstore asks for this very name; it would strip some of its slashes, and refuses others."""
    return not _ILLEGAL.search(name)


def is_readable(name: str) -> bool:
    """Say whether pyarrow asks for this very name; of dots and empty parts it would make another one."""
    return not _IN_PARTS.search(name)


class RemoteListing:
    """The objects below an address; names are relative to it."""

    def __init__(self, at: Address, store: ObjectStore) -> None:
        self._at = at
        self._store = store

    @cached_property
    def files(self) -> tuple[fs.FileSystem, str]:
        """Pyarrow's file system, and the path there."""
        return connect.file_system(self._at)

    def pages(self, folder: str, after: str = "") -> Iterator[pa.Table]:
        """Yield the objects below a folder whose names sort behind one, in the order of the store; "" for all.

        Where a store lists in no order, some may come twice.

        Raises:
            BaseError: the store cannot be reached, as all that obstore and pyarrow raise.
        """
        cut_off, ordered = 0, True
        while True:
            try:
                for page in self._listed(folder, after):
                    ordered = ordered and _is_ascending(page["path"], after)
                    after, cut_off = (page["path"][-1].as_py() if ordered else ""), 0
                    yield _columns(page, folder)
            except (InvalidPathError, ValueError):
                yield from self._by_folder(folder, after)
            except GenericError as exc:  # obstore asks again for whatever fails, but for a list that breaks off.
                cut_off += 1
                if _CUT_OFF not in str(exc) or cut_off == connect.LIMITS.tries:
                    raise
                continue
            return

    def _listed(self, folder: str, after: str) -> Iterator[pa.RecordBatch]:
        """Yield what obstore lists, without pages that are empty."""
        begin = folder or None
        for batch in obstore.list(self._store, begin, offset=after or None, chunk_size=_PAGE, return_arrow=True):
            if batch.num_rows:
                yield pa.record_batch(batch)

    def _by_folder(self, folder: str, after: str) -> Iterator[pa.Table]:
        files, root = self.files
        path = f"{root}/{folder}" if folder else root
        own, below = len(root) + 1, []
        found: list[fs.FileInfo] = []
        for one in files.get_file_info(fs.FileSelector(path)):
            if one.type == fs.FileType.File:
                found.append(one)
            elif one.path.rstrip("/") == path:  # What it makes of `folder//`.
                found += self._with_empty_part(path)
            else:
                below.append(one.path[own:])
        yield _table([(one.path[own:], one.size) for one in found if one.path[own:] > after])
        for name in below:
            if after.startswith(f"{name}/"):
                yield from self.pages(name, after)
            elif f"{name}/" > after:
                yield from self.pages(name)

    def _with_empty_part(self, path: str) -> list[fs.FileInfo]:
        files, _ = self.files
        everything = files.get_file_info(fs.FileSelector(path, recursive=True))
        return [one for one in everything if one.is_file and one.path.startswith(f"{path}{_EMPTY_PART}")]


def _is_ascending(names: pa.Array, after: str) -> bool:
    """Say whether names come in order, behind another; S3's directory buckets list in none."""
    return names[0].as_py() > after and (len(names) < 2 or bool(pc.all(pc.less(names[:-1], names[1:])).as_py()))


def _columns(page: pa.RecordBatch, folder: str) -> pa.Table:
    """Return what obstore lists, without the marker of the folder itself."""
    tags = pc.utf8_trim(page["e_tag"], '"')
    if tags.null_count:
        seconds = pc.cast(pc.divide(pc.cast(page["last_modified"], pa.int64()), 1_000_000), pa.string())
        tags = pc.coalesce(tags, pc.binary_join_element_wise(pc.cast(page["size"], pa.string()), seconds, "-"))
    listed = pa.Table.from_arrays([page["path"], pc.cast(page["size"], pa.int64()), tags], schema=COLUMNS)
    return listed.filter(pc.not_equal(page["path"], folder))


def _table(found: list[tuple[str, int]]) -> pa.Table:
    return pa.table(
        {"name": [name for name, _ in found], "size": [size for _, size in found], "version": [""] * len(found)},
        schema=COLUMNS,
    )
