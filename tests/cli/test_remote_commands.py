"""Commands on photos in a bucket, and on tables that lie there: they give what they give of a folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import md5
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from buckets import Bucket
from conftest import CLASS_NAMES, ROOT
from review_server import Server
from typer.testing import CliRunner, Result

from labeler.cli.app import app
from labeler.records import Row, Status
from labeler.sorting import sort as sorting
from labeler.sorting.sort import Outcome
from labeler.tables import formats, reader, remote, run_record
from labeler.tables.matching import box_of
from labeler.tables.reviews import Event, now

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def here(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example photos, and their table `local.csv` beside them."""
    place = tmp_path_factory.mktemp("here")
    shutil.copytree(ROOT / "examples" / "photos", place / "photos")
    command = ["classify", place / "photos", "--out", place / "local.csv", "--model", model, "-q"]
    assert CliRunner().invoke(app, list(map(str, command))).exit_code == 1
    return place


class There(NamedTuple):
    """The example photos in a bucket, and a table of them, here and there."""

    bucket: Bucket
    table: Path
    address: str
    """Of the table in the bucket."""


@pytest.fixture
def there(here: Path, bucket: Bucket, tmp_path: Path) -> There:
    bucket.upload(here / "photos", "album")
    table = tmp_path / "there.csv"
    record = replace(reader.record(here / "local.csv"), root=bucket.address("album"))
    rows = (
        row._replace(version=md5((here / "photos" / row.file).read_bytes()).hexdigest())
        for row in reader.read(here / "local.csv")
    )
    formats.of(table).write(table, rows, record)
    run_record.write(table, record, "")
    for suffix in ("", run_record.RECORD):
        bucket.put(f"tables/local.csv{suffix}", table.with_name(table.name + suffix).read_bytes())
    return There(bucket, table, bucket.address("tables/local.csv"))


def test_show(run: Run, here: Path, there: There) -> None:
    local, remote = (json.loads(run("show", one, "--json").stdout) for one in (here / "local.csv", there.address))

    assert remote["table"] == there.address
    assert {name: remote[name] for name in ("faces", "photos", "labels")} == {
        name: local[name] for name in ("faces", "photos", "labels")
    }


def without_places(text: str, here: Path, there: There) -> str:
    """Return a text without the names of where the photos lie."""
    for place in (there.bucket.address("album"), "s3://photos/album", str(here / "photos")):
        text = text.replace(escape(place), "PLACE")
    return text


@pytest.mark.parametrize("lies", ["here", "there"])
def test_report_shows_the_same_faces(run: Run, here: Path, there: There, tmp_path: Path, lies: str) -> None:
    pages = []
    table = tmp_path / "local.csv"
    shutil.copy(there.table, table)
    shutil.copy(f"{there.table}.run.json", f"{table}.run.json")
    for number, one in enumerate((here / "local.csv", table if lies == "here" else there.address)):
        out = tmp_path / f"{number}.html"
        assert run("report", one, "--out", out, "--samples", 3).exit_code == 0
        pages.append(without_places(out.read_text("utf-8"), here, there))

    assert pages[0] == pages[1]
    assert "data:image/webp;base64," in pages[0]


def test_a_photo_that_is_gone_is_said_in_its_place(run: Run, there: There, tmp_path: Path) -> None:
    there.bucket.remove("album/portraits/collins.jpg")
    result = run("report", there.address, "--out", tmp_path / "r.html")

    assert result.exit_code == 0
    assert "there is no such object" in (tmp_path / "r.html").read_text("utf-8")


