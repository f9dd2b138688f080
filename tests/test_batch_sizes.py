"""Batches: cut to take the time that they should, from what workers say that earlier ones took."""

from __future__ import annotations

from itertools import islice

import pytest

from labeler.batches import BATCH_S, FIRST_BATCH, LARGEST_BATCH, REMOTE_BATCH_S, Batches
from labeler.member import Member, Shard
from labeler.profile import Profile, Spent

NAMES = [f"{number:07}.jpg" for number in range(200_000)]


def sizes(batches: Batches, count: int, per_file_s: float, waiting_s: float = 0.0) -> list[int]:
    """Return the sizes of some batches, each of which is done before the next is taken."""
    found = []
    for batch in islice(batches.of(iter(NAMES)), count):
        found.append(len(batch))
        batches.note_done(len(batch), Spent(whole_s=waiting_s + len(batch) * per_file_s))
    return found


@pytest.mark.parametrize("batch_s", [BATCH_S, REMOTE_BATCH_S])
@pytest.mark.parametrize("per_file_s", [0.0002, 0.004])
def test_a_batch_comes_to_take_its_time(batch_s: float, per_file_s: float) -> None:
    found = sizes(Batches(0, Profile(), batch_s), 12, per_file_s)

    assert found[0] == FIRST_BATCH
    assert found[-1] * per_file_s == pytest.approx(batch_s, rel=0.05)


def test_a_batch_is_at_most_four_times_as_large_as_one_that_says_how_long_it_took() -> None:
    found = sizes(Batches(0, Profile(), BATCH_S), 8, 1e-6)

    assert found == [4, 16, 64, 256, *[LARGEST_BATCH] * 4]


def test_a_store_that_answers_late_has_large_batches_after_a_few() -> None:
    found = sizes(Batches(0, Profile(), REMOTE_BATCH_S), 8, 0.00015, waiting_s=0.02)

    assert found[:4] == [4, 16, 64, 256]
    assert min(found[6:]) > 2000


def test_slow_files_after_fast_ones_make_batches_small_again() -> None:
    batches = Batches(0, Profile(), BATCH_S)
    sizes(batches, 8, 0.0001)
    found = sizes(batches, 20, 0.05)

    assert found[0] > 400  # What it learned of other names stays.
    assert found[-1] <= 2


def test_a_size_that_is_given_stays() -> None:
    assert set(sizes(Batches(7, Profile(), BATCH_S), 9, 0.5)) == {7}


def test_what_workers_spent_is_in_the_profile() -> None:
    profile = Profile()
    sizes(Batches(0, profile, BATCH_S), 5, 0.01)

    assert profile.spent.whole_s > 0
    assert profile.first_rows_s > 0


def test_a_row_group_is_not_cut_where_it_need_not_be() -> None:
    shard = Shard("a.parquet", "1")
    names = [Member(f"a.parquet/{row:06}.jpg", shard, (row // 100, row % 100), block=row // 100) for row in range(1000)]
    batches = Batches(0, Profile(), BATCH_S)
    found = []
    for batch in batches.of(iter(names)):
        found.append(batch)
        batches.note_done(len(batch), Spent(whole_s=0.05))

    assert [name for batch in found for name in batch] == names
    assert all(len(batch) % 100 == 0 for batch in found)
