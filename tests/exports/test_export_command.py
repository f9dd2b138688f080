"""The command `export`: from a table to a data set that is whole, and never over anything else."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import CLASS_NAMES, ROOT, Folder
from disks import full_disk
from export_items import HOSTILE, files
from kills import killed
from odd_rows import record_of, write_finished
from PIL import Image
from typer.testing import Result

from labeler.cli.exports import To
from labeler.exports import marker
from labeler.exports.export import export
from labeler.exports.formats import FORMATS
from labeler.exports.settings import ExportSettings
from labeler.native_output import decoders
from labeler.records import Face, Mode, Row
from labeler.storage.local import Local
from labeler.storage.store import key
from labeler.tables import reader

Run = Callable[..., Result]

ORIENTATION = 0x0112


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Two portraits, one of them turned by EXIF, face crops under hostile names, and what gives no label."""
    folder = Folder(tmp_path_factory.mktemp("export") / "photos")
    for number, name in enumerate(HOSTILE):
        folder.noise("made.jpg", number)
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        os.rename(folder.path / "made.jpg", folder.path / name)
    examples = ROOT / "examples" / "photos"
    shutil.copy(examples / "portraits" / "hopper.jpg", folder.path / "portrait.jpg")
    shutil.copy(examples / "awkward" / "rotated_by_exif.jpg", folder.path / "turned.jpg")
    folder.noise("scan.tif", 99)
    folder.picture("no_face.png", (90, 90, 90), side=200)
    folder.file("text.jpg")
    return folder