def test_a_store_that_refuses_is_one_line(
    run: Run, there: There, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = there.bucket.address("nowhere/local.csv")
    missing = run("report", table, "--out", tmp_path / "r.html")
    unknown = run("report", there.address.replace("photos/", "nobodys/"), "--out", tmp_path / "r.html")
    unsigned = ["--root", f"{there.bucket.address('album')}&anonymous=true"]
    photos = run("report", there.table, *unsigned, "--out", tmp_path / "r.html")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    refused = run("report", there.address, "--out", tmp_path / "r.html")

    for result in (missing, unknown, refused, photos):
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("labeler: ")
    assert "s3://photos/nowhere/local.csv cannot be read: there is no such object" in missing.stderr
    assert f"the photos of {there.table} cannot be read from s3://photos/album" in photos.stderr


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_annotate_draws_the_same(run: Run, here: Path, there: There, tmp_path: Path) -> None:
    for name, table in (("here", here / "local.csv"), ("there", there.address)):
        assert run("annotate", table, "--out", tmp_path / name, "-q").exit_code == 1  # Some of the photos are damaged.

    assert files_of(tmp_path / "here") == files_of(tmp_path / "there") != {}


@pytest.mark.parametrize("form", [["coco"], ["imagefolder", "--crops"], ["webdataset"], ["voc", "--split", "0.5,0.5"]])
def test_export_gives_the_same_files(run: Run, here: Path, there: There, tmp_path: Path, form: list[str]) -> None:
    for name, table in (("here", here / "local.csv"), ("there", there.address)):
        result = run("export", table, "--to", *form, "--out", tmp_path / name, "-q")
        assert result.exit_code in {0, 1}, result.output
    one, other = files_of(tmp_path / "here"), files_of(tmp_path / "there")

    described = {"README.md", "croissant.json", "labeler-export.json"}
    assert {name: one[name] for name in one.keys() - described} == {
        name: other[name] for name in other.keys() - described
    }
    assert len(one) > 10 or form == ["webdataset"]


def test_photos_that_stay_in_the_bucket_are_named_by_their_address(run: Run, there: There, tmp_path: Path) -> None:
    assert run("export", there.address, "--to", "voc", "--mode", "none", "--out", tmp_path / "voc").exit_code == 0
    found = (tmp_path / "voc" / "Annotations" / "portraits" / "collins.xml").read_text("utf-8")

    assert "<path>s3://photos/album/portraits/collins.jpg</path>" in found


@pytest.mark.parametrize(
    ("command", "advice"),
    [
        (["export", "--to", "coco", "--mode", "symlink"], "Leave it out, or use --mode none"),
        (["export", "--to", "label-studio", "--mode", "none"], "Leave it out"),
        (["review", "--no-browser"], "--reviews local.csv.reviews.jsonl"),
        (["reviews", "merge"], "--reviews local.csv.reviews.jsonl"),
    ],
)
def test_what_cannot_be_done_at_an_address_is_refused_in_one_line(
    run: Run, there: There, tmp_path: Path, command: list[str], advice: str
) -> None:
    options = command[2:] if command[0] == "reviews" else command[1:]
    names = command[: len(command) - len(options)]
    out = ["--out", tmp_path / "out"] if names == ["export"] else []
    result = run(*names, there.address, *options, *out)

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert advice in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["report", "t.csv", "--out", "s3://photos/r.html"],
        ["export", "t.csv", "--to", "coco", "--out", "s3://photos/coco"],
        ["sort", "t.csv", "--into", "s3://photos/sorted"],
        ["forget", "a.jpg", "--table", "s3://photos/t.csv"],
        ["evaluate", "s3://photos/album"],
    ],
)
def test_an_address_in_place_of_a_path_is_refused(run: Run, command: list[str]) -> None:
    result = run(*command)

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert next(one for one in command if one.startswith("s3:")) in result.stderr


def test_diff_compares_a_folder_with_a_bucket(run: Run, here: Path, there: There, tmp_path: Path) -> None:
    result = run("diff", here / "local.csv", there.address, "--json", "--out", tmp_path / "d.html")
    found = json.loads(result.stdout)

    assert result.exit_code == 0
    assert found["b"]["table"] == there.address
    assert found["agreement"]["share"] == 1.0
    assert found["files"]["version_not_checked"] == found["files"]["both"] == 16
    assert found["files"]["changed"] == 0


