"""The order of names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labeler.storage.store import key

PARTS = st.text(st.characters(exclude_characters="/\0", codec=None), min_size=1, max_size=3)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


def test_the_files_of_a_folder_come_before_its_subfolders() -> None:
    names = ["b/1.jpg", "ab/1.jpg", "a-b/1.jpg", "a/b/1.jpg", "a/z.jpg", "z.jpg", "a.jpg"]

    assert sorted(names, key=key) == ["a.jpg", "z.jpg", "a/z.jpg", "a/b/1.jpg", "a-b/1.jpg", "ab/1.jpg", "b/1.jpg"]


@given(NAMES, NAMES)
def test_the_order_is_that_of_the_folders_then_of_the_file(one: str, other: str) -> None:
    by_parts = [(tuple(name.split("/")[:-1]), name.split("/")[-1]) for name in (one, other)]

    assert (key(one) < key(other)) == (by_parts[0] < by_parts[1])
