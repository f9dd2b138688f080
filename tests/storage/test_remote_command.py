"""The command itself on a bucket: the rows of the local run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from buckets import CREDENTIALS, Bucket
from click.testing import Result
from conftest import ROOT, Folder

from labeler import pipeline, storage
from labeler.records import Row, Settings, Status, Tally
from labeler.storage.remote_listing import RemoteListing
from labeler.tables import reader, run_record

NAMES = ["a.jpg", "b/1.jpg", "b/2.png", "b/c/3.jpg", "d/ä ö.jpg"]

Run = Callable[..., Result]


@pytest.fixture
def photos(folder: Folder, bucket: Bucket) -> Folder:
    """The same photos in a folder and in a bucket, one of them damaged."""
    for number, name in enumerate(NAMES):
        folder.noise(name, seed=number)
    folder.file("b/4.jpg", b"words")
    bucket.upload(folder.path, "photos")
    return folder


def rows(table: Path) -> list[Row]:
    return [row._replace(version="") for row in reader.read(table)]


def labelled(run: Run, address: object, out: Path, model: Path, *options: object) -> Result:
    return run("classify", address, "--out", out, "--model", model, "-q", *options)


def test_a_bucket_gives_the_rows_of_the_folder(
    photos: Folder, bucket: Bucket, model: Path, tmp_path: Path, run: Run
) -> None:
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    labelled(run, photos.path, here, model)
    command = [
        sys.executable,
        "-m",
        "labeler",
        "classify",
        "s3://photos/photos",
        "--out",
        there,
        "--model",
        model,
        "-q",
    ]
    done = subprocess.run([*command, "--endpoint", bucket.endpoint], cwd=ROOT, capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (1, "")  # One file is damaged.
    assert rows(there) == rows(here)
    record = run_record.read(there)
    assert record
    assert record.root == bucket.address("photos")


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("given", ["options", "environment", "anonymous"])
def test_a_store_is_reached_as_the_options_or_the_environment_say(
    bucket: Bucket, model: Path, tmp_path: Path, given: str
) -> None:
    bucket.put("photos/x//y.jpg", b"words")
    environment = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    options = ["--endpoint", bucket.endpoint, "--region", "us-east-1"]
    if given == "environment":
        environment |= {**CREDENTIALS, "AWS_ENDPOINT_URL": bucket.endpoint}
        options = []
    elif given == "anonymous":
        bucket.publish()
        options = [*options, "--anonymous"]
    else:
        environment |= CREDENTIALS
    out = tmp_path / "labels.csv"
    command = [sys.executable, "-m", "labeler", "classify", "s3://photos/photos", *options, "-q", "--workers", "1"]
    done = subprocess.run(
        [*command, "--out", out, "--model", model], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert {row.file for row in rows(out) if row.status is Status.OK} == {*NAMES}
    assert {row.file for row in rows(out) if row.status is not Status.OK} == {"b/4.jpg", "x//y.jpg"}


def test_names_that_obstore_refuses_are_rows(
    bucket: Bucket, model: Path, tmp_path: Path, run: Run, folder: Folder
) -> None:
    content = folder.noise("1.jpg", seed=1).read_bytes()
    for name in ("a/1.jpg", "a//2.jpg", "a/3\x01.jpg", "b/4.jpg"):
        bucket.put(name, content)
    out = tmp_path / "labels.jsonl"
    labelled(run, bucket.address(), out, model)

    assert [(row.file, str(row.status)) for row in rows(out)] == [
        ("a//2.jpg", "unreadable"),
        ("a/1.jpg", "ok"),
        ("a/3\x01.jpg", "ok"),
        ("b/4.jpg", "ok"),
    ]


@pytest.mark.usefixtures("photos")
def test_a_single_object_and_a_folder_are_inputs_together(
    bucket: Bucket, model: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "labels.csv"
    labelled(run, bucket.address("photos/a.jpg"), out, model, bucket.address("photos/b/c"))

    assert [row.file for row in rows(out)] == ["a.jpg", "b/c/3.jpg"]


def test_a_file_address_is_a_folder(photos: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "labels.csv"
    labelled(run, photos.path.as_uri(), out, model)

    assert len(rows(out)) == 6


def test_an_empty_bucket_has_no_photos(bucket: Bucket, model: Path, tmp_path: Path, run: Run) -> None:
    done = labelled(run, bucket.address("nowhere"), tmp_path / "labels.csv", model)

    assert (done.exit_code, len(done.stderr.splitlines())) == (3, 1)


def test_crops_are_saved_below_a_folder_of_this_machine(
    photos: Folder, bucket: Bucket, model: Path, tmp_path: Path, run: Run
) -> None:
    labelled(run, bucket.address("photos"), tmp_path / "labels.csv", model, "--save-crops", tmp_path / "crops")
    labelled(run, photos.path, tmp_path / "here.csv", model, "--save-crops", tmp_path / "as here")
    found, expected = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*.png")}
        for top in (tmp_path / "crops", tmp_path / "as here")
    )

    assert len(found) == 5
    assert found == expected


def test_crops_are_not_saved_in_a_bucket(bucket: Bucket, photos: Folder, model: Path, tmp_path: Path, run: Run) -> None:
    done = labelled(run, photos.path, tmp_path / "labels.csv", model, "--save-crops", bucket.address("crops"))

    assert done.exit_code == 2
    assert "--save-crops takes a folder of this machine" in done.stderr


def test_what_changed_is_labelled_again_and_what_vanished_is_told(
    photos: Folder, bucket: Bucket, model: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / "labels.csv"
    labelled(run, bucket.address("photos"), out, model)
    before = list(reader.read(out))
    bucket.put("photos/b/1.jpg", photos.noise("other.jpg", seed=77).read_bytes())
    bucket.remove("photos/a.jpg")
    labelled(run, bucket.address("photos"), out, model, "--refresh")
    after = list(reader.read(out))

    assert [one.file for one, other in zip(before, after, strict=True) if one != other] == ["b/1.jpg"]


@pytest.mark.usefixtures("photos")
def test_a_run_lists_a_bucket_once_and_knows_how_many_files_there_are(
    bucket: Bucket, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, totals = [], []
    original = RemoteListing.pages
    monkeypatch.setattr(RemoteListing, "pages", lambda *given: (listed.append(given), original(*given))[1])

    def told(_: Tally, total: int | None) -> None:
        totals.append(total)

    pipeline.classify(
        pipeline.Job(
            inputs=(bucket.address("photos"),),
            out=tmp_path / "labels.csv",
            settings=Settings(model=str(model)),
            executor=pipeline.InProcess(),
            batch_size=1,
        ),
        told,
    )

    assert len(listed) == 1
    assert totals[-1] == 6
    assert {*totals} <= {None, 6}


def test_without_obstore_one_line_says_what_to_install(
    tmp_path: Path, model: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.delitem(sys.modules, "labeler.storage.remote", raising=False)
    monkeypatch.delattr(storage, "remote", raising=False)
    done = labelled(run, "s3://photos", tmp_path / "labels.csv", model)

    assert done.exit_code == 2
    assert "pip install 'labeler[remote]'" in done.stderr
