"""Names and versions of what lies at an address, beside those of files of this machine."""

from __future__ import annotations

import os

import pytest

from labeler.storage.address import absolute, below, divided
from labeler.storage.versions import comparable, differ

ALBUM = "s3://bucket/a/photos?endpoint=http://127.0.0.1:9000"


def test_an_address_stays_as_it_is_where_a_path_becomes_absolute() -> None:
    assert absolute(f"{ALBUM}") == ALBUM
    assert absolute("s3://bucket/photos/") == "s3://bucket/photos"
    assert absolute("photos") == os.path.abspath("photos")
    assert absolute("file:///a/b") == "/a/b"


def test_an_address_is_divided_before_its_options() -> None:
    assert divided(ALBUM) == ("s3://bucket/a?endpoint=http://127.0.0.1:9000", "photos")
    assert divided("s3://bucket/t.csv") == ("s3://bucket", "t.csv")


@pytest.mark.parametrize(
    ("root", "file", "name"),
    [
        (ALBUM, "x/1.jpg", "x/1.jpg"),
        (ALBUM, "s3://bucket/a/photos/x/1.jpg?endpoint=http://127.0.0.1:9000", "x/1.jpg"),
        ("s3://bucket", "s3://bucket/x/1.jpg", "x/1.jpg"),
        ("/photos", "/photos/x/1.jpg", "x/1.jpg"),
        ("/photos", "x/1.jpg", "x/1.jpg"),
    ],
)
def test_names_are_relative_to_the_root(root: str, file: str, name: str) -> None:
    assert below(root, file) == name


def test_the_tag_of_an_object_says_nothing_about_a_file() -> None:
    file, changed, tag, other = "120-17", "121-17", "9e107d9d372bb6826bd81d3542a419d6", "9e107d9d372bb6826bd81d35-2"

    assert not comparable(file, tag)
    assert not differ(file, tag)
    assert not comparable("", file)
    assert differ(file, changed)
    assert differ(tag, other)
    assert not differ(tag, tag)
