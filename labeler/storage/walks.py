"""Walks of a store that lists with sizes and versions: what is hidden or skipped left out, in order, listed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from labeler.errors import OutputError, one_line
from labeler.storage.listing import Listing
from labeler.storage.store import Listed

Skips = Callable[[str], bool]

_FOLDERS_KNOWN = 100_000
"""Upper limit on the folders of which it is remembered whether they are skipped."""


class Walks:
    """Gives what `Store.walk` and `Store.listed` do, from the ``pages`` of a folder in any order.

    A listing is kept for as long as its store, in a temporary file: a run walks several times.
    """

    def __init__(self, pages: Callable[[str], Iterable[pa.Table]]) -> None:
        self._pages = pages
        self._listings: dict[tuple[tuple[str, ...], Skips], Listing] = {}

    def names(self, folders: Iterable[str], skips: Skips) -> Iterator[str]:
        """Yield the names of all files below some folders.

        Raises:
            OutputError: there is no room to sort them.
            LabelerError: as ``pages``.
        """
        for files in self._listing(folders, skips):
            yield from files["name"].to_pylist()

    def listed(self, folders: Iterable[str], skips: Skips) -> Iterator[Listed]:
        """Yield the same files with their sizes and versions.

        Raises:
            OutputError: there is no room to sort them.
            LabelerError: as ``pages``.
        """
        for files in self._listing(folders, skips):
            yield Listed(*(files[name].to_pylist() for name in ("name", "size", "version")))

    def _listing(self, folders: Iterable[str], skips: Skips) -> Listing:
        asked = tuple(folders), skips
        try:
            if asked not in self._listings:
                pages = (map(_Shown(folder, skips), self._pages(folder)) for folder in asked[0])
                self._listings[asked] = Listing(chain.from_iterable(pages))
        except OSError as exc:
            raise OutputError(
                f"no room to sort the names in the temporary folder ({one_line(exc)}); name one with room: "
                "TMPDIR=FOLDER"
            ) from exc
        return self._listings[asked]


class _Shown:
    """Leaves out of a page what is hidden below a folder, or in a folder that is skipped. Asks once for each folder."""

    def __init__(self, top: str, skips: Skips) -> None:
        self._top = top
        self._skips = skips
        self._known: dict[str, bool] = {}

    def __call__(self, page: pa.Table) -> pa.Table:
        names = page["name"].combine_chunks()
        below = pc.utf8_slice_codeunits(names, len(self._top) + 1) if self._top else names
        dotted = pc.or_(pc.match_substring(below, "/."), pc.starts_with(below, "."))
        if pc.any(dotted).as_py():
            hidden = pc.and_(dotted, pc.match_substring_regex(below, r"(^|/)\.[^./]|(^|/)\.\.[^/]"))
            page = page.filter(pc.invert(hidden))
            names = page["name"].combine_chunks()
        folders = pc.replace_substring_regex(names, r"/?[^/]*$", "")
        skipped = [folder for folder in folders.unique().to_pylist() if self._is_skipped(folder)]
        return page.filter(pc.invert(pc.is_in(folders, pa.array(skipped, pa.string())))) if skipped else page

    def _is_skipped(self, folder: str) -> bool:
        """Say whether a folder, or one above it that is not the top, is skipped."""
        if folder == self._top:
            return False
        if folder not in self._known:
            if len(self._known) >= _FOLDERS_KNOWN:
                self._known.clear()
            above = folder.rpartition("/")[0]
            skipped = self._is_skipped(above) or self._skips(folder)
            self._known[folder] = skipped
        return self._known[folder]
