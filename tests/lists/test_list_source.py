"""Lists to names: relative to one root, in the order of `key`, each once; and the tables that are made of them."""

from __future__ import annotations

import csv
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Folder
from typer.testing import CliRunner

from labeler import pipeline
from labeler.cli.app import app
from labeler.errors import InputGoneError, LabelerError, NoPicturesError
from labeler.lists.content import Content
from labeler.lists.entry import Wanted
from labeler.lists.names import LocalNames, RemoteNames, UnusableError
from labeler.lists.source import ListSource
from labeler.records import ListedName, Redo, Row, Settings, Status
from labeler.selection import Selection
from labeler.storage.store import key
from labeler.tables import reader, run_record


def listed(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8", "surrogateescape")
    return path


def source_of(path: Path | str, *inputs: str | Path, **options: Any) -> ListSource:
    keep = options.pop("keep", ())
    return ListSource(Content(Wanted(path=str(path), keep=keep)), inputs, **options)


def table(path: Path, out: Path, model: Path, *inputs: Path, keep: tuple[str, ...] = (), **options: Any) -> list[Row]:
    """Classify the files of a list; return the rows of the table."""
    made = pipeline.classify(
        pipeline.Job(
            inputs=inputs,
            out=out,
            settings=options.pop("settings", Settings(model=str(model))),
            listing=Wanted(path=str(path), keep=keep),
            workers=options.pop("workers", 1),
            **options,
        )
    )
    assert made.tally.files == len({row.file for row in reader.read(out)})
    return list(reader.read(out))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.jpg", "a.jpg"),
        ("a/b.jpg", "a/b.jpg"),
        ("./a.jpg", "a.jpg"),
        ("a//b/./c.jpg", "a/b/c.jpg"),
        ("a/../b.jpg", "b.jpg"),
        ("../b.jpg", "/photos/b.jpg"),
        ("../here/b.jpg", "b.jpg"),
        ("../../../../etc/passwd", "/etc/passwd"),
        ("/photos/here/x/a.jpg", "x/a.jpg"),
        ("//photos/here/a.jpg", "a.jpg"),
        ("/photos/hereafter/a.jpg", "/photos/hereafter/a.jpg"),
        ("file:///photos/here/a%20b%23.jpg", "a b#.jpg"),
        ("file://localhost/c/a.jpg", "/c/a.jpg"),
        (".hidden/..x.jpg", ".hidden/..x.jpg"),
        ("a.jpg/", "a.jpg"),
        (".", "."),
        ("/photos/here", "."),
        ("C:\\a.jpg", "C:\\a.jpg"),
    ],
)
def test_names_are_below_the_root_and_absolute_elsewhere(text: str, name: str) -> None:
    assert LocalNames("/photos/here")(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.jpg", "a.jpg"),
        ("./a.jpg", "a.jpg"),
        ("s3://bucket/photos/x/a b.jpg", "x/a b.jpg"),
        ("s3://bucket/photos/a.jpg?endpoint=http://127.0.0.1:1", "a.jpg"),
    ],
)
def test_addresses_are_below_the_root(text: str, name: str) -> None:
    assert RemoteNames("s3://bucket/photos?endpoint=http://127.0.0.1:1")(text) == name


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s3://other/photos/a.jpg", "is not in s3://bucket; one table is of one bucket"),
        ("gs://bucket/photos/a.jpg", "is not in s3://bucket"),
        ("s3://bucket/photos/a.jpg?anonymous=1", "is not in s3://bucket"),
        ("s3://bucket/photosets/a.jpg", "is not below s3://bucket/photos"),
        ("s3://", "names no bucket"),
        ("/photos/a.jpg", "is of this machine"),
        ("file:///a.jpg", "is of this machine"),
    ],
)
def test_an_address_elsewhere_is_unusable(text: str, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        RemoteNames("s3://bucket/photos")(text)


@pytest.mark.parametrize(("text", "reason"), [("s3://b/a.jpg", "is remote"), ("file://host/a", "of another machine")])
def test_a_remote_name_is_none_of_a_folder(text: str, reason: str) -> None:
    with pytest.raises(UnusableError, match=reason):
        LocalNames("/photos")(text)


def test_names_come_in_order_each_once_and_the_first_entry_counts(tmp_path: Path) -> None:
    names = [f"{folder}{number}.jpg" for folder in ("", "a/", "b/c/", "b/") for number in range(20)]
    entries = [(name, f"first {name}") for name in names] + [(f"./{name}", "again") for name in names[::2]]
    random.Random(1).shuffle(names)
    first = {name: f"first {name}" for name in names}
    shuffled = [(name, first[name]) for name in names] + entries[len(names) :]
    path = listed(tmp_path / "list.csv", "file,note", *(f"{name},{note}" for name, note in shuffled))
    source = source_of(path, keep=("note",))
    found = list(source)

    assert found == sorted(names, key=key)
    assert [name.kept for name in found if isinstance(name, ListedName)] == [(first[name],) for name in found]
    assert source.repeated == 40
    assert list(source) == found
    assert list(source.again()) == found


def test_a_root_that_is_given_counts_else_the_lists_own_folder(tmp_path: Path) -> None:
    path = listed(tmp_path / "lists" / "list.txt", "a.jpg", f"{tmp_path}/photos/b.jpg")
    (tmp_path / "photos").mkdir()

    assert (source_of(path).root, list(source_of(path))) == (
        str(tmp_path / "lists"),
        ["a.jpg", f"{tmp_path}/photos/b.jpg"],
    )
    below = source_of(path, tmp_path / "photos")
    assert (below.root, list(below)) == (str(tmp_path / "photos"), ["a.jpg", "b.jpg"])


def test_the_root_of_addresses_is_their_bucket(tmp_path: Path) -> None:
    path = listed(tmp_path / "list.txt", "s3://bucket/a/1.jpg", "b/2.jpg")
    source = source_of(path)

    assert (source.root, list(source)) == ("s3://bucket", ["a/1.jpg", "b/2.jpg"])
    wanted = Wanted(path=str(path), options=(("endpoint", "http://127.0.0.1:1"),))
    assert ListSource(Content(wanted)).root == "s3://bucket?endpoint=http://127.0.0.1:1"


def test_a_list_of_two_worlds_says_in_which_line(tmp_path: Path) -> None:
    path = listed(tmp_path / "list.txt", "a.jpg", "s3://bucket/a.jpg")

    with pytest.raises(LabelerError, match=r"list\.txt, line 2: s3://bucket/a\.jpg is remote"):
        list(source_of(path))


def test_an_input_that_is_no_folder_or_several_are_refused(tmp_path: Path) -> None:
    path = listed(tmp_path / "list.txt", "a.jpg")

    with pytest.raises(LabelerError, match="is no folder"):
        source_of(path, path)
    with pytest.raises(LabelerError, match="relative to one folder"):
        source_of(path, tmp_path, tmp_path)


def test_a_selection_works_as_on_folders(folder: Folder, tmp_path: Path) -> None:
    names = [f"{number % 3}/{number:02}.jpg" for number in range(30)]
    for name in names:
        folder.file(name)
    path = listed(tmp_path / "list.txt", *reversed(names))
    for selection in (
        Selection(include=("1/*",)),
        Selection(exclude=("0/1*", "**/*7.jpg")),
        Selection(limit=5),
        Selection(sample=7, seed=3),
    ):
        source = source_of(path, folder.path, selection=selection)
        walked = pipeline.Source([folder.path], selection=selection)

        assert list(source) == list(walked)
        assert (source.selected, source.found) == (walked.selected, walked.found)


def test_a_list_without_names_is_an_error_of_its_own(tmp_path: Path) -> None:
    path = listed(tmp_path / "list.txt", "# nothing", "")

    with pytest.raises(NoPicturesError, match=r"list\.txt names no file"):
        list(source_of(path))


def test_a_folder_that_never_was_is_no_folder_that_went_away(tmp_path: Path) -> None:
    root = tmp_path / "photos"
    root.mkdir()
    source = source_of(listed(tmp_path / "list.txt", "gone/a.jpg"), root)
    list(source)
    source.store.confirm(["gone/a.jpg"])
    root.rmdir()

    with pytest.raises(InputGoneError):
        source.store.confirm(["gone/a.jpg"])


def test_every_entry_has_its_row_with_its_values(folder: Folder, model: Path, tmp_path: Path) -> None:
    """A row carries the values of its own name, whatever the order, the batches and the workers."""
    names = [f"{number % 4}/{number:02}.jpg" for number in range(40)]
    for number, name in enumerate(names):
        if number % 7 == 3:
            folder.file(name)
        else:
            folder.noise(name, seed=number)
    names += ["nowhere/x.jpg", "list.csv", "0", "é.jpg"]
    random.Random(2).shuffle(names)
    lines = [f'"{name}","of {name}",{number}' for number, name in enumerate(names)]
    path = listed(folder.path / "list.csv", "file,what,number", *lines)
    expected = {name: (f"of {name}", str(number)) for number, name in enumerate(names)}
    for workers, size in ((1, 1), (2, 7)):
        found = table(
            path, tmp_path / f"{workers}.csv", model, keep=("what", "number"), workers=workers, batch_size=size
        )

        assert [row.file for row in found] == sorted(expected, key=key)
        assert {row.file: row.kept for row in found} == expected
    reasons = {row.file: (row.status, row.reason) for row in found}
    assert reasons["nowhere/x.jpg"] == (Status.UNREADABLE, "No such file or directory")
    assert reasons["0"] == (Status.UNREADABLE, "not a regular file")
    assert reasons["list.csv"][0] in {Status.UNREADABLE, Status.UNSUPPORTED}
    without = [row._replace(kept=()) for row in found if row.file.endswith(".jpg") and row.version]
    assert without == list(pipeline.label([folder.path], Settings(model=str(model))))


def test_the_same_command_continues_and_what_left_the_list_is_kept_and_counted(
    folder: Folder, model: Path, tmp_path: Path
) -> None:
    for number in range(6):
        folder.noise(f"{number}.jpg", seed=number)
    out = tmp_path / "t.parquet"
    path = listed(tmp_path / "list.csv", "file,id", *(f"{number}.jpg,{number}" for number in range(4)))
    first = table(path, out, model, folder.path, keep=("id",))
    listed(path, "file,id", *(f"{number}.jpg,new" for number in range(2, 6)))
    (folder.path / "0.jpg").unlink()
    job = pipeline.Job(
        inputs=(folder.path,),
        out=out,
        settings=Settings(model=str(model)),
        listing=Wanted(path=str(path), keep=("id",)),
        workers=1,
    )
    summary = pipeline.classify(job)

    assert (summary.vanished_files, summary.unlisted, summary.repeated) == (("0.jpg",), 1, 0)
    assert list(reader.read(out))[:4] == first
    assert [row.kept for row in reader.read(out)] == [("0",), ("1",), ("2",), ("3",), ("new",), ("new",)]
    again = table(path, out, model, folder.path, keep=("id",), redo=frozenset({Redo.CHANGED}))
    assert [row.kept for row in again] == [("0",), ("1",), ("new",), ("new",), ("new",), ("new",)]
    with pytest.raises(LabelerError, match="--keep was id, is none"):
        table(path, out, model, folder.path)


def test_the_record_says_the_list(folder: Folder, model: Path, tmp_path: Path) -> None:
    folder.noise("1.jpg", seed=1)
    path = listed(tmp_path / "list.txt", "1.jpg")
    out = tmp_path / "t.jsonl"
    table(path, out, model, folder.path)
    record = run_record.read(out)

    assert record is not None
    assert record.inputs[0] == record.root == str(folder.path)
    assert record.inputs[1].startswith(f"{path}#sha256=")
    assert len(record.inputs[1].rpartition("=")[2]) == 64


def test_absolute_names_and_photos_outside_the_root(folder: Folder, model: Path, tmp_path: Path) -> None:
    inside, outside = folder.noise("a.jpg", seed=1), Folder(tmp_path / "other").noise("b.jpg", seed=2)
    path = listed(tmp_path / "list.csv", "file,id", f"{inside},1", "../other/b.jpg,2")
    relative = table(path, tmp_path / "r.csv", model, folder.path, keep=("id",))
    crops = tmp_path / "crops"
    settings = Settings(model=str(model), absolute=True, save_crops=str(crops))
    absolute = table(path, tmp_path / "a.csv", model, folder.path, keep=("id",), settings=settings)

    where = os.path.normpath(outside)
    assert [(row.file, row.kept, row.status) for row in relative] == [("a.jpg", ("1",), "ok"), (where, ("2",), "ok")]
    assert {row.file: row.kept for row in absolute} == {str(inside): ("1",), where: ("2",)}
    kept = [one for one in crops.rglob("*") if one.is_file()]
    assert len(kept) == 2
    assert sorted(tmp_path.iterdir()) == sorted(
        {path, crops, folder.path, tmp_path / "other", *tmp_path.glob("[ar].csv*")}
    )


def test_the_command_takes_a_list_from_stdin(folder: Folder, model: Path, tmp_path: Path) -> None:
    for number in range(3):
        folder.noise(f"{number}.jpg", seed=number)
    out = tmp_path / "t.csv"
    command = ["classify", str(folder.path), "--from-list", "-", "--out", str(out), "--model", str(model), "--json"]
    run = [sys.executable, "-m", "labeler", *command, "--keep", "id", "-q"]
    content = '{"file": "2.jpg", "id": 7}\n{"file": "0.jpg", "id": null}\n{"file": "0.jpg", "id": 9}\n'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(run, input=content, env=environment, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)

    assert (said["files"], said["repeated"], said["unlisted"]) == (2, 1, 0)
    with out.open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(io.StringIO(stream.read())))
    assert [(row["file"], row["id"]) for row in found] == [("0.jpg", ""), ("2.jpg", "7")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--keep", "id"], "--column and --keep go with a list of files: --from-list FILE"),
        ([], "name folders or files of photos, or a list of them with --from-list"),
        (["--from-list", "{list}", "--keep", "label"], "--keep label: the table cannot have this column"),
        (["--from-list", "{list}", "--keep", "no"], "has no column 'no' for --keep; its columns: file, label"),
        (["--from-list", "nowhere.txt"], "the list nowhere.txt cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_with_the_options_is_said_in_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    path = listed(tmp_path / "list.csv", "file,label", "a.jpg,x")
    out = tmp_path / "t.csv"
    given = [one.format(list=path) for one in options]
    answer = CliRunner().invoke(app, ["classify", *given, "--out", str(out), "--json"])

    assert answer.exit_code == 2
    assert said in json.loads(answer.stdout)["error"]["message"]
    assert not out.exists()


def test_a_list_longer_than_memory_is_sorted_on_the_disk(tmp_path: Path) -> None:
    """20,000 names; the process may grow by far less than they take."""
    path = tmp_path / "list.csv"
    order = list(range(20_000))
    random.Random(3).shuffle(order)
    with path.open("w", encoding="utf-8") as file:
        file.write("file,id\n")
        file.writelines(f"{'x' * 200}/{number:06}.jpg,{'y' * 2000}{number}\n" for number in order)
    script = f"""
import resource
from labeler.lists.content import Content
from labeler.lists.entry import Wanted
from labeler.lists.source import ListSource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
names = iter(ListSource(Content(Wanted(path={str(path)!r}, keep=("id",)))))
count = sum(name.kept[0].endswith(str(int(name[-10:-4]))) for name in names)
print(count, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    count, grown_mb = map(int, answer.stdout.split())

    assert count == 20_000
    assert grown_mb < 30  # The names and values alone take 40.
