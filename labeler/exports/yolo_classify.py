"""Ultralytics' classification layout: ``<subset>/<class>/<picture>``, which torchvision's ImageFolder reads, too."""

from __future__ import annotations

from typing import ClassVar, Self

from labeler.errors import LabelerError
from labeler.exports.item import Item, Plan
from labeler.sorting.folders import Folders


def class_folder(item: Item, folders: Folders) -> str:
    """Return a picture's place in the folder of its class, in that of its subset where there is one."""
    return "/".join(filter(None, (item.subset, folders.named(item.label), item.name)))


class YoloClassify:
    """Folders of pictures by class; there is no other file."""

    packs: ClassVar = False
    crops: ClassVar = True
    split: ClassVar[tuple[float, ...]] = (0.8, 0.2)

    def __init__(self, plan: Plan) -> None:
        if plan.mode is None:
            raise LabelerError("yolo-cls says classes by folders: --mode none is not possible. Use --mode symlink")
        self._folders = Folders(plan.class_names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Write nothing: the folders say it all."""

    def path(self, item: Item) -> str:
        """Return the picture's place in the folder of its class."""
        return class_folder(item, self._folders)

    def add(self, item: Item) -> None:
        """Write nothing."""
