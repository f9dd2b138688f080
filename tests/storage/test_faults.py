"""A bucket behind a network that fails: no row is lost or doubled, and none holds another's prediction."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from buckets import Bucket
from conftest import Folder
from fault_proxy import Fault, Proxy, proxied

from labeler import pipeline, storage
from labeler.errors import InputGoneError
from labeler.records import Row, Settings, Status
from labeler.storage import connect
from labeler.storage.connect import Limits
from labeler.storage.store import FileError, key
from labeler.tables import reader

PHOTOS = [f"{number % 3}/{number:02}.jpg" for number in range(24)]
FAULTY = PHOTOS[5]
PATIENT = Limits(tries=3, trying_s=20, silence_s=10, whole_s=20)
IMPATIENT = PATIENT._replace(silence_s=1)
"""For answers that stall; any other may be slow, on a machine that has much to do."""
LIMIT = 1 << 20


@pytest.fixture
def proxy(bucket: Bucket, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before a bucket of photos, in a process that tries for seconds instead of a minute."""
    monkeypatch.setattr(connect, "LIMITS", PATIENT)
    for number, name in enumerate(PHOTOS):
        folder.noise(name, seed=number)
    bucket.upload(folder.path, "all")
    with proxied(bucket.endpoint) as running:
        yield running


def rows(address: str | Path, model: Path) -> list[Row]:
    """Return the rows of all photos, without their versions."""
    return [row._replace(version="") for row in pipeline.label([address], Settings(model=str(model)))]


@pytest.fixture
def expected(folder: Folder, proxy: Proxy, model: Path) -> list[Row]:  # noqa: ARG001 - it fills the folder
    return rows(folder.path, model)


