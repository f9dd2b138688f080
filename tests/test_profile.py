"""Where the time of a run went, and what that means."""

from __future__ import annotations

import re

import pytest

from labeler.profile import Profile, Spent


def profile(*, decode: float = 0.0, predict: float = 0.0, cpu: float | None = None, **parts: float) -> Profile:
    """Make the profile of a run of ten seconds with two workers."""
    whole = decode + predict
    spent = Spent(decode_s=decode, predict_s=predict, whole_s=whole, cpu_s=whole if cpu is None else cpu)
    return Profile(workers=2, total_s=10, spent=spent, **parts)  # type: ignore[arg-type]


def test_every_second_of_the_workers_belongs_to_a_stage() -> None:
    spent = Spent(decode_s=3, faces_s=1, predict_s=2, whole_s=7, cpu_s=7)

    assert Profile(spent=spent, discover_s=0.5, write_s=0.25).stages == {
        "discover": 0.5, "decode": 3, "faces": 1, "predict": 2, "other": 1, "write": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (profile(decode=12, predict=6), "the processor: reading and decoding"),
        (profile(decode=6, predict=12), "the processor: running the network; more cores"),
        (profile(decode=16, predict=2, cpu=5), "waited, for the disk or for a free core.*reading and decoding"),
        (profile(decode=2, predict=2, write_s=7), "the first process: writing the table; more workers would not help"),
        (profile(decode=2, predict=2, discover_s=7), "the first process: listing the folders"),
        (profile(decode=2, predict=2, first_rows_s=8), "starting up"),
    ],
)
def test_the_bottleneck_is_what_would_have_to_be_faster(found: Profile, says: str) -> None:
    assert pytest.approx(found.busy) == found.spent.whole_s / 20
    assert re.search(says, found.bottleneck)


def test_what_batches_took_adds_up() -> None:
    spent = Spent(device="cpu")
    for _ in range(3):
        spent.add(Spent(decode_s=1, faces_s=2, predict_s=3, whole_s=7, cpu_s=5, device="cpu"))

    assert spent == Spent(decode_s=3, faces_s=6, predict_s=9, whole_s=21, cpu_s=15, device="cpu")