def test_labels_name_photos_of_a_bucket(run: Run, there: There, tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    album = there.bucket.address("album/portraits/hopper.jpg")
    truth.write_text(f"file,label\nportraits/collins.jpg,happy\n{album},sad\n")
    result = run("report", there.address, "--labels", truth, "--out", tmp_path / "r.html", "--json", "--no-pictures")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["truth"]["n"] == 2


def test_root_may_be_an_address(run: Run, here: Path, there: There, tmp_path: Path) -> None:
    moved = ["--root", there.bucket.address("album")]
    result = run("report", here / "local.csv", *moved, "--out", tmp_path / "r.html")

    assert result.exit_code == 0
    assert "data:image/webp;base64," in (tmp_path / "r.html").read_text("utf-8")


def test_sort_copies_the_same_files(run: Run, here: Path, there: There, tmp_path: Path) -> None:
    results = [
        run("sort", table, "--into", tmp_path / name, "--json", "-q")
        for name, table in (("here", here / "local.csv"), ("there", there.address))
    ]

    assert [result.exit_code for result in results] == [0, 0], results[1].output
    assert json.loads(results[0].stdout) == json.loads(results[1].stdout) == {"sorted": 16}
    one, other = (
        {name: content for name, content in files_of(tmp_path / folder).items() if not name.startswith(".labeler-sort")}
        for folder in ("here", "there")
    )
    assert one == other


def test_a_sort_of_objects_goes_on_and_is_undone(run: Run, there: There, tmp_path: Path) -> None:
    into = tmp_path / "sorted"
    plan = sorting.plan(reader.read(there.table), reader.root(there.table), into, class_names=CLASS_NAMES)
    moves = sorting.apply(plan, into)
    done = [next(moves).outcome for _ in range(3)]
    moves.close()  # As by a kill: all of the batch is announced in the journal.
    again = run("sort", there.table, "--into", into, "--json", "-q")
    undone = run("sort", "--undo", into, "--json", "-q")

    assert set(done) == {Outcome.SORTED}
    assert json.loads(again.stdout) == {"already there": 3, "sorted": 13}
    assert json.loads(undone.stdout) == {"undone": 16}
    assert not into.exists()


def test_a_sort_that_is_done_reads_no_object_again(run: Run, there: There, tmp_path: Path) -> None:
    assert run("sort", there.table, "--into", tmp_path / "sorted", "-q").exit_code == 0
    for name in there.bucket.names():
        there.bucket.remove(name)
    rows = list(reader.read(there.table))
    plan = sorting.plan(rows, there.bucket.address("album"), tmp_path / "sorted", class_names=CLASS_NAMES)

    assert {move.outcome for move in plan} == {Outcome.THERE}


def test_undo_keeps_copies_that_changed_or_are_the_only_ones(run: Run, there: There, tmp_path: Path) -> None:
    into = tmp_path / "sorted"
    assert run("sort", there.address, "--into", into, "-q").exit_code == 0
    there.bucket.remove("album/faces/hopper.jpg")
    (changed,) = into.glob("*/portraits/collins.jpg")
    changed.write_bytes(b"of the user")
    result = run("sort", "--undo", into, "--json", "-q")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"undone": 14, str(Outcome.CHANGED): 1, str(Outcome.ONLY): 1}
    assert changed.read_bytes() == b"of the user"


def test_an_object_that_is_gone_is_not_sorted(run: Run, there: There, tmp_path: Path) -> None:
    there.bucket.remove("album/faces/hopper.jpg")
    result = run("sort", there.address, "--into", tmp_path / "sorted", "--json", "-q")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == {"sorted": 15, "not found": 1}


