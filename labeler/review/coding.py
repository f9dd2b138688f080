"""Codes for all faces of a table: what an earlier run kept, and the rest by looking at their photos."""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from labeler.errors import LabelerError
from labeler.records import Row
from labeler.review import records
from labeler.review.codes import DIMENSIONS, Coder, Codes, Features, fit
from labeler.review.looking import Numbered, Reader, Seen
from labeler.review.task import RECIPE, Task
from labeler.tables import reader

_MAGIC = b"labeler alike %d\n" % RECIPE

Mask = NDArray[np.bool_]

Tell = Callable[[float], None]
"""Called with the share of the faces that was looked at."""


class Listed(NamedTuple):
    """The faces of a table: the rows that have probabilities."""

    rows: int
    """Number of all rows of the table."""
    numbers: NDArray[np.int64]
    """The number of each face's row."""
    files: NDArray[np.int64]
    """The number of each face's file, from 0, ascending."""
    keys: records.Bytes
    probabilities: Features


class Coded(NamedTuple):
    """Codes of faces; those that could not be read have none, and are not `known`."""

    known: Mask
    codes: Codes
    coder: Coder | None
    """None where no face could be read."""


def listed(table: Path) -> Listed:
    """Read the faces of a table; 50 bytes a face are kept.

    Raises:
        LabelerError: it cannot be read.
    """
    numbers, files, probabilities, keys = array("q"), array("q"), array("f"), bytearray()
    rows, file, name = 0, -1, None
    for rows, row in enumerate(reader.read(table), 1):
        if row.probabilities:
            file += row.file != name
            name = row.file
            numbers.append(rows - 1)
            files.append(file)
            keys += _key(row)
            probabilities.extend(row.probabilities)
    return Listed(
        rows,
        np.frombuffer(numbers, np.int64),
        np.frombuffer(files, np.int64),
        np.frombuffer(bytes(keys), np.uint8).reshape(-1, records.KEY_BYTES),
        np.frombuffer(probabilities, np.float32).reshape(len(numbers), -1 if len(numbers) else 0),
    )


def coded(task: Task, faces: Listed, look: Reader, file: Path, tell: Tell) -> Coded:
    """Return the codes of a table's faces; those that ``file`` has not are computed, and kept there.

    Raises:
        LabelerError: the table was replaced meanwhile.
        OSError: the file cannot be written.
    """
    coding = _Coding(task, faces, look, file, tell)
    coding.take_kept()
    if coding.coder is None:
        coding.begin()
    if coding.coder is not None:
        coding.go_on(coding.coder)
    return Coded(coding.known, coding.codes, coding.coder)


