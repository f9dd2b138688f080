"""Photos with faces for exports, built directly, and an export of them as the core makes it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from odd_rows import record_of
from PIL import Image

from labeler.exports.format import Format
from labeler.exports.item import Item, Plan
from labeler.records import Mode, Row

CLASSES = ("angry", "happy", "sad & <blue>")

HOSTILE = [
    "a/plain.jpg",
    "A/Plain.jpg",
    "a/plain.png",
    "a/plain-png.jpg",
    "a/plain.JPG",
    "quotes \"and\" 'apostrophes', commas.jpg",
    "two\nlines.jpg",
    "carriage\rreturn\ttab\x01.jpg",
    "dots.in.name.v1.jpg",
    ".hidden/.x.jpg",
    "images/labels/images/x.jpg",
    "back\\slash.jpg",
    "space .jpg",
    " folder /x.jpg",
    os.fsdecode(b"not utf-8 \xff.jpg"),
    os.fsdecode(b"folder \xff/x.jpg"),
    "<script>&amp;]]>.jpg",
    "right\u202eto\u202cleft.jpg",
    "line\u2028separator\ufffe.jpg",
    "émoji 😀 [x]*?#{1}.jpg",
    "# comment: %41.jpg",
    "no suffix",
    "a.tar.gz",
]


def plan_of(out: Path, *, root: str = "/photos", mode: Mode | None = Mode.COPY, **changes: object) -> Plan:
    return Plan(out=out, table=out.parent / "t.csv", record=record_of(CLASSES), root=root, mode=mode, **changes)  # type: ignore[arg-type]


def face(
    label: str, x: float, y: float, width: float, height: float, score: float | None = 0.75, index: int = 0
) -> Row:
    return Row("", index, x, y, width, height, 0.9, label, score)


def photo(number: int, *faces: Row, name: str = "", subset: str = "", size: tuple[int, int] = (200, 100)) -> Item:
    return Item(
        number=number,
        name=name or f"{number}.jpg",
        file=name or f"{number}.jpg",
        subset=subset,
        label=faces[0].label if faces else "",
        width=size[0],
        height=size[1],
        faces=faces,
    )


def two_photos(subsets: tuple[str, str] = ("", "")) -> list[Item]:
    """Return a photo with two faces, and a high one in a folder with a face in its right lower corner."""
    return [
        photo(
            0, face("happy", 20.0, 10.0, 50.5, 40.0), face("angry", 100.3, 0.0, 30.3, 60.0, 0.5, 1), subset=subsets[0]
        ),
        photo(1, face("angry", 60.0, 150.0, 40.0, 50.0, 0.25), name="a/b.jpg", subset=subsets[1], size=(100, 200)),
    ]


def failing() -> Iterator[Item]:
    """Yield two photos, then fail."""
    yield from two_photos()
    raise ZeroDivisionError


def hostile() -> list[Item]:
    """Return photos of hostile names, each with a face whose left border tells its number."""
    return [photo(at, face(CLASSES[at % 3], float(at), 1.0, 5.0, 6.0), name=name) for at, name in enumerate(HOSTILE)]


def numbered(items: list[Item]) -> list[Item]:
    """Return items of several lists, numbered anew."""
    return [replace(item, number=number) for number, item in enumerate(items)]


def export(form: type[Format], plan: Plan, items: Iterable[Item], *, pictures: bool = False) -> dict[str, Item]:
    """Export as the core does, with pictures if wanted; return the items by the places of their pictures."""
    places = {}
    with form(plan) as opened:
        for item in items:
            place = opened.path(item)
            if pictures:
                target = plan.out / place
                target.parent.mkdir(parents=True, exist_ok=True)
                Image.new("RGB", (item.width, item.height)).save(target, "JPEG")
            opened.add(item)
            places[place] = item
    return places


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, hidden ones too, by their names."""
    found = [Path(path, name) for path, _, names in os.walk(folder) for name in names]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
