"""A listing becomes counts and a sample, which every file has the same chance to be in, wherever its page ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from labeler.cost.listing import listed
from labeler.storage.store import Listed


def pages(files: int, at_once: int) -> Iterator[Listed]:
    """List numbered photos, each of as many bytes as its number."""
    for start in range(0, files, at_once):
        numbers = list(range(start, min(start + at_once, files)))
        yield Listed([f"{number}.jpg" for number in numbers], numbers, [""] * len(numbers))


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_files_and_bytes_add_up(at_once: int) -> None:
    found = listed(pages(1000, at_once), 10)

    assert (found.files, found.size, found.shards) == (1000, 499_500, 0)


def test_each_page_is_a_unit() -> None:
    assert listed(pages(1000, 300), 10).units == 4


def test_a_small_listing_is_the_sample() -> None:
    assert listed(pages(5, 2), 10).sample == [(f"{number}.jpg", number) for number in range(5)]


@pytest.mark.parametrize("at_once", [1, 7, 50, 5000])
def test_the_sample_does_not_depend_on_pages(at_once: int) -> None:
    assert listed(pages(5000, at_once), 50).sample == listed(pages(5000, 333), 50).sample


def test_a_sample_has_no_file_twice_and_each_with_its_size() -> None:
    sample = listed(pages(100_000, 999), 200).sample

    assert len(set(sample)) == 200
    assert all(name == f"{size}.jpg" for name, size in sample)


def test_the_sample_is_spread_over_the_listing() -> None:
    """Of 2,000 of 100,000 files, 200 lie in each tenth, give or take four standard deviations."""
    sample = listed(pages(100_000, 999), 2000).sample
    tenths = [sum(size // 10_000 == tenth for _, size in sample) for tenth in range(10)]

    assert all(146 <= count <= 254 for count in tenths), tenths


def test_shards_are_counted_with_their_bytes_and_never_sampled() -> None:
    found = listed(iter([Listed(["a.tar", "b.jpg", "c.TAR"], [1000, 5, 2000], [""] * 3)]), 10)

    assert (found.files, found.size, found.photos) == (3, 3005, 1)
    assert (found.shards, found.shard_size) == (2, 3000)
    assert found.sample == [("b.jpg", 5)]
