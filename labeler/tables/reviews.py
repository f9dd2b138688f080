"""What a person said about a face: an event, a line of JSON in `TABLE.reviews.jsonl`; see `review_log`."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from labeler.records import UNCERTAIN, unusable_class_names
from labeler.tables import run_record
from labeler.tables.cells import escape, unescape
from labeler.tables.matching import Box

SUFFIX = ".reviews.jsonl"
"""What the file of reviews beside a table is called, after the table's name."""

NOT_A_FACE = "not_a_face"
"""The label that takes a row out: what the detector found is no face."""

CONSENSUS = "consensus"
"""The view of an event that decides among votes, and the reviewer who is said to have given it; see
`verdicts.verdict`."""

CERTIFY = "certify"
"""What the view of an answer to a blind card begins with; a space and the name of the draw follow, see
`certify.draw`."""

AGAIN = "certify-again"
"""The view of an answer to a blind card that is shown a second time."""

SENTINEL = "sentinel"
"""The view of what was said about a face that was shown with a wrong label on purpose, which is the event's `old`."""

CHECKS = frozenset({AGAIN, SENTINEL})
"""Views of events that tell how careful a reviewer is: they are no votes, and correct nothing."""

FORMAT = 1
"""Version of the format of an event."""

_HEX = re.compile(r"[0-9a-f]{32}").fullmatch
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII).fullmatch
_LONGEST_TEXT = 200
_REPEATED = frozenset({"reviewer", "old", "new", "view"})