@pytest.fixture(scope="module")
def table(photos: Folder, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    command = ["classify", photos.path, "--out", path, "--model", model, "--all-files", "-q"]
    hidden = photos.path / ".hidden/__cache__/x.jpg"
    assert subprocess.run([sys.executable, "-m", "labeler", *command, hidden]).returncode == 1
    return path


def made(run: Run, table: Path, out: Path, *options: object, code: int = 0) -> dict[str, object]:
    result = run("export", table, "--out", out, "--json", "--quiet", *options)
    assert result.exit_code == code, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def pictures(out: Path) -> dict[str, bytes]:
    beside = {marker.NAME, "README.md", "croissant.json"}
    return {name: content for name, content in files(out).items() if name not in beside}


PLACED = [name for name, form in FORMATS.items() if not form.packs]


def options_of(name: str) -> list[str]:
    return ["--to", name, *(["--split", "1"] if FORMATS[name].split else [])]


def test_the_command_knows_the_formats() -> None:
    assert [to.value for to in To] == list(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_face_with_a_class_is_exported_beside_a_card_and_a_description(
    name: str, run: Run, table: Path, tmp_path: Path
) -> None:
    made_of = made(run, table, tmp_path / "out", *options_of(name))
    rows = list(reader.read(table))
    faces = Counter(row.label for row in rows if row.status == "ok")

    assert made_of["faces"] == faces.total()
    assert made_of["left_out"] == Counter(row.status.value for row in rows if row.status != "ok")
    if FORMATS[name].crops:
        assert made_of["pictures"] == {"": {label: faces[label] for label in CLASS_NAMES}}
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert all(label in card for label in CLASS_NAMES)
    assert json.loads((tmp_path / "out" / "croissant.json").read_text("utf-8"))["@type"] == "sc:Dataset"
    assert not [file for file in files(tmp_path / "out") if ".part" in file or ".lock" in file]


@pytest.mark.parametrize("name", PLACED)
@pytest.mark.parametrize("what", ["--crops", "--photos"])
def test_each_picture_is_one_file_with_the_size_that_is_said_and_no_metadata(
    what: str, name: str, run: Run, table: Path, tmp_path: Path
) -> None:
    made_of = made(run, table, tmp_path / "out", *options_of(name), what)
    found = [content for file, content in pictures(tmp_path / "out").items() if is_picture(content)]

    assert len(found) == sum(made_of["pictures"][""].values())  # type: ignore[index]
    for content in found:
        image = Image.open(io.BytesIO(content))
        assert image.getexif().get(ORIENTATION, 1) == 1
        assert not image.getexif()


def is_picture(content: bytes) -> bool:
    return content.startswith((b"\xff\xd8\xff", b"\x89PNG", b"RIFF"))


@pytest.mark.parametrize("mode", [Mode.SYMLINK, Mode.HARDLINK])
def test_links_lead_to_the_photos(mode: Mode, run: Run, table: Path, photos: Folder, tmp_path: Path) -> None:
    made(run, table, tmp_path / "out", "--to", "coco", "--mode", mode)
    about = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())
    originals = {path.stat().st_ino for path in photos.path.rglob("*") if path.is_file()}
    found = [tmp_path / "out" / "images" / image["file_name"] for image in about["images"]]

    assert {path.is_symlink() for path in found} == {mode is Mode.SYMLINK}
    assert all(path.stat().st_ino in originals for path in found)
    assert len({path.stat().st_ino for path in found}) == len(found)


def test_photos_stay_in_place_when_asked(run: Run, table: Path, photos: Folder, tmp_path: Path) -> None:
    made(run, table, tmp_path / "out", "--to", "coco", "--mode", "none")
    about = json.loads((tmp_path / "out/annotations/instances_default.json").read_text())

    assert set(files(tmp_path / "out")) == {
        marker.NAME, "README.md", "croissant.json", "annotations/instances_default.json",
    }  # fmt: skip
    assert all((photos.path / image["file_name"]).is_file() for image in about["images"])


def test_a_table_in_place_is_described_although_its_photos_have_gone(run: Run, table: Path, tmp_path: Path) -> None:
    for path in (table, table.with_name(table.name + ".run.json")):
        shutil.copy(path, tmp_path)
    moved = tmp_path / (table.name + ".run.json")
    moved.write_text(moved.read_text().replace('"root": "', '"root": "/gone'))
    made(run, tmp_path / table.name, tmp_path / "out", "--to", "croissant")

    assert set(files(tmp_path / "out")) == {marker.NAME, "README.md", "croissant.json"}
    result = run("export", tmp_path / table.name, "--to", "coco", "--out", tmp_path / "no")
    assert result.exit_code == 2
    assert "--root" in result.output
    assert not (tmp_path / "no").exists()


def test_a_table_without_a_record_is_exported_where_its_photos_are_named(
    run: Run, table: Path, photos: Folder, tmp_path: Path
) -> None:
    alone = Path(shutil.copy(table, tmp_path))

    assert run("export", alone, "--to", "coco", "--out", tmp_path / "out").exit_code == 2
    made(run, alone, tmp_path / "out", "--to", "coco", "--root", photos.path)
    assert "unknown" in (tmp_path / "out" / "README.md").read_text()


def test_metadata_stays_when_asked(run: Run, table: Path, tmp_path: Path) -> None:
    made(run, table, tmp_path / "out", "--to", "coco", "--keep-metadata")

    assert any(Image.open(io.BytesIO(content)).getexif() for content in pictures(tmp_path / "out").values()
               if is_picture(content))  # fmt: skip


def test_at_most_so_many_of_a_class_are_drawn_by_the_seed(run: Run, table: Path, tmp_path: Path) -> None:
    options = ["--to", "yolo-cls", "--split", "1", "--per-class", "2"]
    first, again, other = (
        (made(run, table, tmp_path / name, *options, "--seed", seed), sorted(pictures(tmp_path / name)))
        for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
    )
    counts = first[0]["pictures"][""]  # type: ignore[index]

    assert max(counts.values()) == 2
    assert first[1] == again[1] != other[1]


def test_faces_below_the_least_score_are_left_out(run: Run, table: Path, tmp_path: Path) -> None:
    scores = sorted(row.score for row in reader.read(table) if row.score is not None)
    made_of = made(run, table, tmp_path / "out", "--to", "imagefolder", "--min-score", str(scores[5]))

    assert made_of["faces"] == sum(score >= scores[5] for score in scores)
    assert made_of["left_out"]["a score below --min-score"] == sum(score < scores[5] for score in scores)  # type: ignore[index]


def test_a_photo_that_cannot_be_read_any_more_is_left_out_and_named(
    run: Run, table: Path, photos: Folder, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos.path, root, symlinks=True)
    (root / "portrait.jpg").write_bytes(b"gone")
    os.remove(root / "turned.jpg")
    for number, name in enumerate(["imagefolder", "coco", "webdataset"]):
        made_of = made(run, table, tmp_path / str(number), "--to", name, "--photos", "--root", root, code=1)

        assert made_of["unreadable"] == 2
        assert {example.partition(":")[0] for example in made_of["examples"]} == {"portrait.jpg", "turned.jpg"}  # type: ignore[attr-defined]
    shown = run("export", table, "--to", "voc", "--photos", "--root", root, "--out", tmp_path / "shown")
    assert "could not be read: 2" in shown.output


def test_the_same_command_again_changes_nothing_and_another_is_refused(run: Run, table: Path, tmp_path: Path) -> None:
    first = made(run, table, tmp_path / "out", "--to", "imagefolder")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    again = made(run, table, tmp_path / "out", "--to", "imagefolder")

    assert again == {**first, "complete_before": True}
    for changed in (["--to", "coco"], ["--to", "imagefolder", "--min-score", "0.5"]):
        result = run("export", table, "--out", tmp_path / "out", *changed)
        assert result.exit_code == 2
        assert "holds another export" in result.output
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before


def test_a_folder_of_the_user_is_never_written_to(run: Run, table: Path, folder: Folder) -> None:
    folder.picture("mine.jpg")
    for content in (None, b"", b"[]", b'{"format": "coco"}', b"\xff", b"[" * 100_000):
        if content is not None:
            (folder.path / marker.NAME).write_bytes(content)
        before = files(folder.path)
        result = run("export", table, "--to", "coco", "--out", folder.path)

        assert result.exit_code == 2
        assert "choose another --out" in result.output.replace("\n", " ")
        assert files(folder.path) == before


def test_a_marker_of_another_version_is_refused(run: Run, table: Path, tmp_path: Path) -> None:
    made(run, table, tmp_path / "out", "--to", "croissant")
    path = tmp_path / "out" / marker.NAME
    path.write_text(path.read_text("utf-8").replace('"faces"', '"heads"'), "utf-8")
    result = run("export", table, "--to", "croissant", "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "another version" in result.output


def test_only_one_export_writes_to_a_folder(run: Run, table: Path, tmp_path: Path) -> None:
    with marker.opened(tmp_path / "out", {}):
        result = run("export", table, "--to", "coco", "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "another export writes to" in result.output


def test_an_export_of_nothing_is_an_error_and_can_be_repeated(run: Run, table: Path, tmp_path: Path) -> None:
    result = run("export", table, "--to", "imagefolder", "--out", tmp_path / "out", "--min-score", "1")

    assert result.exit_code == 3
    assert "below --min-score" in result.output
    made(run, table, tmp_path / "out", "--to", "imagefolder")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "webdataset", "--mode", "symlink"], "packs the pictures"),
        (["--to", "webdataset", "--mode", "none"], "packs the pictures"),
        (["--to", "imagefolder", "--mode", "none"], "--mode symlink"),
        (["--to", "coco", "--crops", "--mode", "none"], "a crop is a new file"),
        (["--to", "croissant", "--split", "0.8,0.2"], "--split is not possible"),
        (["--to", "croissant", "--min-score", "0.5"], "--min-score is not possible"),
        (["--to", "coco", "--split", "0.8,x"], "0.8,0.1,0.1"),
        (["--to", "coco", "--split", "0.8,0.8"], "0.8,0.1,0.1"),
    ],
    ids=str,
)
def test_contradictions_are_said_before_anything_is_made(
    options: list[str], said: str, run: Run, table: Path, tmp_path: Path
) -> None:
    result = run("export", table, "--out", tmp_path / "out", *options)

    assert result.exit_code == 2
    assert said in result.output.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def settings_of(table: Path, to: str, out: Path) -> ExportSettings:
    return ExportSettings(table=table, to=to, out=out, split=(1.0,))


