"""Damage the image data of JPEGs, and count how often `labeler` notices where the damage changes a label.

    .venv/bin/python benchmarks/damage.py ../shared/data/fer2013/train --count 800
    .venv/bin/python benchmarks/damage.py examples/photos/portraits --count 200

Each copy has one bit flipped, or 64 bytes zeroed, at a random place of its scans. Files that a decoder then refuses are
not counted: they have no label.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from labeler import native_output, pipeline
from labeler.records import Faces, Row, Settings, Status, by_file

ZEROED = 64


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a folder with JPEGs that are sound")
    parser.add_argument("--count", type=int, default=800, help="damaged copies to make")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default="", help="as for classify")
    parser.add_argument("--faces", type=Faces, default=Faces.AUTO, help="as for classify")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    given = parser.parse_args()
    settings = Settings(model=given.model, faces=given.faces)
    with tempfile.TemporaryDirectory() as scratch:
        sound, damaged = Path(scratch, "sound"), Path(scratch, "damaged")
        chance = random.Random(given.seed)
        chosen = copied(given.folder, sound, given.count, chance)
        damage(chosen, damaged, given.count, chance)
        before, after = (first_rows(folder, settings, given.workers) for folder in (sound, damaged))
    print(json.dumps(figures(before, after), indent=2))


def copied(folder: Path, target: Path, most: int, chance: random.Random) -> list[Path]:
    """Copy a random sample of at most ``most`` JPEGs into a new folder."""
    target.mkdir()
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"})
    copies = []
    for path in chance.sample(found, len(found)):
        content = path.read_bytes()
        if content.startswith(b"\xff\xd8"):
            copies.append(target / f"{len(copies):06}.jpg")
            copies[-1].write_bytes(content)
        if len(copies) == most:
            break
    return copies or sys.exit(f"there is no JPEG in {folder}")


def damage(paths: Sequence[Path], target: Path, count: int, chance: random.Random) -> None:
    """Write ``count`` damaged copies, of all files in turn, as `NUMBER/NAME` into a new folder."""
    for number in range(count):
        path = paths[number % len(paths)]
        place = target / f"{number:06}" / path.name
        place.parent.mkdir(parents=True)
        place.write_bytes(harmed(path.read_bytes(), chance, flip=chance.random() < 0.5))


def harmed(content: bytes, chance: random.Random, *, flip: bool) -> bytes:
    """Return a JPEG with one bit of its scans flipped, or 64 bytes of them zeroed."""
    changed = bytearray(content)
    at = chance.randrange(first_scan(content), len(content) - 2)
    if flip:
        changed[at] ^= 1 << chance.randrange(8)
    else:
        end = min(at + ZEROED, len(content) - 2)
        changed[at:end] = bytes(end - at)
    return bytes(changed)


def first_scan(content: bytes) -> int:
    """Return the offset of the data of the first scan of a sound JPEG."""
    at = 2
    while content[at + 1] != 0xDA:
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return at + 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def first_rows(folder: Path, settings: Settings, workers: int) -> dict[str, Row]:
    """Label photos as the command line does; return the row of each file's largest face by its path."""
    with native_output.decoders():
        rows: Iterator[Row] = pipeline.label([folder], settings, workers)
        return {faces[0].file: faces[0] for faces in by_file(rows)}


def figures(sound: dict[str, Row], damaged: dict[str, Row]) -> dict[str, int]:
    """Count files: those with another label than before the damage, and how many of these are `damaged`."""
    pairs = [(sound[file.rpartition("/")[2]], row) for file, row in damaged.items() if not row.failed]
    changed = [row for before, row in pairs if row.label != before.label]
    noticed = [row for row in changed if row.status is Status.DAMAGED]
    return {
        "sound": len(sound),
        "sound_called_damaged": sum(row.status is Status.DAMAGED for row in sound.values()),
        "damaged": len(damaged),
        "refused": sum(row.failed for row in damaged.values()),
        "noticed": sum(row.status is Status.DAMAGED for row in damaged.values()),
        "label_changed": len(changed),
        "label_changed_and_noticed": len(noticed),
    }


if __name__ == "__main__":
    main()
