"""Addresses in parts, and back."""

from __future__ import annotations

import pytest

from labeler.errors import LabelerError
from labeler.storage.address import Address, asking, below, is_remote, local, parse

FULL = "s3://bucket/a/b.jpg?anonymous=true&endpoint=http://127.0.0.1:9000"


@pytest.mark.parametrize("text", [FULL, "s3://bucket", "gs://bucket/a b/c%20d?e.jpg", "hf://datasets/user/name"])
def test_an_address_in_parts_is_the_same_address(text: str) -> None:
    assert str(parse(text)) == text


def test_options_are_told_from_a_question_mark_in_a_name() -> None:
    assert parse("s3://bucket/what?.jpg") == Address("s3", "bucket", "what?.jpg")
    assert parse(FULL).options == (("anonymous", "true"), ("endpoint", "http://127.0.0.1:9000"))
    assert parse(FULL).place == "s3://bucket/a/b.jpg"


def test_options_are_added_to_addresses_only() -> None:
    assert asking("s3://bucket/a?region=x", {"region": "y"}) == "s3://bucket/a?region=y"
    assert asking("a/b", {"region": "y"}) == "a/b"
    assert asking("s3://bucket", {}) == "s3://bucket"


def test_a_path_and_a_file_address_are_of_this_machine() -> None:
    assert [is_remote(one) for one in ("a/b", "c://d", "file:///a", "s3://a", "http://a")] == [False] * 3 + [True] * 2
    assert local("file:///a/b") == "/a/b"
    assert local("file:///a%20b") == "/a b"
    assert local("a%20b") == "a%20b"


def test_a_name_below_a_root_is_found_in_full_and_in_short() -> None:
    assert below("s3://bucket/a?region=x", "s3://bucket/a/b/c.jpg?region=x") == "b/c.jpg"
    assert below("s3://bucket/a", "b/c.jpg") == "b/c.jpg"


def test_an_address_without_a_bucket_is_refused() -> None:
    with pytest.raises(LabelerError, match="s3:///a names no bucket"):
        parse("s3:///a")