class Kind(StrEnum):
    """What an event does."""

    LABEL = "label"
    """Gives a face of the table a label, or accepts the one that it has."""
    ADD = "add"
    """Adds a face that the detector missed."""
    UNDO = "undo"
    """Undoes an action of the same reviewer; to undo an undo is to redo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that a person said. An event that exists is valid: making one raises ValueError otherwise."""

    action: str
    """32 hexadecimal digits. One key press is one action, which may label a hundred faces."""
    time: str
    """UTC in milliseconds, `2026-11-25T14:03:12.345Z`; see `now`."""
    reviewer: str
    kind: Kind = Kind.LABEL
    file: str = ""
    box: Box | None = None
    """In pixels of the upright photo, as in the table; None where the table has none."""
    version: str = ""
    """The version of the file in the table when it was reviewed."""
    hash: str | None = None
    """BLAKE2b-128 of the file's bytes, see `picture_hash`; None where it was not read."""
    old: str = ""
    new: str = ""
    """A class, `uncertain`, `not_a_face`, or empty for an added face that is none after all."""
    view: str = ""
    shown: bool = True
    """Whether the person saw the model's label."""
    ms: int | None = None
    """How long the person took; None if unknown."""
    undoes: str = ""
    """The action that an undo undoes."""
    id: str = ""
    """32 hexadecimal digits. By default what action, reviewer and face give: the same action, sent again, is the same
    events."""

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", _identity(self))
        wrong = next((name for name, right in _checks(self) if not right), "")
        if wrong:
            raise ValueError(f"its {wrong} cannot be {getattr(self, wrong)!r:.100}")

    @property
    def order(self) -> tuple[str, str]:
        """Return what events are sorted by, whichever file they come from."""
        return self.time, self.id

    def line(self) -> bytes:
        """Return the event as a line of the file."""
        about = {"v": FORMAT, "id": self.id, "action": self.action, "time": self.time, "reviewer": self.reviewer}
        if self.kind is Kind.UNDO:
            found = {**about, "kind": "undo", "undoes": self.undoes}
        else:
            found = {
                **about,
                "kind": str(self.kind),
                "file": escape(self.file),
                "box": self.box,
                "version": self.version,
                "hash": self.hash,
                "old": self.old,
                "new": self.new,
                "view": self.view,
                "shown": self.shown,
                "ms": self.ms,
            }
        return json.dumps(found, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Event:
        """Return the event of a line; what a later version wrote besides is passed over.

        Raises:
            ValueError: it is none.
        """
        try:
            found = json.loads(line)
            if found["v"] != FORMAT:
                raise ValueError(f"its format is {found['v']!r:.20}; this version of labeler knows {FORMAT}")
            known = {name: found[name] for name in cls.__slots__ if name in found}
            for name in _REPEATED & known.keys():  # A log of 100,000 events has a few of these each.
                known[name] = sys.intern(known[name])
            known["kind"] = Kind(found["kind"])
            known["file"] = unescape(known.get("file", ""))
            known["box"] = None if known.get("box") is None else Box(*map(float, known["box"]))
            return cls(**known)
        except (TypeError, KeyError, AttributeError, RecursionError, OverflowError) as exc:
            raise ValueError(f"no event of a review: {exc!r:.100}") from exc


def path_of(table: Path) -> Path:
    """Return where the reviews of a table lie; a link is followed, so that the lock lies beside the file itself."""
    found = run_record.beside(table, SUFFIX)
    return found.resolve() if found.is_symlink() else found


def now(after: str = "") -> str:
    """Return the time for a new event, at least a millisecond after that of the last one, however the clock is set."""
    moment = datetime.now(UTC)
    if after and _spelled(moment) <= after:
        moment = datetime.fromisoformat(after) + timedelta(milliseconds=1)
    return _spelled(moment)


def picture_hash(content: bytes) -> str:
    """Return what says that two files show the same picture: BLAKE2b-128 of their bytes, in hexadecimal digits."""
    return blake2b(content, digest_size=16).hexdigest()


def _spelled(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def _identity(event: Event) -> str:
    texts = event.action, event.reviewer, event.kind, event.undoes, event.file, repr(event.box and tuple(event.box))
    return blake2b("\0".join(texts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _checks(event: Event) -> Iterator[tuple[str, bool]]:
    """Yield for each field whether its value can be one."""
    yield "id", _is_hex(event.id)
    yield "action", _is_hex(event.action)
    yield "time", isinstance(event.time, str) and _TIME(event.time) is not None
    yield "reviewer", _is_text(event.reviewer) and event.reviewer.strip() != ""
    yield "kind", isinstance(event.kind, Kind)
    if event.kind is Kind.UNDO:
        yield "undoes", _is_hex(event.undoes)
        return
    yield "file", "\0" not in event.file and _is_name(event.file)
    yield "box", _is_box(event.box) and (event.box is not None or event.kind is Kind.LABEL)
    yield "version", _is_text(event.version)
    yield "hash", event.hash is None or _is_hex(event.hash)
    yield "old", _is_text(event.old) or _is_label(event.old)  # A class may be an emoji with a joiner, which is no text.
    yield "new", _is_label(event.new) or (event.new == "" and event.kind is Kind.ADD)
    yield "view", _is_text(event.view)
    yield "shown", isinstance(event.shown, bool)
    yield "ms", event.ms is None or (type(event.ms) is int and event.ms >= 0)


def _is_hex(text: object) -> bool:
    return isinstance(text, str) and _HEX(text) is not None


def _is_text(text: object) -> bool:
    return isinstance(text, str) and len(text) <= _LONGEST_TEXT and text.isprintable()


def _is_name(file: str) -> bool:
    with suppress(UnicodeEncodeError):
        file.encode("utf-8", "surrogateescape")
        return True
    return False


def _is_box(box: Box | None) -> bool:
    return box is None or (all(map(math.isfinite, box)) and box.width >= 0 and box.height >= 0)


def _is_label(label: object) -> bool:
    """Say whether a label is a class or means something here; a file of reviews may come from anywhere."""
    return isinstance(label, str) and (label in {UNCERTAIN, NOT_A_FACE} or _is_class_name(label))


@lru_cache(1000)
def _is_class_name(label: str) -> bool:
    return not unusable_class_names([label])
