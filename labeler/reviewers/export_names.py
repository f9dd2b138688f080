"""The way back from the names of pictures in an export for CVAT to the files of the table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

from labeler.exports import portable
from labeler.exports.items import Items
from labeler.reviewers.said import LeftOut
from labeler.storage.names import Names

NameOf = Callable[[str], str]

_SUFFIX = ".jpg"
"""The usual suffix of an export of photos, see `exports.item.Plan`."""

_PLACE = re.compile(r"images/(?:(?:train|val|test)/)?")
"""Where an export puts its pictures: some who upload them keep these folders."""


def files_of(wanted: Iterable[str], files: Iterable[str], root: str, left: LeftOut) -> dict[str, str]:
    """Return the file of each name; a name that no file has, or several have, is left out.

    The names of an export are made again of all ``files``, as they are with each `--mode` and on each disk. Only a name
    that none of them has may be the end of one, as when pictures were uploaded without their folders.
    """
    names = set(wanted)
    asked = {name: name for name in names}
    for name in names:
        if place := _PLACE.match(name):
            asked.setdefault(name[place.end() :], name)
    schemes = _schemes(root)
    found: dict[str, tuple[int, set[str]]] = {}
    for file, _ in groupby(files):
        for rank, name in _ranked(file, schemes):
            if name in asked:
                best, of_name = found.get(asked[name], (rank, set()))
                if rank <= best:
                    found[asked[name]] = rank, {file} if rank < best else of_name | {file}
    for name in sorted(names - found.keys()):
        left.add("a picture that is not in the table", name)
    for name, (_, several) in found.items():
        if len(several) > 1:
            left.add("a name that several photos of the table have", name)
    return {name: next(iter(one)) for name, (_, one) in found.items() if len(one) == 1}


def _schemes(root: str) -> list[NameOf]:
    """Return how an export names a photo: copied, linked, on a disk that folds names, and left in place."""

    def placed(items: Items) -> NameOf:
        return lambda file: portable.name(items.photo_name(file), _SUFFIX)

    of_disks = [
        placed(Items(root, Path(), (), encodes=encodes, names=Names("", exact=exact)))
        for encodes in (True, False)
        for exact in (True, False)
    ]
    return [*of_disks, portable.carried]


def _ranked(file: str, schemes: Iterable[NameOf]) -> Iterator[tuple[int, str]]:
    """Yield the names of a file, and their ends, each with a rank: the lower, the surer it is this file's."""
    for rank, scheme in enumerate(schemes):
        name = scheme(file)
        yield rank, name
        while (at := name.find("/") + 1) > 0:
            name = name[at:]
            yield rank + 100, name
