"""Sprites: each photo decoded once, tiles in the order asked for, kept beside the table; gray where there is none."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
from conftest import Folder
from numpy.typing import NDArray
from PIL import Image

from labeler import storage
from labeler.records import Row, Status
from labeler.review import thumbnails, tile_cache
from labeler.review.refused import Refused
from labeler.review.thumbnails import COLUMNS, Stopped, Thumbnails
from labeler.review.tile_cache import Kept, TileCache

SIDE = 32
LIMIT = 10_000_000
COLOURS = [(200, 30, 30), (30, 160, 30), (30, 30, 220)]


def row(folder: Folder, name: str, box: tuple[float, float, float, float] | None = None, side: int = 48) -> Row:
    found = os.stat(folder.path / name)
    whole = Row.of_image(name, side, side, f"{found.st_size}-{found.st_mtime_ns}")
    x, y, width, height = box or (0.0, 0.0, float(side), float(side))
    return whole._replace(face=0, x=x, y=y, width=width, height=height, label="happy", score=0.5)


def made(folder: Folder, cache: TileCache | None = None) -> Thumbnails:
    return Thumbnails(storage.at(str(folder.path)), LIMIT, cache or TileCache(None))


def tiles(sprite: bytes, count: int) -> list[NDArray[np.uint8]]:
    sheet = np.asarray(Image.open(io.BytesIO(sprite)).convert("RGB"))
    places = [(at // COLUMNS * SIDE, at % COLUMNS * SIDE) for at in range(count)]
    return [sheet[top : top + SIDE, left : left + SIDE] for top, left in places]


def near(tile: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool(np.allclose(tile.mean(axis=(0, 1)), colour, atol=8))


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[TileCache]:
    found = TileCache(tmp_path / "t.csv.cache" / tile_cache.NAME)
    yield found
    found.close()


def test_tiles_lie_in_rows_of_sixteen_in_the_order_asked_for(folder: Folder) -> None:
    for at, colour in enumerate(COLOURS):
        folder.picture(f"{at}.png", colour)
    rows = {100 - at: row(folder, f"{at % 3}.png") for at in range(35)}
    sprite, missing = made(folder).sprite(rows, SIDE)

    assert missing == {}
    assert Image.open(io.BytesIO(sprite)).size == (16 * SIDE, 3 * SIDE)
    assert [at for at, tile in enumerate(tiles(sprite, 35)) if not near(tile, COLOURS[at % 3])] == []


def test_the_faces_of_a_photo_are_cut_from_one_reading(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[:50, :50], pixels[50:, 50:] = COLOURS[0], COLOURS[1]
    Image.fromarray(pixels).save(folder.path / "two.png")
    rows = {1: row(folder, "two.png", (5, 5, 40, 40), 100), 2: row(folder, "two.png", (55, 55, 40, 40), 100)}
    read: list[str] = []
    content = thumbnails.content
    monkeypatch.setattr(thumbnails, "content", lambda *a: read.append(a[1]) or content(*a))
    first, second = tiles(made(folder).sprite(rows, SIDE)[0], 2)

    assert near(first, COLOURS[0])
    assert near(second, COLOURS[1])
    assert read == ["two.png"]


def test_a_photo_that_cannot_be_shown_is_gray_with_a_reason(folder: Folder) -> None:
    rows = {}
    for at, name in enumerate(("fine", "gone", "longer", "resized", "broken", "outside")):
        folder.noise(f"{name}.png", seed=at)
        rows[at] = row(folder, f"{name}.png", (400, 400, 9, 9) if name == "outside" else None)
    (folder.path / "gone.png").unlink()
    with (folder.path / "longer.png").open("ab") as file:
        file.write(b"more")
    rows[3] = rows[3]._replace(image_width=50)
    folder.file("broken.png")
    rows[4] = row(folder, "broken.png")
    sprite, missing = made(folder).sprite(rows, SIDE)

    assert set(missing) == {1, 2, 3, 4, 5}
    assert "No such file" in missing[1]
    assert "changed since" in missing[2]
    assert "changed since" in missing[3]
    assert "box" in missing[5]
    gray = [at for at, tile in enumerate(tiles(sprite, 6)) if near(tile, (128, 128, 128)) and tile.std() < 9]
    assert gray == [1, 2, 3, 4, 5]


def test_a_copy_with_another_time_is_shown(folder: Folder) -> None:
    folder.picture("a.png")
    rows = {0: row(folder, "a.png")}
    os.utime(folder.path / "a.png", (1, 1))

    assert made(folder).sprite(rows, SIDE)[1] == {}


def test_the_whole_photo_of_a_row_without_a_face_is_shown(folder: Folder) -> None:
    folder.picture("a.png", COLOURS[1])
    plain = Row("a.png", image_width=48, image_height=48).without_label(Status.NO_FACE, "no face found")

    assert near(tiles(made(folder).sprite({0: plain}, SIDE)[0], 1)[0], COLOURS[1])


def test_tiles_are_kept_and_found_by_the_next_server(
    folder: Folder, cache: TileCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for at in range(3):
        folder.picture(f"{at}.jpg", COLOURS[at])
    rows = {at: row(folder, f"{at}.jpg") for at in range(3)}
    first = made(folder, cache)
    sprite, _ = first.sprite(rows, SIDE)
    cache.close()
    monkeypatch.setattr(thumbnails, "content", lambda *_: pytest.fail("a photo was read"))
    again = TileCache(tmp_path / "t.csv.cache" / tile_cache.NAME)
    second = made(folder, again)
    kept, missing = second.sprite(rows, SIDE)
    again.close()

    assert missing == {}
    assert np.allclose(tiles(sprite, 3), tiles(kept, 3), atol=8)
    content = (folder.path / "1.jpg").read_bytes()
    assert second.hash_of(rows[1]) == first.hash_of(rows[1]) == blake2b(content, digest_size=16).hexdigest()


def test_a_photo_that_changes_is_not_taken_from_the_kept_ones(folder: Folder, cache: TileCache) -> None:
    folder.picture("a.png", COLOURS[0])
    rows = {0: row(folder, "a.png")}
    thumbnail = made(folder, cache)
    thumbnail.sprite(rows, SIDE)
    folder.picture("a.png", COLOURS[2])
    rows = {0: row(folder, "a.png")}

    assert near(tiles(thumbnail.sprite(rows, SIDE)[0], 1)[0], COLOURS[2])


@pytest.mark.parametrize("damage", ["noise", "cut", "foreign", "a folder", "flipped"])
def test_a_damaged_cache_breaks_nothing(folder: Folder, tmp_path: Path, damage: str) -> None:
    place = tmp_path / "cache" / tile_cache.NAME
    for at in range(40):
        folder.picture(f"{at}.png", COLOURS[at % 3])
    rows = {at: row(folder, f"{at}.png") for at in range(40)}
    first = TileCache(place)
    made(folder, first).sprite(rows, SIDE)
    first.close()
    content = place.read_bytes()
    place.unlink()
    if damage == "a folder":
        place.mkdir()
    else:
        half = len(content) // 2
        flipped = bytes(byte ^ 0x55 for byte in content[half:])
        foreign = content[:60] + b"\0\0\0\1" + content[64:]
        changed = {
            "noise": b"no data base" * 999,
            "cut": content[:half],
            "foreign": foreign,
            "flipped": content[:half] + flipped,
        }
        place.write_bytes(changed[damage])
    cache = TileCache(place)
    for _ in range(2):
        sprite, missing = made(folder, cache).sprite(rows, SIDE)
        assert missing == {}
        assert [at for at, tile in enumerate(tiles(sprite, 40)) if not near(tile, COLOURS[at % 3])] == []
    cache.close()


def test_a_database_of_another_program_stays_as_it_is(folder: Folder, tmp_path: Path) -> None:
    folder.picture("a.png", COLOURS[0])
    place = tmp_path / tile_cache.NAME
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("PRAGMA user_version = 7")
        database.execute("CREATE TABLE tiles (holiday)")
    before = place.read_bytes()
    cache = TileCache(place)
    sprite, _ = made(folder, cache).sprite({0: row(folder, "a.png")}, SIDE)
    cache.close()

    assert near(tiles(sprite, 1)[0], COLOURS[0])
    assert (place.read_bytes(), "something else" in cache.unusable) == (before, True)


def test_a_cache_that_cannot_be_written_breaks_nothing(folder: Folder, tmp_path: Path) -> None:
    folder.picture("a.png", COLOURS[0])
    (tmp_path / "file").touch()
    cache = TileCache(tmp_path / "file" / "thumbnails.sqlite")

    assert cache.unusable
    assert near(tiles(made(folder, cache).sprite({0: row(folder, "a.png")}, SIDE)[0], 1)[0], COLOURS[0])


def test_two_servers_keep_tiles_in_one_file(tmp_path: Path) -> None:
    place = tmp_path / tile_cache.NAME
    one, other = TileCache(place), TileCache(place)
    held = sqlite3.connect(place, isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    one.put([(b"a" * 16, Kept("ab" * 16, b"while it is locked"))])
    held.close()
    one.put([(b"b" * 16, Kept("ab" * 16, b"one"))])
    other.put([(b"c" * 16, Kept("cd" * 16, b"two"))])

    assert one.get([b"c" * 16]) == {b"c" * 16: Kept("cd" * 16, b"two")}
    assert other.get([b"a" * 16, b"b" * 16]) == {b"b" * 16: Kept("ab" * 16, b"one")}
    assert one.unusable == other.unusable == ""
    one.close()
    other.close()


def test_the_cache_that_is_full_loses_what_was_not_used_for_the_longest_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000
    monkeypatch.setattr(tile_cache, "time", lambda: now)
    place = tmp_path / tile_cache.NAME
    cache = TileCache(place, most_bytes=1 << 20)
    keys = [at.to_bytes(16, "big") for at in range(1000)]
    for key in keys:
        now += 100
        cache.put([(key, Kept("ab" * 16, bytes(4000)))])
        cache.get(keys[:1])
    found = cache.get(keys)
    cache.close()

    assert place.stat().st_size < 2 << 20
    assert keys[0] in found
    assert keys[-1] in found
    assert keys[1] not in found
    assert len(found) > 150


def test_nobody_waits_for_a_sprite_that_is_not_wanted_any_more(folder: Folder) -> None:
    folder.picture("a.png")

    with pytest.raises(Stopped):
        made(folder).sprite({0: row(folder, "a.png")}, SIDE, lambda: True)


def test_a_photo_is_upright_small_and_without_metadata(folder: Folder) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret"
    pixels = np.zeros((60, 200, 3), np.uint8)
    pixels[:, :100] = COLOURS[0]
    Image.fromarray(pixels).save(folder.path / "a.jpg", exif=exif, quality=95)
    found = os.stat(folder.path / "a.jpg")
    turned = Row.of_image("a.jpg", 60, 200, f"{found.st_size}-{found.st_mtime_ns}")
    sent = made(folder).photo(turned, 100)
    image = Image.open(io.BytesIO(sent))

    assert image.size == (30, 100)
    assert b"secret" not in sent
    assert not image.getexif()
    assert np.allclose(image.getpixel((15, 20)), COLOURS[0], atol=12)


def test_a_photo_that_has_gone_is_refused_with_a_reason(folder: Folder) -> None:
    folder.picture("a.png")
    gone = row(folder, "a.png")
    shutil.rmtree(folder.path)

    with pytest.raises(Refused, match="No such file"):
        made(folder).photo(gone, 100)
    assert made(folder).hash_of(gone) is None
    assert "not there" in made(folder).missing(gone)