@pytest.mark.parametrize(
    "name", ["coco", *(pytest.param(name, marks=pytest.mark.slow) for name in FORMATS if name != "coco")]
)
def test_an_export_killed_before_any_step_is_continued_to_the_same(name: str, table: Path, tmp_path: Path) -> None:
    with decoders():
        export(settings_of(table, name, tmp_path / "out"))
        whole = files(tmp_path / "out")
        shutil.rmtree(tmp_path / "out")
        step = dead = 0
        while killed(step, lambda: export(settings_of(table, name, tmp_path / "out"))):
            killed(step // 2, lambda: export(settings_of(table, name, tmp_path / "out")))
            export(settings_of(table, name, tmp_path / "out"))
            assert files(tmp_path / "out") == whole
            shutil.rmtree(tmp_path / "out")
            step, dead = step + 1 + step // 3, dead + 1
    assert dead > 5


def test_a_stopped_export_keeps_the_pictures_that_it_has(run: Run, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert killed(60, lambda: export(settings_of(table, "imagefolder", out)))
    kept = {file: (out / file).stat().st_ino for file, content in pictures(out).items() if is_picture(content)}
    made(run, table, out, "--to", "imagefolder", "--split", "1")

    assert len(kept) > 1
    assert {file: (out / file).stat().st_ino for file in kept if ".part" not in file}.items() <= kept.items()


def test_a_full_disk_is_one_line_and_leaves_no_half_file(table: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labeler", "export", table, "--to", "coco", "--out", tmp_path / "out", "-q"]
    with full_disk(20_000):
        ended = subprocess.run(command, capture_output=True, text=True)

    assert ended.returncode == 5
    assert len(ended.stderr.splitlines()) == 1
    assert "run the same command again" in ended.stderr
    assert not [file for file in files(tmp_path / "out") if ".part" in file]
    assert subprocess.run(command).returncode == 0


def test_names_that_only_differ_in_case_stay_apart_on_exfat(run: Run, table: Path, exfat: Path) -> None:
    for name in ("coco", "yolo-cls"):
        made_of = made(run, table, exfat / name, *options_of(name))
        found = [file for file, content in pictures(exfat / name).items() if is_picture(content)]
        assert len(found) == sum(made_of["pictures"][""].values())  # type: ignore[index]
    result = run("export", table, "--to", "coco", "--mode", "symlink", "--out", exfat / "links")
    assert result.exit_code == 2
    assert "Use --mode copy" in result.output


def test_the_table_can_be_of_any_format(run: Run, table: Path, photos: Folder, model: Path, tmp_path: Path) -> None:
    made(run, table, tmp_path / "csv", "--to", "coco")
    for suffix in ("jsonl", "parquet"):
        other = tmp_path / f"t.{suffix}"
        hidden = photos.path / ".hidden/__cache__/x.jpg"
        run("classify", photos.path, hidden, "--out", other, "--model", model, "--all-files", "-q")
        made(run, other, tmp_path / suffix, "--to", "coco")
        assert pictures(tmp_path / suffix) == pictures(tmp_path / "csv")


@pytest.fixture
def copies(folder: Folder) -> Path:
    """A table of 60 crops, each with a copy of another size; 20 persons, each with three."""
    rows = []
    for number in range(60):
        name = f"person{number % 20}-{number}"
        image = Image.open(folder.noise(f"{name}.png", number, side=96))
        image.resize((64, 64)).save(folder.path / f"{name}-small.jpg", quality=70)
        shares = tuple(0.8 if place == number % 3 else 0.1 for place in range(3))
        for file, side in ((f"{name}-small.jpg", 64), (f"{name}.png", 96)):
            version = Local(str(folder.path)).version(file) or ""
            row = Row(file, image_width=side, image_height=side, version=version)
            rows.append(row.located(0, Face(0, 0, side, side)).labelled(shares, CLASS_NAMES, 0))
    table = folder.path.with_name("t.csv")
    rows.sort(key=lambda row: key(row.file))
    write_finished(table, record_of(CLASS_NAMES, root=str(folder.path)), rows)
    return table


def subsets_of(out: Path) -> dict[str, set[str]]:
    """Return the photos of each subset."""
    return {
        path.parent.name: {json.loads(line)["file"] for line in path.read_text("utf-8").splitlines()}
        for path in out.glob("*/metadata.jsonl")
    }


def test_copies_and_files_with_one_key_are_in_one_subset(run: Run, copies: Path, tmp_path: Path) -> None:
    options = ["--to", "imagefolder", "--split", "0.6,0.2,0.2"]
    for number, more in enumerate([[], ["--group-by", r"person(\d+)-"]]):
        made_of = made(run, copies, tmp_path / str(number), *options, *more)
        found = subsets_of(tmp_path / str(number))

        assert {name: len(files) for name, files in found.items()} == {
            name: sum(counts.values())
            for name, counts in made_of["pictures"].items()  # type: ignore[attr-defined]
        }
        assert sorted(found) == ["test", "train", "val"]
        assert made_of["groups"] == (20 if more else 60)
        group = (lambda file: file.split("-")[0]) if more else (lambda file: file.split("-")[1].split(".")[0])
        groups = {name: {group(file) for file in files} for name, files in found.items()}
        assert sum(map(len, groups.values())) == made_of["groups"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_can_be_split(name: str, run: Run, copies: Path, tmp_path: Path) -> None:
    if name == "croissant":
        return
    made_of = made(run, copies, tmp_path / "out", "--to", name, "--split", "0.6,0.2,0.2")
    counts = made_of["pictures"]

    assert list(counts) == ["train", "val", "test"]  # type: ignore[call-overload]
    assert all(min(of.values()) > 0 for of in counts.values())  # type: ignore[attr-defined]
    assert sum(sum(of.values()) for of in counts.values()) == 120  # type: ignore[attr-defined]


def test_a_continued_split_is_the_same_and_reads_no_photo_again(run: Run, copies: Path, tmp_path: Path) -> None:
    made(run, copies, tmp_path / "whole", "--to", "yolo")
    whole = files(tmp_path / "whole")
    out = tmp_path / "out"
    settings = ExportSettings(table=copies, to="yolo", out=out)
    assert killed(150, lambda: export(settings))
    assert any(is_picture(content) for content in files(out).values())
    made(run, copies, out, "--to", "yolo")

    assert files(out) == whole


def test_where_a_class_cannot_be_in_every_subset_it_is_said(run: Run, table: Path, tmp_path: Path) -> None:
    result = run("export", table, "--to", "yolo", "--out", tmp_path / "out", "--per-class", "1")

    assert result.exit_code == 2
    assert "--split 1" in result.output
    made(run, table, tmp_path / "out", "--to", "yolo", "--per-class", "1", "--split", "1")
