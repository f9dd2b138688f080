"""From what a person said of a photo to events about the faces of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from labeler.records import UNCERTAIN, Row
from labeler.reviewers.said import LeftOut, Region, Said
from labeler.tables.matching import LEAST_IOU, Box, box_of, iou, match_boxes
from labeler.tables.reviews import NOT_A_FACE, Event, Kind
from labeler.tables.verdicts import Verdict, Verdicts

VIEW = "import"


class Face(NamedTuple):
    """A face that the table has, or that somebody added."""

    box: Box | None
    model: str
    """The label of the table; empty for one that was added."""
    verdict: Verdict | None
    row: Row | None

    @property
    def label(self) -> str:
        """Return the label that counts."""
        return (self.verdict.label if self.verdict else "") or self.model


@dataclass(slots=True)
class Faces:
    """Makes events of what was said, and counts it."""

    class_names: frozenset[str]
    now: str
    """The time of what has none."""
    hash_of: Callable[[Row], str | None]
    """Returns the hash of a row's photo; None where it cannot be read, or is not the one that was labelled any more."""
    accepts: bool = False
    """Whether a label that was left as it was counts as looked at."""
    left: LeftOut = field(default_factory=LeftOut)
    counts: Counter[str] = field(default_factory=Counter)
    """Faces by what was said of them: ``accepted``, ``changed``, ``not_a_face``, ``added``; ``said_before``;
    ``unchanged`` where a label was left as it was; ``missing`` where nobody knows whether a face was taken out."""

    def events(self, said: Said, rows: Sequence[Row], verdicts: Verdicts) -> Iterator[Event]:
        """Yield the events of what was said of a photo, whose rows these are."""
        size = rows[0].image_width, rows[0].image_height
        if rows[0].failed and any(region.label for region in said.regions):
            self.left.add("a photo that the table could not read", said.file)
        elif rows[0].failed:
            self.counts["unchanged"] += len(said.regions)
        elif said.size and size[0] and said.size != size:
            self.left.add("a picture of another size than the photo: a crop, or another photo", said.file)
        else:
            yield from self._events(said, rows, _faces(rows, verdicts))

    def _events(self, said: Said, rows: Sequence[Row], faces: Sequence[Face]) -> Iterator[Event]:
        found = _found(said.regions, faces)
        shown = {face: said.shown[at].label for at, face in _found(said.shown, faces).items()} if said.shown else {}
        contradicted = set()
        for place, region in enumerate(said.regions):
            if place in found:
                continue
            beside = _overlapped(region, faces, said.regions, found)
            if beside is None:
                yield from self._added(said, rows, region)
            elif region.label != said.regions[beside[1]].label:
                contradicted.add(beside[0])
        for _ in contradicted:
            self.left.add("two labels for one face", said.file)
        for place, face in found.items():
            if face not in contradicted:
                yield from self._said(said, rows, faces[face], said.regions[place], shown.get(face, ""))
        if said.complete:
            yield from self._missing(said, rows, faces, found.values(), shown)

    def _said(self, said: Said, rows: Sequence[Row], face: Face, region: Region, shown: str) -> Iterator[Event]:
        """Yield the event of a label, unless it was left as it was ``shown``, or the reviewer said the same before."""
        if not self._is_label(said, region.label):
            return
        left_alone = region.label == shown if shown else region.label in {face.model, face.label}
        if left_alone and not region.explicit and not self.accepts:
            self.counts["unchanged"] += 1
        else:
            yield from self._new(said, rows, face, region.label)

    def _missing(
        self, said: Said, rows: Sequence[Row], faces: Sequence[Face], seen: Collection[int], shown: Collection[int]
    ) -> Iterator[Event]:
        """Yield the events of faces that were taken out: the person was shown them, and left no region."""
        for place, face in enumerate(faces):
            if place in seen or face.label in {NOT_A_FACE, UNCERTAIN, ""}:
                continue
            if place in shown:
                yield from self._new(said, rows, face, NOT_A_FACE)
            elif said.shown is None:
                self.counts["missing"] += 1

    def _added(self, said: Said, rows: Sequence[Row], region: Region) -> Iterator[Event]:
        """Yield the event of a face that the table does not have."""
        box = region.box and _clipped(region.box, rows[0])
        if region.label == "":
            self.counts["unchanged"] += 1
        elif not box:
            self.left.add("a face that the table does not have, and no box inside the photo", said.file)
        elif region.label == NOT_A_FACE:
            self.counts["unchanged"] += 1
        elif self._is_label(said, region.label):
            self.counts["added"] += 1
            yield self._event(said, rows[0], kind=Kind.ADD, box=box, new=region.label)

    def _new(self, said: Said, rows: Sequence[Row], face: Face, label: str) -> Iterator[Event]:
        vote = face.verdict.votes.get(said.reviewer) if face.verdict else None
        if vote and vote.new == label:
            self.counts["said_before"] += 1
            return
        self.counts[NOT_A_FACE if label == NOT_A_FACE else "accepted" if label == face.label else "changed"] += 1
        yield self._event(said, rows[0], kind=Kind.LABEL, box=face.box, old=face.label, new=label)

    def _event(self, said: Said, row: Row, *, kind: Kind, box: Box | None, new: str, old: str = "") -> Event:
        return Event(
            action=said.action,
            time=said.time or self.now,
            reviewer=said.reviewer,
            kind=kind,
            file=said.file,
            box=box,
            version=row.version,
            hash=self.hash_of(row),
            old=old,
            new=new,
            view=VIEW,
        )

    def _is_label(self, said: Said, label: str) -> bool:
        is_label = label in self.class_names or label in {UNCERTAIN, NOT_A_FACE}
        if not is_label:
            reason = "a label that is no class of the table" if label else "a face without a label"
            self.left.add(reason, f"{label[:40]!r} of {said.file}" if label else said.file)
        return is_label