def test_without_a_fault_each_photo_is_asked_for_once(
    bucket: Bucket, proxy: Proxy, expected: list[Row], model: Path
) -> None:
    assert rows(bucket.address("all", proxy.endpoint), model) == expected
    assert {name: proxy.got(f"all/{name}") for name in PHOTOS} == dict.fromkeys(PHOTOS, 1)
    assert len(proxy.asked) == len(PHOTOS) + 2  # One listing, and one look at the end whether the store still answers.


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_that_passes_changes_no_row(
    bucket: Bucket, proxy: Proxy, expected: list[Row], model: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault is Fault.STALLED:
        monkeypatch.setattr(connect, "LIMITS", IMPATIENT)
    for name in PHOTOS[::4]:
        proxy.faults[f"all/{name}"].append(fault)

    assert rows(bucket.address("all", proxy.endpoint), model) == expected


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.RESET, Fault.TRUNCATED, Fault.STALLED])
def test_a_fault_that_stays_costs_one_row(
    bucket: Bucket, proxy: Proxy, expected: list[Row], model: Path, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault is Fault.STALLED:
        monkeypatch.setattr(connect, "LIMITS", IMPATIENT)
    proxy.always[f"all/{FAULTY}"] = fault
    found = rows(bucket.address("all", proxy.endpoint), model)
    [lost] = [row for row in found if row.file == FAULTY]

    assert lost.status is Status.UNREADABLE
    assert lost.reason
    assert lost.label == ""
    assert [row for row in found if row.file != FAULTY] == [row for row in expected if row.file != FAULTY]
    assert proxy.got(f"all/{FAULTY}") <= 3 * 3


@pytest.mark.slow
def test_thousands_of_photos_behind_a_network_that_keeps_failing_are_all_labelled(
    bucket: Bucket, proxy: Proxy, folder: Folder, model: Path
) -> None:
    chance = random.Random(1)
    contents = [folder.noise(f"{seed}.jpg", seed=seed).read_bytes() for seed in range(20)]
    names = [f"{number % 9}/{number:04}.jpg" for number in range(3000)]
    passing = [fault for fault in Fault if fault is not Fault.STALLED]
    for number, name in enumerate(names):
        bucket.put(f"many/{name}", contents[number % 20])
        if chance.random() < 0.1:
            proxy.faults[f"many/{name}"].append(chance.choice(passing))
    found = rows(bucket.address("many", proxy.endpoint), model)
    expected = {int(Path(row.file).stem): row.probabilities for row in rows(folder.path, model) if "/" not in row.file}

    assert [row.file for row in found] == sorted(names, key=key)
    assert all(row.probabilities == expected[int(Path(row.file).stem) % 20] for row in found)


def test_a_tag_that_is_wrong_is_the_version_of_its_row(bucket: Bucket, proxy: Proxy) -> None:
    proxy.always[f"all/{FAULTY}"] = Fault.WRONG_TAG

    assert storage.at(bucket.address("all", proxy.endpoint)).read(FAULTY, LIMIT).version == "wrong"


def test_an_object_that_vanishes_after_the_listing_is_a_row_with_its_reason(
    bucket: Bucket, proxy: Proxy, expected: list[Row], model: Path
) -> None:
    found = pipeline.label([bucket.address("all", proxy.endpoint)], Settings(model=str(model)), batch_size=1)
    first = next(found)
    bucket.remove(f"all/{PHOTOS[-1]}")
    got = [first, *found]
    [lost] = [row for row in got if row.file == PHOTOS[-1]]

    assert (lost.status, lost.reason) == (Status.UNREADABLE, "there is no such object")
    assert [row.file for row in got] == [row.file for row in expected]


def test_an_object_that_changes_after_the_listing_has_the_version_that_was_read(
    bucket: Bucket, proxy: Proxy, folder: Folder, model: Path
) -> None:
    store = storage.at(bucket.address("all", proxy.endpoint))
    found = pipeline.label([bucket.address("all", proxy.endpoint)], Settings(model=str(model)), batch_size=1)
    next(found)
    before = store.version(PHOTOS[-1])
    bucket.put(f"all/{PHOTOS[-1]}", folder.noise("other.jpg", seed=99).read_bytes())
    [changed] = [row for row in found if row.file == PHOTOS[-1]]

    assert changed.version == store.version(PHOTOS[-1]) != before


def test_a_body_that_is_resumed_after_the_object_changed_is_not_two_halves(
    bucket: Bucket, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = b"1" * 300_000, b"2" * 300_000
    bucket.put("half", one)
    original = Proxy.fault

    def changes(self: Proxy, name: str) -> Fault | None:
        found = original(self, name)
        if name == "half" and found is None:
            bucket.put("half", other)
        return found

    monkeypatch.setattr(Proxy, "fault", changes)
    proxy.faults["half"].append(Fault.TRUNCATED)
    try:
        content = storage.at(bucket.address("", proxy.endpoint)).read("half", LIMIT).data
    except FileError:
        return
    assert content in (one, other)


def test_a_store_that_is_gone_stops_the_run_and_the_same_command_continues(
    bucket: Bucket, proxy: Proxy, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    job = pipeline.Job(
        inputs=(bucket.address("all", proxy.endpoint),),
        out=tmp_path / "labels.csv",
        settings=Settings(model=str(model)),
        batch_size=4,
        executor=pipeline.InProcess(),
    )

    def switches_off(tally: pipeline.Tally, _: int | None) -> None:
        proxy.gone = tally.files >= 8

    with pytest.raises(InputGoneError, match=r"cannot be reached: .*run the same command again"):
        pipeline.classify(job, switches_off)
    proxy.gone = False
    pipeline.classify(job)

    assert [row._replace(version="") for row in reader.read(job.out)] == expected
    assert len(proxy.asked) < 3 * len(PHOTOS)


def test_a_store_that_is_gone_at_once_is_told_in_one_line(bucket: Bucket, proxy: Proxy, model: Path) -> None:
    proxy.gone = True
    with pytest.raises(InputGoneError, match=r"s3://photos/all cannot be reached"):
        rows(bucket.address("all", proxy.endpoint), model)


def test_a_listing_that_is_cut_off_is_asked_for_again(
    bucket: Bucket, proxy: Proxy, expected: list[Row], model: Path
) -> None:
    proxy.faults[""].extend([Fault.TRUNCATED, Fault.BUSY])

    assert rows(bucket.address("all", proxy.endpoint), model) == expected
