"""Plans and items of exports, built directly."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from odd_rows import record_of
from PIL import Image

from labeler.exports.format import Format
from labeler.exports.item import Item, Plan
from labeler.images.picture import ImageError
from labeler.records import Row, Status

CLASS_NAMES = ("angry", "happy", "sad")

HOSTILE = [
    "a/plain.jpg",
    "A/Plain.jpg",
    'quotes "and", commas.jpg',
    "two\nlines.jpg",
    "dots.in.name.v1.jpg",
    ".hidden/__cache__/x.jpg",
    "test/validation/dev.jpg",
    "back\\slash.jpg",
    os.fsdecode(b"not utf-8 \xff.jpg"),
    "<script>alert(1)</script>.jpg",
    "metadata.jsonl",
    "archive.zip",
    "émoji 😀 [x]*?.jpg",
    "no suffix",
]


def picture(number: int, side: int = 8, form: str = "PNG") -> bytes:
    """Return the file of a picture whose colour tells its number."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), (number % 256, number // 256, 77)).save(out, form)
    return out.getvalue()


def colour(image: Image.Image) -> int:
    """Return the number of a `picture`; JPEG may be off by one."""
    red, green, _ = image.convert("RGB").getpixel((0, 0))  # type: ignore[misc]
    return int(red + 256 * green)


def plan_of(out: Path, **changes: object) -> Plan:
    plan = Plan(out=out, table=out.parent / "t.csv", record=record_of(CLASS_NAMES), root="/photos", crops=True)
    return replace(plan, **changes)  # type: ignore[arg-type]


def face(index: int = 0, label: str = "happy", *, x: float = 1.0, face_score: float | None = 0.5) -> Row:
    shares = tuple(0.75 if name == label else 0.125 for name in CLASS_NAMES)
    return Row("", index, x, 2.0, 3.5, 4.0, face_score, label, 0.75, shares)


def crop(number: int, name: str = "", label: str = "", subset: str = "", side: int = 8) -> Item:
    """Return a crop; classes take turns where none is said."""
    name = name or f"{number}.png"
    label = label or CLASS_NAMES[number % 3]
    return Item(
        number=number,
        name=name,
        file=f"photos/{name}",
        subset=subset,
        label=label,
        width=side,
        height=side,
        faces=(face(1, label, x=0.0, face_score=None),),
        content=lambda: picture(number, side),
    )


def photo(number: int, *faces: Row, name: str = "", subset: str = "", form: str = "JPEG") -> Item:
    """Return a photo with faces."""
    return Item(
        number=number,
        name=name or f"{number}.jpg",
        file=name or f"{number}.jpg",
        subset=subset,
        label=faces[0].label if faces else "",
        width=8,
        height=8,
        faces=faces,
        content=lambda: picture(number, form=form),
    )


def broken(item: Item) -> Item:
    """Return an item whose picture cannot be read."""

    def fail() -> bytes:
        raise ImageError(Status.UNREADABLE, "it is broken")

    return replace(item, content=fail)


def unread(item: Item) -> Item:
    """Return an item whose picture must not be read."""

    def fail() -> bytes:
        raise AssertionError(f"{item.name} was read")

    return replace(item, content=fail)


def export(form: type[Format], plan: Plan, items: list[Item]) -> list[Item]:
    """Export as the core does, pictures too; return the items whose pictures could not be read."""
    left_out = []
    with form(plan) as opened:
        for item in items:
            try:
                if not form.packs:
                    place(plan, opened.path(item), item.content)
                opened.add(item)
            except ImageError:
                left_out.append(item)
    return left_out


def place(plan: Plan, path: str, content: Callable[[], bytes] | None) -> None:
    target = plan.out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    assert content
    assert not target.exists()
    target.write_bytes(content())


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, hidden ones too, by their names."""
    found = [Path(path, name) for path, _, names in os.walk(folder) for name in names]
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