def _faces(rows: Sequence[Row], verdicts: Verdicts) -> list[Face]:
    labelled = [row for row in rows if row.label]
    own = [Face(box_of(row), row.label, one, row) for row, one in zip(labelled, verdicts.faces, strict=True)]
    added = [
        Face(next(event.box for event in one.votes.values() if event.box), "", one, None) for one in verdicts.added
    ]
    return own + added


def _found(regions: Sequence[Region], faces: Sequence[Face]) -> dict[int, int]:
    """Return the place of the face for that of each region that has one: by box, else by number, else the only one."""
    boxed = [place for place, region in enumerate(regions) if region.box]
    targets = [place for place, face in enumerate(faces) if face.box]
    matched = match_boxes([regions[place].box for place in boxed], [faces[place].box for place in targets])
    found = {boxed[at]: targets[to] for at, to in matched.items()}
    for place, region in enumerate(regions):
        if region.box:
            continue
        rows = [to for to, face in enumerate(faces) if face.row and region.face in {face.row.face, None}]
        if len(rows) == 1 and rows[0] not in found.values():
            found[place] = rows[0]
    return found


def _overlapped(
    region: Region, faces: Sequence[Face], regions: Sequence[Region], found: dict[int, int]
) -> tuple[int, int] | None:
    """Return the face that a further region is about too, and the region that is matched to it."""
    for place, face in found.items():
        box, other = region.box, faces[face].box
        same = iou(box, other) >= LEAST_IOU if box and other else box is None and regions[place].face == region.face
        if same:
            return face, place
    return None


def _clipped(box: Box, row: Row) -> Box | None:
    """Return the part of a box that lies in the photo; None if there is none."""
    right = min(box.x + box.width, row.image_width or box.x + box.width)
    bottom = min(box.y + box.height, row.image_height or box.y + box.height)
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    if right - left < 1 or bottom - top < 1:
        return None
    return Box(round(left, 1), round(top, 1), round(right - left, 1), round(bottom - top, 1))
