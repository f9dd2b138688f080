"""Files sorted in columns, outside of memory."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
from disks import full_disk
from hypothesis import given
from hypothesis import strategies as st

from labeler.storage import listing
from labeler.storage.listing import COLUMNS, Listing, keys
from labeler.storage.store import key

ODD = ["", "a", "/a", "a/", "a//b", "ä/ö.jpg", "😀/\uffff", "\uffff/😀", "a b/c", "a/b/c/d.jpg", "a\n/b\tc", " "]


def page(names: list[str]) -> pa.Table:
    return pa.table(
        {"name": names, "size": list(map(len, names)), "version": [f"v{name}" for name in names]}, schema=COLUMNS
    )


def listed(files: Listing) -> list[str]:
    return [name for part in files for name in part["name"].to_pylist()]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sort a few files at a time, so that a few hundred take all the ways that millions do."""
    for name, value in {"_RUN_ROWS": 10, "_BLOCK_ROWS": 3, "_CHAINS": 4}.items():
        monkeypatch.setattr(listing, name, value)


@given(st.lists(st.text(st.sampled_from("ab/.\n\x01ä😀\uffff"), max_size=8)))
def test_the_keys_of_a_column_are_those_of_its_names(names: list[str]) -> None:
    assert keys(pa.array(names, pa.string())).to_pylist() == list(map(key, names))


def test_the_keys_of_odd_names_are_theirs() -> None:
    assert keys(pa.array(ODD)).to_pylist() == list(map(key, ODD))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(5))
def test_names_in_any_order_come_out_in_order_each_once(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"{chance.randrange(9)}/{'sub/' * chance.randrange(3)}{chance.randrange(99):02}.jpg" for _ in range(500)]
    files = Listing(page(names[at : at + 7]) for at in range(0, len(names), 7))

    assert listed(files) == sorted(set(names), key=key)
    assert listed(files) == sorted(set(names), key=key)  # As often as it is asked for.


@pytest.mark.usefixtures("small")
def test_names_that_come_in_order_are_not_merged() -> None:
    names = [f"{number:03}.jpg" for number in range(200)]
    files = Listing(page(names[at : at + 7]) for at in range(0, len(names), 7))

    assert len(files._chains) == 1
    assert listed(files) == names


@pytest.mark.usefixtures("small")
def test_sizes_and_versions_stay_with_their_names() -> None:
    names = ["b/1.jpg", "a/a/22.jpg", "a/333.jpg", "4444.jpg"]
    table = pa.concat_tables(Listing([page(names[:2]), page(names[2:])]))

    assert table["size"].to_pylist() == [len(name) for name in table["name"].to_pylist()]
    assert table["version"].to_pylist() == [f"v{name}" for name in table["name"].to_pylist()]


@pytest.mark.parametrize("pages", [[], [page([])]])
def test_nothing_gives_nothing(pages: list[pa.Table]) -> None:
    assert listed(Listing(pages)) == []


def test_a_full_disk_is_told() -> None:
    many = (page([f"{number:05}{at:03}" * 9 for at in range(1000)]) for number in range(1000))
    with full_disk(100_000), pytest.raises(OSError, match=r"File too large|No space"):
        Listing(many)