class _Coding:
    """One call of `coded`."""

    def __init__(self, task: Task, faces: Listed, look: Reader, file: Path, tell: Tell) -> None:
        self._task, self._faces, self._look, self._file, self._tell = task, faces, look, file, tell
        self._tried = 0
        self.known: Mask = np.zeros(len(faces.numbers), np.bool_)
        self.codes: Codes = np.zeros((len(faces.numbers), DIMENSIONS), np.int8)
        self.coder: Coder | None = None

    def take_kept(self) -> None:
        """Take the codes of an earlier run; erase what is damaged, or not of this table."""
        kept = records.read(self._file, _MAGIC, DIMENSIONS)
        if kept is None:
            records.set_aside(self._file)
            return
        self.coder = Coder.of_bytes(kept.header)
        places = _places(self._faces.keys, kept.keys)
        self.known = places >= 0
        self.codes[self.known] = kept.values.view(np.int8)[places[self.known]]
        used = np.unique(places[self.known])
        if not kept.whole or len(used) < len(kept.keys):
            records.write(self._file, _MAGIC, kept.header, kept.keys[used], kept.values[used])
        self._tried = int(self.known.sum())

    def begin(self) -> None:
        """Fit the coder on a sample of files, and begin the file of codes with those of the sample."""
        sample = _sample(self._faces.files, self._task.sample)
        # The others are asked only where no file of the sample can be read.
        found = self._features(sample) or self._features(~sample)
        if found:
            self.coder = fit(np.concatenate([seen.features for seen in found]))
            parts = [self._learnt(seen, self.coder) for seen in found]
            keys, values = (np.concatenate(part) for part in zip(*parts, strict=True))
            records.write(self._file, _MAGIC, self.coder.to_bytes(), keys, values)

    def go_on(self, coder: Coder) -> None:
        """Look at the faces that have no code."""
        with records.appending(self._file) as stream, closing(self._seen(~self.known)) as some:
            for seen in some:
                if seen.numbers:
                    records.append(stream, *self._learnt(seen, coder))

    def _features(self, wanted: Mask) -> list[Seen]:
        """Return what is seen of some faces, a sample of them or a little more."""
        found: list[Seen] = []
        with closing(self._seen(wanted)) as some:
            for seen in some:
                found += [seen] if seen.numbers else []
                if sum(len(one.numbers) for one in found) >= self._task.sample:
                    break
        return found

    def _learnt(self, seen: Seen, coder: Coder) -> tuple[records.Bytes, records.Bytes]:
        """Note the codes of faces; return keys and codes of those to be kept: not of a photo that was replaced."""
        numbers = np.array(seen.numbers, np.int64)
        self.known[numbers] = True
        self.codes[numbers] = coder.encode(seen.features)
        kept = numbers[np.array(seen.as_labelled, np.bool_)]
        return self._faces.keys[kept], self.codes[kept].view(np.uint8)

    def _seen(self, wanted: Mask) -> Generator[Seen, None, None]:
        self._tell(self._tried / max(len(wanted), 1))
        if not wanted.any():
            return
        with closing(self._look.seen(self._again(wanted), self._task.workers())) as some:
            for seen in some:
                yield seen
                self._tried += seen.tried
                self._tell(min(self._tried / len(wanted), 1.0))

    def _again(self, wanted: Mask) -> Iterator[Numbered]:
        """Yield the wanted faces as the table has them: only keys are in memory."""
        number = 0
        for row in reader.read(Path(self._task.table)):
            if row.probabilities:
                if number == len(wanted) or _key(row) != self._faces.keys[number].tobytes():
                    raise LabelerError(f"{self._task.table} was replaced while its faces were looked at")
                if wanted[number]:
                    yield Numbered(number, row)
                number += 1


def _key(row: Row) -> bytes:
    """Return what a code is kept by: the face's file, its version and its box."""
    names = (text.encode("utf-8", "surrogatepass") for text in (row.file, row.version))
    box = struct.pack("<4d", *(-1.0 if side is None else side for side in row[2:6]))
    return hashlib.blake2b(b"\0".join((*names, box)), digest_size=records.KEY_BYTES).digest()


def _places(wanted: records.Bytes, kept: records.Bytes) -> NDArray[np.int64]:
    """Return where each wanted key is among those kept; -1 where it is not."""
    if not len(kept):
        return np.full(len(wanted), -1, np.int64)
    first = [np.ascontiguousarray(keys[:, :8]).view("<u8")[:, 0] for keys in (wanted, kept)]
    order = np.argsort(first[1], kind="stable")
    found = order[np.minimum(np.searchsorted(first[1], first[0], sorter=order), len(kept) - 1)]
    return np.where((kept[found] == wanted).all(axis=1), found, -1)


def _sample(files: NDArray[np.int64], size: int) -> Mask:
    """Choose files at random, always the same ones, that have at least ``size`` faces together."""
    counts = np.bincount(files)
    order = np.random.default_rng(0).permutation(len(counts))
    enough = int(np.searchsorted(np.cumsum(counts[order]), size)) + 1
    chosen = np.zeros(len(counts), np.bool_)
    chosen[order[:enough]] = True
    return chosen[files]