def test_a_file_that_stands_in_the_way_of_an_object_stays(run: Run, there: There, tmp_path: Path) -> None:
    (tmp_path / "sorted").mkdir()
    assert run("sort", there.address, "--into", tmp_path / "sorted", "--dry-run", "--json").exit_code == 0
    folder = reader.root(there.table)
    target = next(
        iter(sorting.plan(reader.read(there.table), folder, tmp_path / "sorted", class_names=CLASS_NAMES))
    ).target
    (tmp_path / "sorted" / target).parent.mkdir(parents=True)
    (tmp_path / "sorted" / target).write_bytes(b"of the user")
    result = run("sort", there.address, "--into", tmp_path / "sorted", "--json", "-q")

    assert json.loads(result.stdout) == {"sorted": 16}
    assert (tmp_path / "sorted" / target).read_bytes() == b"of the user"


@pytest.mark.parametrize("mode", ["move", "symlink", "hardlink"])
def test_objects_can_only_be_copied(run: Run, there: There, tmp_path: Path, mode: str) -> None:
    result = run("sort", there.address, "--into", tmp_path / "sorted", "--mode", mode)

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert f"--mode {mode} is not possible" in result.stderr
    assert not (tmp_path / "sorted").exists()


def test_names_of_objects_lead_nowhere_else(tmp_path: Path, there: There) -> None:
    rows = [Row(name, status=Status.NO_FACE) for name in ("../../a.jpg", "b/../../../c.jpg", "..", "d//e.jpg")]
    plan = sorting.plan(rows, there.bucket.address("album"), tmp_path / "sorted")

    assert [move.target for move in plan] == [
        "no_face/a.jpg",
        "no_face/b/c.jpg",
        "no_face/_",
        "no_face/d/e.jpg",
    ]


def tiles(server: Server) -> bytes:
    """Return the faces that a review shows first, as one picture."""
    view = server.post("/api/view", {"order": "file"})
    rows = [item["row"] for item in server.get(f"/api/view/{view['view']}?start=0&count=50")["items"]]
    return server.request("GET", f"/api/sprite?size=96&rows={','.join(map(str, rows))}").content


@pytest.mark.heavy
def test_a_review_shows_the_same_faces_and_writes_here_alone(
    run: Run, here: Path, there: There, tmp_path: Path
) -> None:
    log = tmp_path / "mine.jsonl"
    before = {name: there.bucket.content(name) for name in there.bucket.names()}
    with Server(here / "local.csv", "--read-only", "--cache", "none") as server:
        shown = tiles(server)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with Server(there.address, "--reviews", str(log), environment={"TMPDIR": str(temporary)}) as server:
        assert tiles(server) == shown
        row = server.post("/api/view", {"label": "happy"})["view"]
        row = server.get(f"/api/view/{row}?start=0&count=1")["items"][0]["row"]
        file = server.get(f"/api/face/{row}")["file"]
        server.post("/api/events", {"action": uuid4().hex, "events": [{"row": row, "new": "sad"}]})
        code, said = server.stop()

    assert code == 0, said
    assert list(temporary.iterdir()) == []
    assert [(event["file"], event["new"]) for event in map(json.loads, log.read_text().splitlines())] == [(file, "sad")]
    assert {name: there.bucket.content(name) for name in there.bucket.names()} == before
    with_reviews = json.loads(run("show", there.address, "--reviews", log, "--json").stdout)
    assert with_reviews["reviews"]["changed"] == 1
    assert json.loads(run("show", there.address, "--json").stdout)["reviews"] is None
    assert run("sort", there.address, "--reviews", log, "--into", tmp_path / "sorted", "-q").exit_code == 0
    assert (tmp_path / "sorted" / "sad" / file).exists()


