"""Names that every importer finds."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from box_items import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from labeler.exports import portable


@pytest.mark.parametrize(
    "name", ["a/b.jpg", "A b (1).jpg", "v1.2/dots.in.it.jpg", "émoji 😀.jpg", '100%\'s, "q" & <b>.jpg']
)
def test_a_name_that_everyone_finds_is_kept(name: str) -> None:
    assert portable.name(name, ".jpg") == name


def test_another_suffix_goes_into_the_name() -> None:
    assert portable.name("a/b.png", ".jpg") == "a/b-png.png"
    assert portable.name("a/b.JPG", ".jpg") == "a/b-JPG.JPG"
    assert portable.name("a/b.png", ".png") == "a/b.png"


def test_a_part_that_some_importer_does_not_find_gets_its_hash() -> None:
    assert re.fullmatch(r"two_lines-[0-9a-f]{16}/b.jpg", portable.name("two\nlines/b.jpg", ".jpg"))
    assert portable.name("a/.b.jpg", ".jpg").startswith("a/b_jpg-")


def test_hostile_names_stay_distinct_without_their_suffix() -> None:
    names = [portable.name(name, ".jpg") for name in HOSTILE]

    assert len({portable.stem(name) for name in names}) == len(HOSTILE)
    assert all(name.encode().decode().isprintable() or "\u202e" in name for name in names)


PART = st.text(st.sampled_from("ab-.\n \\\udcff"), min_size=1, max_size=6)
SUFFIX = st.sampled_from(
    [".jpg", ".JPG", ".png", "-png.jpg", "-png.png", "-jpg.jpg", "", ".x", "-0123456789abcdef.jpg"]
)
NAME = st.tuples(st.sampled_from(["", "f/", ".f/", " f/"]), PART, SUFFIX).map("".join)


@given(names=st.sets(NAME, min_size=2), usual=st.sampled_from([".jpg", ".png"]))
def test_distinct_names_stay_distinct_without_their_suffix(names: set[str], usual: str) -> None:
    assert len({portable.stem(portable.name(name, usual)) for name in names}) == len(names)


@given(st.text())
def test_every_text_is_sound_in_xml(text: str) -> None:
    root = ElementTree.fromstring(f'<a b="{portable.xml(text)}">{portable.xml(text)}</a>')

    assert root.text or not text
    assert root.get("b") == (root.text or "")


def test_what_xml_cannot_carry_is_written_as_in_a_table() -> None:
    root = ElementTree.fromstring(f"<a>{portable.xml('a' + chr(0xDCFF) + chr(1) + ' & <b>' + chr(13) + chr(10))}</a>")

    assert root.text == "a\\xff\\x01 & <b>\r\n"
