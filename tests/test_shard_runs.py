"""Runs over shards: the labels are those of the unpacked folder, however it is run, continued and read afterwards."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import ROOT, Folder, content_of
from pyarrow import parquet
from typer.testing import Result

from labeler import pipeline, storage
from labeler.records import Redo, Row, Settings, Status
from labeler.sources import Source
from labeler.storage import ranges
from labeler.tables import reader
from labeler.tables.run_record import PART, beside

Command = Callable[..., Result]

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


@pytest.fixture
def unpacked(folder: Folder) -> Folder:
    """Sixty photos in three folders, some of them broken, and as many other files."""
    for index in range(60):
        name = f"{index % 3}/{index:02}.jpg"
        if index % 7 == 3:
            folder.file(name, b"" if index % 2 else b"words")
        else:
            folder.noise(name, seed=index)
        folder.file(f"{index % 3}/{index:02}.cls", b"3")
    return folder


@pytest.fixture
def packed(unpacked: Folder, tmp_path: Path) -> Path:
    """A folder of the same photos: three tars, each in another order than that of the names."""
    out = tmp_path / "shards"
    out.mkdir()
    for number in range(3):
        with tarfile.open(out / f"{number}", "w") as tar:
            for path in sorted((unpacked.path / f"{number}").iterdir(), key=lambda path: path.name[::-1]):
                tar.add(path, path.name)
        (out / f"{number}").rename(out / f"{number}.tar")
    return out


@pytest.fixture
def expected(unpacked: Folder, model: Path) -> list[Row]:
    rows = pipeline.label([unpacked.path], Settings(model=str(model)))
    return [row._replace(file=row.file.replace("/", ".tar/"), version="") for row in rows]


def labelled(out: Path) -> list[Row]:
    return [row._replace(version="") for row in reader.read(out)]


def job(folder: Path, out: Path, model: Path, **options: object) -> pipeline.Job:
    return pipeline.Job(inputs=(folder,), out=out, settings=Settings(model=str(model)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_size", [1, 7, 0])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_folder_of_tars_is_labelled_as_the_folders_that_they_were_made_of(
    packed: Path, expected: list[Row], model: Path, tmp_path: Path, batch_size: int, workers: int
) -> None:
    out = tmp_path / "t.csv"
    summary = pipeline.classify(job(packed, out, model, workers=workers, batch_size=batch_size))

    assert labelled(out) == expected
    assert summary.passed_over == 60


def test_single_tars_are_inputs_too(packed: Path, expected: list[Row], model: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    pipeline.classify(replace(job(packed, out, model), inputs=tuple(sorted(packed.iterdir()))))

    assert labelled(out) == expected


@pytest.mark.parametrize("batch_size", [7, 0])
def test_rows_of_parquet_are_labelled_as_their_files(
    unpacked: Folder, model: Path, tmp_path: Path, batch_size: int
) -> None:
    photos = sorted(unpacked.path.rglob("*.jpg"), reverse=True)
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in photos]
    out, shards = tmp_path / "t.csv", tmp_path / "shards"
    shards.mkdir()
    parquet.write_table(pa.table({"image": images}), shards / "s.parquet", row_group_size=25)
    pipeline.classify(job(shards, out, model, workers=2, batch_size=batch_size))
    alone = {Path(row.file).name: row for row in pipeline.label([unpacked.path], Settings(model=str(model)))}

    assert labelled(out) == [
        alone[path.name]._replace(file=f"s.parquet/{number:06}-{path.name}", version="")
        for number, path in enumerate(photos)
    ]


def test_a_run_that_was_killed_is_continued_to_the_same_table(
    packed: Path, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    command = [sys.executable, "-m", "labeler", "classify", packed, "--out", out, "--model", model]
    command += ["--batch-size", "3", "--workers", "1", "--quiet"]
    with subprocess.Popen([*map(str, command)], cwd=ROOT) as process:
        while process.poll() is None and not content_of(beside(out, PART)):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    subprocess.run([*map(str, command)], cwd=ROOT, check=False)

    assert labelled(out) == expected


def test_a_shard_that_comes_later_is_added_and_one_that_changed_is_refreshed(
    packed: Path, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    out, later = tmp_path / "t.csv", tmp_path / "1.tar"
    (packed / "1.tar").rename(later)
    pipeline.classify(job(packed, out, model))
    later.rename(packed / "1.tar")
    summary = pipeline.classify(job(packed, out, model))

    assert labelled(out) == expected
    assert (summary.tally.files, summary.tally.resumed) == (60, 40)
    os.utime(packed / "2.tar")
    summary = pipeline.classify(job(packed, out, model, redo=frozenset({Redo.CHANGED})))
    assert labelled(out) == expected
    assert summary.tally.resumed == 40


def test_a_damaged_tar_costs_what_lies_behind_the_damage_and_one_row(
    packed: Path, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    content = (packed / "1.tar").read_bytes()
    (packed / "1.tar").write_bytes(content[: len(content) // 2])
    out = tmp_path / "t.csv"
    summary = pipeline.classify(job(packed, out, model))
    rows = labelled(out)
    (damaged,) = (row for row in rows if row.file == "1.tar/")

    assert damaged.status is Status.UNREADABLE
    assert "the shard is damaged: it ends within" in damaged.reason
    rows.remove(damaged)
    assert set(rows) < set(expected)
    assert {row.file for row in expected} - {row.file for row in rows} < {f"1.tar/{n:02}.jpg" for n in range(60)}
    assert summary.exit_code == 1


def test_a_folder_of_compressed_tars_says_what_to_do(run: Command, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tgz", "w:gz"):
        pass
    result = run("classify", tmp_path, "--out", tmp_path / "t.csv")

    assert result.exit_code == 3
    assert "1 compressed tar: unpack" in result.stderr


def test_compressed_tars_beside_photos_are_told_of(run: Command, folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.noise("a.jpg", seed=1)
    folder.file("s.tar.gz")
    folder.file("notes.txt")
    result = run("classify", folder.path, "--out", tmp_path / "t.csv", "--model", model)

    assert result.exit_code == 0
    assert "passed over: 2 files without the suffix of an image, 1 compressed tar among them" in result.output


def test_report_and_annotate_read_the_photos_in_their_shards(run: Command, model: Path, tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    with tarfile.open(shards / "s.tar", "w") as tar:
        tar.add(ROOT / "examples" / "photos" / "faces", "faces")
    table, page, drawn = tmp_path / "t.csv", tmp_path / "r.html", tmp_path / "drawn"
    run("classify", shards, "--out", table, "--model", model)

    assert run("report", table, "--out", page).exit_code == 0
    assert page.read_text("utf-8").count("data:image/") >= 1
    assert run("annotate", table, "--out", drawn).exit_code == 0
    assert {path.relative_to(drawn).as_posix() for path in drawn.rglob("*.jpg")} == {
        f"s.tar/faces/{name}.jpg.annotated.jpg" for name in ("collins", "hopper", "photographer")
    }


def test_sort_and_export_copy_the_photos_out_of_their_shards(
    run: Command, packed: Path, unpacked: Folder, model: Path, tmp_path: Path
) -> None:
    table, into, out = tmp_path / "t.csv", tmp_path / "sorted", tmp_path / "coco"
    run("classify", packed, "--out", table, "--model", model)
    originals = {path.read_bytes() for path in unpacked.path.rglob("*.jpg")}

    assert run("sort", table, "--into", into).exit_code in {0, 1}
    copies = [path for path in into.rglob("*.jpg") if "failed" not in path.parts]
    assert len(copies) >= 51
    assert {path.read_bytes() for path in copies} <= originals
    assert run("sort", table, "--into", into, "--mode", "symlink").exit_code == 2
    result = run("export", table, "--to", "coco", "--out", out)
    assert result.exit_code in {0, 1}, result.output
    assert len([*out.rglob("*.jpg")]) >= 51
    assert run("sort", "--undo", into).exit_code == 0
    assert not [*into.rglob("*.jpg")]


def test_names_below_a_root_of_their_own_are_found_in_absolute_tables(
    packed: Path, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    settings = Settings(model=str(model), absolute=True)
    pipeline.classify(replace(job(packed, out, model), settings=settings))

    assert [row._replace(file=os.path.relpath(row.file, packed)) for row in labelled(out)] == expected


@pytest.fixture
def bucket(s3_endpoint: str, packed: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a bucket that holds the tars, open to all: workers have the environment that the first one had."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    client = pytest.importorskip("boto3").client("s3", endpoint_url=s3_endpoint)
    client.create_bucket(Bucket="shards")
    for path in packed.iterdir():
        client.put_object(Bucket="shards", Key=f"in/{path.name}", Body=path.read_bytes(), ACL="public-read")
    return f"s3://shards/in?anonymous=1&endpoint={s3_endpoint}"


@pytest.mark.parametrize("workers", [1, 2])
def test_tars_of_a_bucket_are_labelled_as_those_of_a_folder(
    bucket: str, expected: list[Row], model: Path, tmp_path: Path, workers: int
) -> None:
    out = tmp_path / "t.csv"
    pipeline.classify(replace(job(Path(), out, model, workers=workers), inputs=(bucket,)))

    assert labelled(out) == expected


def test_members_that_lie_together_are_got_by_one_request(
    bucket: str, unpacked: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, int]] = []
    names = [name for name in Source([bucket]) if name.startswith("0.tar")]
    store = storage.at(bucket)
    get = store._files.read_range
    monkeypatch.setattr(store._files, "read_range", lambda *part: asked.append(part) or get(*part))
    store.ahead(iter(names), 1 << 24)

    for name in names:
        assert store.read(name, 1 << 24).data == (unpacked.path / name.replace(".tar", "")).read_bytes()
    assert len(asked) == 1


def test_a_batch_of_any_size_is_got_by_few_requests(
    bucket: str, s3_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, int]] = []
    contents = [b"%05d" % number * 400 for number in range(6000)]
    images = pa.table({"image": [{"bytes": content, "path": None} for content in contents]})
    parquet.write_table(images, tmp_path / "many.parquet", row_group_size=1000)
    with tarfile.open(tmp_path / "many.tar", "w") as tar:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"{number:05}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    client = pytest.importorskip("boto3").client("s3", endpoint_url=s3_endpoint)
    store = storage.at(bucket.replace("shards/in", "shards/many"))
    get = store._files.read_range
    monkeypatch.setattr(store._files, "read_range", lambda *part: asked.append(part) or get(*part))
    for shard in ("many.tar", "many.parquet"):
        body = (tmp_path / shard).read_bytes()
        client.put_object(Bucket="shards", Key=f"many/{shard}", Body=body, ACL="public-read")
        members = store.members(shard)
        asked.clear()
        store.ahead(iter(members), 1 << 24)

        assert [store.read(name, 1 << 24).data for name in members] == contents
        assert len(asked) <= 10


def test_a_bucket_s_shard_is_read_once_when_it_is_streamed(
    bucket: str, unpacked: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int, int]] = []
    store = storage.at(bucket)
    monkeypatch.setattr("labeler.storage.shards._REMOTE_BLOCK", 1 << 14)
    get = store._files.read_range
    monkeypatch.setattr(store._files, "read_range", lambda *part: asked.append(part) or get(*part))

    for name in store.streamed("1.tar"):
        content = store.read(name, 1 << 24).data
        assert content == (unpacked.path / name.replace(".tar", "")).read_bytes()
    assert len(asked) == len(set(asked)) > 3


@pytest.mark.parametrize("gap", [0, 1 << 30])
def test_ranges_give_the_same_bytes_however_they_are_cut(
    bucket: str, unpacked: Folder, monkeypatch: pytest.MonkeyPatch, gap: int
) -> None:
    monkeypatch.setattr(ranges, "_GAP", gap)
    monkeypatch.setattr(ranges, "GROUP_MEMBERS", 5)
    names = list(Source([bucket]))
    store = storage.at(bucket)
    store.ahead(iter(names), 1 << 24)

    for name in names[::2]:  # The others were announced, and are not wanted after all.
        assert store.read(name, 1 << 24).data == (unpacked.path / name.replace(".tar", "")).read_bytes()


def test_shards_stay_as_they_are(packed: Path, model: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in packed.iterdir()}
    pipeline.classify(job(packed, tmp_path / "t.csv", model))

    assert {path: path.read_bytes() for path in packed.iterdir()} == before