def test_corrections_in_the_bucket_count_and_begin_those_here(run: Run, there: There, tmp_path: Path) -> None:
    row = next(row for row in reader.read(there.table) if row.label == "happy")
    said = Event(
        action=uuid4().hex, time=now(), reviewer="ann", file=row.file, box=box_of(row), version=row.version, new="sad"
    )
    there.bucket.put("tables/local.csv.reviews.jsonl", said.line())
    mine = tmp_path / "mine.jsonl"
    corrected = tmp_path / "corrected.csv"
    corrected.write_bytes(there.table.read_bytes())
    command = ["reviews", "import", there.address, corrected, "--from", "csv", "--reviewer", "bob", "--accept"]
    show = ["show", there.address, "--json"]

    assert json.loads(run(*show).stdout)["reviews"]["changed"] == 1
    assert run(*command, "--reviews", mine).exit_code == 0
    assert mine.read_bytes().startswith(said.line())
    assert json.loads(run(*show, "--reviews", mine).stdout)["reviews"]["reviewers"].keys() == {"ann", "bob"}
    assert there.bucket.content("tables/local.csv.reviews.jsonl") == said.line()


def test_reviews_of_a_table_in_a_folder_lie_beside_it(run: Run, here: Path, tmp_path: Path) -> None:
    result = run("show", here / "local.csv", "--reviews", tmp_path / "mine.jsonl")

    assert result.exit_code == 2
    assert "local.csv.reviews.jsonl" in result.stderr


