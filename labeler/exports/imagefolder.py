"""Hugging Face's ImageFolder: pictures by subset, crops in folders by class too, and a ``metadata.jsonl`` for each.

`datasets` reads it with ``load_dataset(FOLDER)``; torchvision's ImageFolder reads the crops of one subset.
"""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from types import TracebackType
from typing import IO, ClassVar, Self

from labeler.errors import LabelerError
from labeler.exports.annotation import WHOLE, annotation, subset_of
from labeler.exports.item import Item, Plan
from labeler.sorting.folders import Folders
from labeler.storage import atomic, names

MOST_FILES = 100_000
"""Upper limit on the files of a repository that Hugging Face advises; above it, pictures belong into Parquet files."""

METADATA = "metadata.jsonl"

_ODD = re.compile(r"[.]|__|.*[\\\udc80-\udcff]|metadata\.(csv|jsonl|parquet)$|.*\.zip$", re.DOTALL | re.IGNORECASE)
"""Begins a part of a name that `datasets` does not find: hidden, taken for metadata or an archive, with a backslash
(which it takes for a slash), or no UTF-8."""

_SUFFIX = re.compile(r"\.(jpe?g|png|webp|bmp|gif|tiff?)$", re.IGNORECASE)


class ImageFolder:
    """Folders of pictures, and what is known of them as JSON Lines."""

    packs: ClassVar = False
    crops: ClassVar = True
    split: ClassVar[tuple[float, ...]] = ()

    def __init__(self, plan: Plan) -> None:
        if plan.mode is None:
            raise LabelerError(
                "imagefolder needs the pictures in its folder: --mode none is not possible. "
                "Use --mode symlink, or --to parquet"
            )
        self._plan = plan
        self._folders = Folders(plan.class_names)
        self._open = ExitStack()
        self._files: dict[str, IO[str]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for subset in self._plan.subsets or (WHOLE,):
                beside = opened.enter_context(atomic.replacing(self._plan.out / subset / METADATA))
                beside.parent.mkdir(parents=True, exist_ok=True)
                file = beside.open("w", encoding="utf-8", newline="")
                self._files[subset] = opened.enter_context(file)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its subset."""
        return f"{subset_of(item)}/{self._name(item)}"

    def add(self, item: Item) -> None:
        """Write the line of an item."""
        about = {"file_name": self._name(item), **annotation(item, crops=self._plan.crops, keep=self._plan.record.keep)}
        self._files[subset_of(item)].write(json.dumps(about, ensure_ascii=False) + "\n")

    def _name(self, item: Item) -> str:
        name = "/".join(_findable(part) for part in item.name.split("/"))
        return f"{_findable(self._folders.named(item.label))}/{name}" if self._plan.crops else name


def _findable(part: str) -> str:
    """Return a part of a name as `datasets` finds it: with its hash where it would not."""
    if not _ODD.match(part):
        return part
    suffix = _SUFFIX.search(part)
    return names.hashed(part).lstrip("._") + (suffix[0] if suffix else "")
