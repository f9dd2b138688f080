"""What a split needs to know of each item, in little memory: there may be millions."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray

from labeler.exports.item import Item

Numbers = NDArray[np.int64]


class Gathered:
    """The items of an export and the hashes of their pictures: 70 bytes each, and with ``keeps_files`` their files.

    Faces are entries of their own, so that a photo with three counts for three.
    """

    def __init__(self, *, keeps_files: bool) -> None:
        self.items = 0
        """One more than the largest number of an item."""
        self.unreadable = 0
        """Items without a hash; nothing else says anything about them."""
        self.files: list[str] | None = [] if keeps_files else None
        """The file of each readable item."""
        self._file = ""
        self._numbers, self._firsts, self._labels, self._places = (array("q") for _ in range(4))
        self._hashes = bytearray()
        self._class_numbers: dict[str, int] = {}

    def add(self, item: Item, phash: bytes) -> None:
        """Note an item and the hash of its picture, empty where that cannot be read; those of a file are adjacent."""
        self.items = max(self.items, item.number + 1)
        if not phash:
            self.unreadable += 1
            return
        place = len(self._numbers)
        same = place and item.file == self._file
        self._firsts.append(self._firsts[-1] if same else place)
        if not same:
            self._file = item.file
        if self.files is not None:
            self.files.append(self._file)
        self._numbers.append(item.number)
        self._hashes += phash
        for label in [face.label for face in item.faces] or [item.label]:
            self._labels.append(self._class_numbers.setdefault(label, len(self._class_numbers)))
            self._places.append(place)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that occur, sorted."""
        return tuple(sorted(self._class_numbers))

    @property
    def hashes(self) -> NDArray[np.uint8]:
        """The bytes of the hash of each readable item, one after another."""
        return np.frombuffer(self._hashes, np.uint8)

    @property
    def numbers(self) -> Numbers:
        """The number of each readable item (n,)."""
        return np.frombuffer(self._numbers, np.int64)

    @property
    def firsts(self) -> Numbers:
        """The place of the first readable item of its file, for each of them (n,)."""
        return np.frombuffer(self._firsts, np.int64)

    @property
    def places(self) -> Numbers:
        """The place of its item among the readable ones, for each face (m,)."""
        return np.frombuffer(self._places, np.int64)

    @property
    def labels(self) -> Numbers:
        """The class of each face (m,): an index into `class_names`."""
        names = self.class_names
        ranks = np.array([names.index(name) for name in self._class_numbers], np.int64)
        return ranks[np.frombuffer(self._labels, np.int64)]