@pytest.mark.heavy
def test_the_report_of_a_bucket_in_a_browser(chromium: Any, run: Run, there: There, tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    assert run("report", there.address, "--out", out).exit_code == 0
    page = chromium.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(out.as_uri())
    page.wait_for_load_state("networkidle")
    widths = page.evaluate("[...document.querySelectorAll('.faces svg use')].map((one) => one.getBBox().width)")
    page.close()

    assert len(widths) > 10
    assert min(widths) > 0
    assert {url for url in requests if not url.startswith("data:")} == {out.as_uri()}


def test_a_directory_of_parts_is_copied_without_its_manifest(bucket: Bucket) -> None:
    names = {"_plan.json", "_SUCCESS", "parts/00000000.parquet", "parts/00000001.parquet"}
    for name in {*names, "_manifest/00000000.parquet", "parts/x.tmp", "notes.txt"}:
        bucket.put(f"out/labels/{name}", name.encode())
    bucket.put("out/labels.reviews.jsonl", b"")
    bucket.put("out/labels-2/_plan.json", b"")
    with remote.local(bucket.address("out/labels/")) as path:
        assert files_of(path) == {name: name.encode() for name in names}
        assert {one.name for one in path.parent.iterdir()} == {"labels", "labels.reviews.jsonl"}
        folder = path.parent

    assert not folder.exists()
    assert remote.is_table(bucket.address("out/labels"))
    assert not remote.is_table(bucket.address("out"))


def test_photos_of_a_bucket_are_forgotten_by_name_or_address(run: Run, there: There) -> None:
    address = there.bucket.address("album/faces/hopper.jpg")
    result = run("forget", "faces/collins.jpg", address, "--table", there.table, "--json", "-q")

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["files"] == ["faces/collins.jpg", "faces/hopper.jpg"]
    assert {"faces/collins.jpg", "faces/hopper.jpg"}.isdisjoint(row.file for row in reader.read(there.table))


@pytest.mark.heavy
def test_photos_of_a_bucket_are_labelled_and_sorted(there: There, model: Path, tmp_path: Path) -> None:
    photos = there.bucket.address("album/portraits")
    command = ["sort", photos, "--into", str(tmp_path / "sorted"), "--model", str(model), "--workers", "1", "-q"]
    done = subprocess.run([sys.executable, "-m", "labeler", *command], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sorted" / "labels.csv").exists()
    assert len(list((tmp_path / "sorted").glob("*/*.jpg"))) == 3


@pytest.fixture(params=["here", "there"])
def shard(request: pytest.FixtureRequest, here: Path, bucket: Bucket, tmp_path: Path) -> Path:
    """A table of photos in a tar, which lies in a folder or in a bucket."""
    folder = tmp_path / "shards"
    folder.mkdir()
    with tarfile.open(folder / "0.tar", "w") as tar:
        tar.add(here / "photos", "photos")
    bucket.upload(folder, "shards")
    root = str(folder) if request.param == "here" else bucket.address("shards")
    record = replace(reader.record(here / "local.csv"), root=root)
    table = tmp_path / "shards.csv"
    rows = (row._replace(file=f"0.tar/photos/{row.file}", version="") for row in reader.read(here / "local.csv"))
    formats.of(table).write(table, rows, record)
    run_record.write(table, record, "")
    return table


def test_members_of_shards_are_shown_exported_and_sorted(run: Run, here: Path, shard: Path, tmp_path: Path) -> None:
    assert run("report", shard, "--out", tmp_path / "r.html").exit_code == 0
    assert 'class="absent"' not in (tmp_path / "r.html").read_text("utf-8")
    assert run("export", shard, "--to", "coco", "--keep-metadata", "--out", tmp_path / "coco").exit_code == 0
    assert run("sort", shard, "--into", tmp_path / "sorted", "--json", "-q").exit_code == 0
    assert run("sort", shard, "--into", tmp_path / "moved", "--mode", "symlink").exit_code == 2
    (copy,) = (tmp_path / "sorted").glob("*/0.tar/photos/portraits/collins.jpg")
    assert copy.read_bytes() == (here / "photos/portraits/collins.jpg").read_bytes()
    again = run("sort", shard, "--into", tmp_path / "sorted", "--json", "-q")
    assert json.loads(again.stdout) == {"already there": 16}
    assert json.loads(run("sort", "--undo", tmp_path / "sorted", "--json", "-q").stdout) == {"undone": 16}


@pytest.mark.heavy
def test_a_directory_of_parts_is_read_as_a_file_is(
    run: Run, here: Path, bucket: Bucket, model: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels"
    made = run("classify", here / "photos", "--out", f"{labels}/", "--unit-size", 5, "--model", model, "-q")
    assert made.exit_code == 1, made.output
    bucket.upload(labels, "labels")
    address = bucket.address("labels/")
    said = [json.loads(run("show", one, "--json").stdout) for one in (here / "local.csv", labels, address)]

    assert len([name for name in bucket.names() if name.startswith("labels/parts/")]) > 1
    for name in ("faces", "photos", "labels", "statuses"):
        assert said[0][name] == said[1][name] == said[2][name]
    assert run("report", address, "--out", tmp_path / "r.html").exit_code == 0
    assert run("export", address, "--to", "coco", "--out", tmp_path / "coco", "-q").exit_code == 0
    assert run("sort", address, "--into", tmp_path / "sorted", "-q").exit_code == 0
    diff = json.loads(run("diff", here / "local.csv", address, "--json").stdout)
    assert diff["agreement"]["share"] == 1.0
    assert diff["files"]["same_version"] == diff["files"]["both"] == 16


@pytest.mark.parametrize(
    ("place", "options", "said"),
    [
        ("tables/local.csv", ["--reviews", "nowhere.jsonl"], "there is no file nowhere.jsonl"),
        ("album/", [], "there is no table at s3://photos/album"),
        ("album/faces/hopper.jpg", [], "there is no table at s3://photos/album/faces/hopper.jpg"),
        ("tables/local.csv", ["--reviews", "s3://photos/mine.jsonl"], "s3://photos/mine.jsonl is an address"),
    ],
)
def test_what_cannot_be_read_is_one_line(run: Run, there: There, place: str, options: list[str], said: str) -> None:
    result = run("show", there.bucket.address(place), *options)

    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


def test_corrections_go_into_a_folder_that_exists(run: Run, there: There, tmp_path: Path) -> None:
    result = run("review", there.address, "--reviews", tmp_path / "nowhere" / "mine.jsonl", "--no-browser")

    assert result.exit_code == 2
    assert f"the folder {tmp_path / 'nowhere'} does not exist" in result.stderr


def test_what_to_do_next_names_the_file_of_corrections(run: Run, there: There) -> None:
    told = run("show", there.address).stdout

    assert f"labeler review {there.address} --reviews local.csv.reviews.jsonl" in told.replace("'", "")
    assert "--out local.html" in told
