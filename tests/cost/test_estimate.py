"""`labeler plan`: what lies there, what a sample of it took, and what all would cost; nothing is written."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from buckets import Bucket
from click.testing import Result
from conftest import Folder

from labeler.cost.estimate import Cost, estimate
from labeler.errors import LabelerError, NoPicturesError
from labeler.job import Request
from labeler.records import Settings


def plan(place: Path | str, model: Path, **options: object) -> Cost:
    return estimate(Request(inputs=(place,), settings=Settings(model=str(model))), **options)  # type: ignore[arg-type]


@pytest.fixture
def photos(folder: Folder) -> Folder:
    """Thirty photos in three folders, and a file that is none."""
    for index in range(30):
        folder.noise(f"{index % 3}/{index:02}.jpg", seed=index)
    folder.file("0/notes.txt", b"words")
    return folder


def test_files_bytes_and_units_are_those_of_the_folder(photos: Folder, model: Path) -> None:
    found = plan(photos.path, model, sample=5, unit_files=7)

    assert (found.listing.files, found.listing.units, found.source.passed_over) == (30, 5, 1)
    assert found.listing.size == sum(path.stat().st_size for path in photos.path.rglob("*.jpg"))


def test_what_the_sample_took_is_extrapolated_to_all_files(photos: Folder, model: Path) -> None:
    found = plan(photos.path, model, sample=5, on_cores=4, price=2.5, currency="EUR")
    assert found.measured
    assert found.core_hours
    told = found.as_json()

    assert len(found.measured.seconds) == 5
    assert found.core_hours[0] == pytest.approx(30 * sum(found.measured.seconds) / 5 / 3600)
    assert found.core_hours[1] <= found.core_hours[0] <= found.core_hours[2]
    assert told["hours"] == pytest.approx(found.core_hours[0] / 4)
    assert (told["price"], told["currency"]) == (pytest.approx(found.core_hours[0] * 2.5), "EUR")


def test_each_photo_of_the_sample_is_labelled(photos: Folder, model: Path) -> None:
    found = plan(photos.path, model, sample=100)
    assert found.measured

    assert sorted(row.file for row in found.measured.rows) == sorted(
        path.relative_to(photos.path).as_posix() for path in photos.path.rglob("*.jpg")
    )
    assert {row.status for row in found.measured.rows} == {"ok"}


def test_nothing_is_written(photos: Folder, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    plan(photos.path, model, sample=5)

    assert sorted(tmp_path.rglob("*")) == before


def test_one_photo_is_enough(folder: Folder, model: Path, run: Callable[..., Result]) -> None:
    folder.noise("one.jpg", seed=1)
    printed = run("plan", folder.path, "--model", model).stdout

    assert "by one photo: how far others lie from it is not known" in printed


def test_a_single_file_is_planned_without_its_bytes(photos: Folder, model: Path, run: Callable[..., Result]) -> None:
    printed = run("plan", photos.path / "0" / "00.jpg", "--model", model).stdout

    assert "not told for single files" in printed


def test_files_that_cannot_be_used_are_told(photos: Folder, model: Path, run: Callable[..., Result]) -> None:
    photos.file("0/broken.jpg", b"words")
    printed = run("plan", photos.path, "--model", model).stdout

    assert "in the sample, 1 file cannot be used; the first is 0/broken.jpg: " in printed


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.jpg"], "the only sampled file cannot be used: a.jpg: "),
        (["a.jpg", "b.jpg"], "none of 2 sampled files can be used: "),
        ([], "no photos in "),
    ],
)
def test_a_source_without_a_photo_that_can_be_used_is_refused(
    folder: Folder, model: Path, names: list[str], told: str
) -> None:
    folder.path.mkdir(exist_ok=True)
    for name in names:
        folder.file(name, b"words")
    with pytest.raises(NoPicturesError, match=told):
        plan(folder.path, model)


def test_a_model_that_is_not_there_is_refused_before_anything_is_listed(folder: Folder) -> None:
    folder.noise("one.jpg", seed=1)
    with pytest.raises(LabelerError, match="nowhere"):
        plan(folder.path, Path("nowhere.onnx"))


def test_the_table_for_people_has_a_line_for_each_figure(
    photos: Folder, model: Path, run: Callable[..., Result]
) -> None:
    options = ["--cores", "3", "--price", "0.04", "--currency", "EUR", "--unit-size", "7"]
    lines = run("plan", photos.path, "--model", model, *options).stdout.splitlines()
    named = {line[:12].strip(): line[12:].split() for line in lines[1:8]}

    assert list(named) == ["files", "bytes", "units", "one core", "core-hours", "time", "price"]
    assert (named["files"][0], named["units"][0]) == ("30", "5")
    assert lines[6].rstrip().endswith(" on 3 cores like this one")
    assert lines[7].rstrip().endswith("at 0.04 EUR a core-hour")


def test_json_holds_the_figures_in_full(photos: Folder, model: Path, run: Callable[..., Result]) -> None:
    told = json.loads(run("plan", photos.path, "--model", model, "--json", "--sample", "10").stdout)

    assert (told["files"], told["units"], told["sample"]["files"], told["price"]) == (30, 1, 10, None)
    assert told["sample"]["statuses"] == {"ok": 10}
    assert told["core_hours"] > 0


def test_a_bucket_is_planned_as_its_folder_is(
    photos: Folder, model: Path, bucket: Bucket, run: Callable[..., Result]
) -> None:
    bucket.upload(photos.path, below="in")
    command = ["plan", f"s3://{bucket.name}/in", "--endpoint", bucket.endpoint, "--model", model]
    told = json.loads(run(*command, "--json").stdout)
    local = plan(photos.path, model).as_json()

    assert {name: told[name] for name in ("files", "bytes", "passed_over", "units")} == {
        name: local[name] for name in ("files", "bytes", "passed_over", "units")
    }
    assert told["sample"]["statuses"] == {"ok": 30}
    assert told["core_hours"] > 0
    assert run(*command).stdout.startswith(f"s3://{bucket.name}/in\n")


def test_of_shards_files_and_bytes_are_told_and_no_time(
    photos: Folder, model: Path, run: Callable[..., Result]
) -> None:
    shard = photos.path.parent / "shards" / "all.tar"
    shard.parent.mkdir()
    with tarfile.open(shard, "w") as file:
        file.add(photos.path / "0" / "00.jpg", "00.jpg")
    told = json.loads(run("plan", shard.parent, "--model", model, "--json").stdout)
    printed = run("plan", shard.parent, "--model", model).stdout

    assert (told["files"], told["shards"], told["units"]) == (1, 1, 1)
    assert told["bytes"] == told["shard_bytes"] == shard.stat().st_size
    assert "core_hours" not in told
    assert "1 shard: the number of photos inside is not known until they are read" in printed
