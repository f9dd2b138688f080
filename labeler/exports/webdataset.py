"""WebDataset: tar files ``<subset>-000000.tar`` of samples, each a picture, its class and what is known of it.

The members of a sample follow one another, and have the item's number as their key: names of photos may hold dots, on
which readers split keys. `webdataset` reads it, and so does `datasets`.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from labeler.errors import LabelerError
from labeler.exports.annotation import annotation
from labeler.exports.item import Item, Plan
from labeler.exports.shards import Shards

_CLASS_SUFFIX = b".cls"
_BLOCK = tarfile.BLOCKSIZE
_NO_CLASS = -1
"""The class of a photo without one; every sample has the same members, or `datasets` refuses the file."""


class WebDataset(Shards):
    """Tar files. The same items give the same bytes: members have no time and no owner."""

    most_bytes: ClassVar = 10**9
    """What Hugging Face advises for a file."""
    most_items: ClassVar = 10_000
    """Crops are small: what a run that is killed loses is a minute's work."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        if plan.mode is None:
            raise LabelerError("webdataset packs the pictures: --mode none is not possible. Leave it out")

    def place(self, subset: str, number: int) -> Path:
        """Return the path of a tar file."""
        return self._plan.out / f"{subset}-{number:06}.tar"

    def key(self, item: Item) -> str:
        """Return the number of an item, as wide as a billion is."""
        return f"{item.number:09}"

    def keys(self, path: Path) -> Iterator[str]:
        """Yield the keys of a tar file; its headers are read, and no content."""
        with path.open("rb") as file:
            while (header := file.read(_BLOCK)).strip(b"\0"):
                name, size, magic = header[:100].rstrip(b"\0"), header[124:135], header[257:262]
                if magic != b"ustar":
                    raise ValueError("it is no tar file of an export")
                file.seek(_padded(int(size, 8)), 1)
                if name.endswith(_CLASS_SUFFIX):
                    yield name.removesuffix(_CLASS_SUFFIX).decode()

    def begin(self, path: Path) -> _Tar:
        """Return a tar file to write into."""
        return _Tar(path, self)

    def sample(self, item: Item, content: bytes) -> dict[str, bytes]:
        """Return the members of a sample, by their names.

        A photo is ``.jpg`` whatever it is: readers look at the content, and `datasets` refuses different members.
        """
        number = self._plan.class_names.index(item.label) if item.label else _NO_CLASS
        about = annotation(item, crops=self._plan.crops, keep=self._plan.record.keep)
        key = self.key(item)
        return {
            f"{key}{'.png' if self._plan.crops else '.jpg'}": content,
            f"{key}.json": json.dumps(about, ensure_ascii=False).encode(),
            f"{key}.cls": b"%d" % number,
        }


class _Tar:
    """A tar file while it is written. `tarfile.TarFile` would keep a record of every member until the end."""

    def __init__(self, path: Path, form: WebDataset) -> None:
        self._file = path.open("wb")
        self._form = form

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        with self._file:
            if kind is None:
                end = self._file.tell() + 2 * _BLOCK
                self._file.write(bytes(2 * _BLOCK + -end % tarfile.RECORDSIZE))

    def add(self, item: Item, content: bytes | None) -> None:
        for name, member in self._form.sample(item, content or b"").items():
            info = tarfile.TarInfo(name)
            info.size = len(member)
            self._file.write(info.tobuf(tarfile.USTAR_FORMAT))
            self._file.write(member)
            self._file.write(bytes(_padded(len(member)) - len(member)))


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
