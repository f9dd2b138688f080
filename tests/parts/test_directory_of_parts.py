"""A directory of parts: planned once, each part complete or absent, its rows those of a single table."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from conftest import Folder
from kills import killed_before

from labeler import pipeline
from labeler.errors import Interrupted, LabelerError, NoPicturesError, OutputError
from labeler.parts import classify as parts
from labeler.parts import merge
from labeler.parts.directory import Directory
from labeler.parts.order import Order, Share
from labeler.records import Row, Settings, Status
from labeler.selection import Selection
from labeler.tables import dataframe, index, reader, run_record


@pytest.fixture
def mixed(folder: Folder) -> Folder:
    """Thirty pictures, some of them broken, in several folders."""
    for number in range(30):
        name = f"{number % 3}/{number:02}.jpg"
        if number % 7 == 3:
            folder.file(name, b"" if number % 2 else b"words")
        else:
            folder.noise(name, seed=number)
    return folder


@pytest.fixture
def expected(mixed: Folder, model: Path) -> list[Row]:
    return list(pipeline.label([mixed.path], Settings(model=str(model))))


def order(folder: Folder, out: Path, model: Path, **options: object) -> Order:
    options = {"unit_files": 7, "workers": 1, **options}
    return Order(inputs=(folder.path,), out=f"{out}/", settings=Settings(model=str(model)), **options)  # type: ignore[arg-type]


def command(folder: Folder, out: Path, model: Path, *options: str) -> list[str]:
    asked = [
        "classify",
        str(folder.path),
        "--out",
        f"{out}/",
        "--model",
        str(model),
        "--unit-size",
        "3",
        "--workers",
        "1",
    ]
    return [sys.executable, "-m", "labeler", *asked, "--quiet", *options]


def rows_of(table: Path) -> list[Row]:
    """Return the rows of a table by its index, as the review reads them."""
    found = index.load(table)
    return [found.row(number) for number in range(len(found))]


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "parts").iterdir())}


@pytest.mark.parametrize("unit_files", [1, 7, 30, 1000])
@pytest.mark.parametrize("workers", [1, 2])
def test_its_rows_are_those_of_a_single_table(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path, unit_files: int, workers: int
) -> None:
    out = tmp_path / "labels"
    summary = parts.classify(order(mixed, out, model, unit_files=unit_files, workers=workers))

    assert list(reader.read(out)) == expected
    assert summary.tally.counts() == reader.record(out).counts
    assert summary.tally.files == 30
    assert len(content(out)) == -(-30 // unit_files)


def test_it_is_read_like_any_table(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out, csv = tmp_path / "labels", tmp_path / "labels.csv"
    parts.classify(order(mixed, out, model))
    pipeline.classify(pipeline.Job(inputs=(mixed.path,), out=csv, settings=Settings(model=str(model))))

    assert reader.columns(out) == reader.columns(csv)
    assert dataframe.read(out).equals(dataframe.read(csv))
    assert rows_of(out) == rows_of(csv)
    assert reader.root(out) == str(mixed.path)


def test_the_same_command_makes_only_what_is_missing(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels"
    parts.classify(order(mixed, out, model))
    before = content(out)
    (out / "parts" / "00000002.parquet").unlink()
    (out / "_SUCCESS").unlink()
    stood = {path: path.stat().st_mtime_ns for path in (out / "parts").iterdir()}
    summary = parts.classify(order(mixed, out, model))

    assert content(out) == before
    assert {path: path.stat().st_mtime_ns for path in stood} == stood
    assert list(reader.read(out)) == expected
    assert (summary.tally.files, summary.tally.resumed) == (30, 23)


def test_a_run_that_is_complete_labels_nothing_and_lists_no_photo(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    parts.classify(order(mixed, out, model))
    mixed.noise("new.jpg", seed=99)
    again = parts.classify(order(mixed, out, model))
    success = json.loads((out / "_SUCCESS").read_bytes())
    del success["plan"]  # As it was written by an earlier version: the parts say what is in them.
    (out / "_SUCCESS").write_text(json.dumps(success))
    once_more = parts.classify(order(mixed, out, model))

    assert again.complete_before
    assert (again.tally.files, again.tally.resumed) == (30, 30)
    assert again.tally.counts() == once_more.tally.counts() == success["record"]["counts"]
    assert again.tally.labels == once_more.tally.labels
    assert again.tally.labels.total() == again.tally.faces > 0


@pytest.mark.parametrize("step", range(0, 120, 6))
def test_a_run_that_is_killed_at_any_change_is_completed_by_the_same_command(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path, step: int
) -> None:
    out = tmp_path / "labels"
    here = order(mixed, out, model, executor=pipeline.InProcess())
    ended = killed_before(step, lambda: parts.classify(here))
    for path in (out / "parts").glob("*.parquet") if (out / "parts").exists() else ():
        assert list(reader.read(path))  # Complete or absent.
    parts.classify(here)

    assert ended in (0, -signal.SIGKILL)
    assert list(reader.read(out)) == expected
    assert not [
        name for name in os.listdir(out / "parts") if not name.endswith(".parquet") and not name.startswith(".")
    ]


def test_shares_run_as_processes_give_the_same_rows_whoever_is_killed_or_comes_twice(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "labels"
    shares = ["0/3", "1/3", "2/3", "1/3"]
    running = [subprocess.Popen(command(mixed, out, model, "--shard", share)) for share in shares]
    time.sleep(random.Random(5).uniform(0.5, 1.5))
    running[2].kill()
    ended = [process.wait(timeout=120) for process in running]
    again = subprocess.run(command(mixed, out, model, "--shard", "2/3"), timeout=120)

    assert {ended[0], ended[1], ended[3], again.returncode} <= {0, 1}  # 1: files failed; nothing else did.
    assert list(reader.read(out)) == expected


def test_two_planners_agree_although_the_photos_change_between_them(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    barrier = threading.Barrier(2)

    class Late(Directory):
        def make_plan(self, *arguments: object) -> object:  # type: ignore[override]
            barrier.wait()
            return super().make_plan(*arguments)  # type: ignore[arg-type]

    found = []

    def plan() -> None:
        directory = Late(str(out))
        source = pipeline.Source([mixed.path])
        record = pipeline.record_of(source, *completed(model, source))
        name = threading.current_thread().name
        found.append(directory.make_plan(name, source, record, 4, lambda unit, _: mixed.noise(f"more{unit}.jpg", unit)))

    planners = [threading.Thread(target=plan) for _ in range(2)]
    for planner in planners:
        planner.start()
    for planner in planners:
        planner.join()

    assert found[0] == found[1] == Directory(str(out)).plan()
    names = [name for unit in range(found[0].units) for name in Directory(str(out)).names(found[0].plan, unit)]
    assert len(names) == len(set(names)) == found[0].files


def test_a_plan_that_another_planner_overrules_is_given_up(
    mixed: Folder, expected: list[Row], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labels"
    make_plan = Directory.make_plan

    def late(self: Directory, *arguments: object) -> object:
        monkeypatch.setattr(Directory, "make_plan", make_plan)
        parts.classify(order(mixed, out, model, plan_only=True, unit_files=4))
        return make_plan(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Directory, "make_plan", late)
    summary = parts.classify(order(mixed, out, model, unit_files=6))

    assert list(reader.read(out)) == expected
    assert (summary.units, summary.tally.files, summary.tally.resumed) == ((8, 8), 30, 0)


def test_an_interrupt_does_not_wait_for_the_plan(
    mixed: Folder, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_plan, ended, waited = Directory.make_plan, threading.Event(), []

    def hanging(self: Directory, *arguments: Any) -> object:
        def told(unit: int, files: int) -> None:
            arguments[-1](unit, files)
            if unit == 3:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                waited.append(ended.wait(30))

        return make_plan(self, *arguments[:-1], told)

    monkeypatch.setattr(Directory, "make_plan", hanging)
    with pytest.raises(Interrupted, match="stopped after"):
        parts.classify(order(mixed, tmp_path / "labels", model, unit_files=2))
    assert not waited
    ended.set()


def test_a_plan_that_cannot_be_made_ends_the_run(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    out.mkdir()
    (out / "_manifest").touch()

    with pytest.raises(OutputError, match="cannot write"):
        parts.classify(order(mixed, out, model))


def completed(model: Path, source: pipeline.Source) -> tuple[Settings, object]:
    settings, _ = pipeline.complete(Settings(model=str(model)), source, pipeline.Device.AUTO)
    return settings, pipeline.bundle.card(Path(settings.model))


def test_a_plan_alone_labels_nothing(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    summary = parts.classify(order(mixed, out, model, plan_only=True))

    assert summary.units == (0, 5)
    assert list((out / "parts").iterdir()) == []
    with pytest.raises(LabelerError, match="unfinished"):
        list(reader.read(out))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"settings": Settings(threshold=0.5)}, "the model was"),
        ({"selection": Selection(limit=3)}, "the selection was"),
        ({"inputs": ("examples",)}, "root"),
    ],
)
def test_a_plan_stands_for_good(
    mixed: Folder, model: Path, tmp_path: Path, options: dict[str, object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").mkdir()
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "labels"
    parts.classify(order(mixed, out, model, plan_only=True))
    asked = {**{one: getattr(order(mixed, out, model), one) for one in ("inputs", "settings", "selection")}, **options}

    with pytest.raises(LabelerError, match=said):
        parts.classify(Order(out=str(out), **asked))


def test_a_part_of_another_plan_is_refused(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "labels", tmp_path / "other"
    for one in (out, other):
        parts.classify(order(mixed, one, model, share=Share(0, 2)))
    (out / "parts" / "00000001.parquet").write_bytes((other / "parts" / "00000002.parquet").read_bytes())

    with pytest.raises(OutputError, match=r"00000001.parquet is damaged, or not the part that was planned .*unit 2"):
        parts.classify(order(mixed, out, model))


def test_a_file_that_goes_after_it_was_planned_is_a_row(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    parts.classify(order(mixed, out, model, plan_only=True))
    (mixed.path / "1" / "04.jpg").unlink()
    parts.classify(order(mixed, out, model))
    rows = list(reader.read(out))

    assert len(rows) == 30
    assert next(row for row in rows if row.file == "1/04.jpg").status is Status.UNREADABLE


def test_a_folder_with_other_files_is_no_directory_for_parts(mixed: Folder, model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    (tmp_path / "file").touch()

    with pytest.raises(LabelerError, match=r"thesis\.tex"):
        parts.classify(order(mixed, tmp_path / "mine", model))
    with pytest.raises(LabelerError, match="is a file"):
        parts.classify(order(mixed, tmp_path / "file", model))
    assert os.listdir(tmp_path / "mine") == ["thesis.tex"]


def test_without_photos_nothing_is_planned(folder: Folder, model: Path, tmp_path: Path) -> None:
    with pytest.raises(NoPicturesError):
        parts.classify(order(folder, tmp_path / "labels", model))


def test_what_is_merged_is_the_table_to_the_byte(
    mixed: Folder, model: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    out, csv = tmp_path / "labels", tmp_path / "labels.csv"
    parts.classify(order(mixed, out, model))
    pipeline.classify(pipeline.Job(inputs=(mixed.path,), out=csv, settings=Settings(model=str(model))))
    result = run("merge", out, "--out", tmp_path / "merged.csv", "--json")

    assert result.exit_code == 0
    assert (tmp_path / "merged.csv").read_bytes() == csv.read_bytes()
    assert json.loads(result.stdout)["units"] == 5
    assert run_record.read(tmp_path / "merged.csv") == reader.record(out)


def test_a_merge_says_what_is_missing(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels"
    parts.classify(order(mixed, out, model, share=Share(0, 2)))

    with pytest.raises(LabelerError, match=r"2 of 5 units are missing \(1, 3\)"):
        merge.merge(str(out), tmp_path / "m.csv")
    found = merge.merge(str(out), tmp_path / "m.csv", partial=True)
    assert found.missing == (1, 3)
    assert found.tally.files == 7 + 7 + 2
    with pytest.raises(LabelerError, match="exists"):
        merge.merge(str(out), tmp_path / "m.csv", partial=True)


@pytest.mark.parametrize(
    ("text", "environment", "share"),
    [
        ("3/16", {}, Share(3, 16)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "5"}, Share(2, 4)),
        (
            "auto",
            {
                "SLURM_ARRAY_TASK_ID": "9",
                "SLURM_ARRAY_TASK_COUNT": "5",
                "SLURM_ARRAY_TASK_MIN": "1",
                "SLURM_ARRAY_TASK_STEP": "2",
            },
            Share(4, 5),
        ),
        ("auto/16", {"JOB_COMPLETION_INDEX": "0"}, Share(0, 16)),
        ("auto/16", {"AWS_BATCH_JOB_ARRAY_INDEX": "15"}, Share(15, 16)),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "2"}, Share(1, 2)),
    ],
)
def test_a_share_is_given_or_asked_of_the_scheduler(text: str, environment: dict[str, str], share: Share) -> None:
    assert Share.of(text, environment) == share


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("16/16", {}),
        ("3", {}),
        ("a/b", {}),
        ("auto", {}),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}),
        ("-1/4", {}),
        ("0/0", {}),
    ],
)
def test_a_share_that_means_nothing_is_refused(text: str, environment: dict[str, str]) -> None:
    with pytest.raises(LabelerError, match="--shard"):
        Share.of(text, environment)


def test_options_that_change_a_table_are_refused(
    mixed: Folder, model: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    for option in ("--overwrite", "--retry-failed", "--refresh"):
        result = run("classify", mixed.path, "--out", f"{tmp_path}/labels/", "--model", model, option)
        assert result.exit_code == 2
        assert "never changed" in result.stderr
    result = run("classify", mixed.path, "--out", tmp_path / "labels.csv", "--model", model, "--shard", "0/2")
    assert result.exit_code == 2
    assert "go with a directory" in result.stderr


@pytest.mark.parametrize("unit_files", [1, 4, 100])
def test_a_shard_is_a_unit_in_the_place_of_its_members(
    folder: Folder, model: Path, tmp_path: Path, unit_files: int
) -> None:
    for number in range(12):
        folder.noise(f"{number:02}.jpg", seed=number)
    for shard, inside in (("a.tar", "a"), ("b/c.tar", "z/y"), ("empty.tar", "")):
        (folder.path / shard).parent.mkdir(exist_ok=True)
        with tarfile.open(folder.path / shard, "w") as tar:
            for number in range(5 if inside else 0):
                tar.add(folder.path / f"{number:02}.jpg", f"{inside}/{number}.jpg")
    folder.noise("a/x.jpg", seed=40)
    folder.noise("b/x.jpg", seed=41)
    folder.noise("c/x.jpg", seed=42)
    expected = list(pipeline.label([folder.path], Settings(model=str(model))))
    out = tmp_path / "labels"
    parts.classify(order(folder, out, model, unit_files=unit_files))
    named = Order.of(order(folder, out, model), out=str(tmp_path / "named"), inputs=(folder.path / "a.tar",))
    parts.classify(named)

    assert list(reader.read(out)) == expected
    assert len(expected) == 25
    assert [row.file for row in reader.read(tmp_path / "named")] == [f"a.tar/a/{number}.jpg" for number in range(5)]


def test_columns_of_a_list_are_kept(mixed: Folder, model: Path, tmp_path: Path, run: Callable[..., Result]) -> None:
    names = sorted(path.relative_to(mixed.path).as_posix() for path in mixed.path.rglob("*.jpg"))
    (tmp_path / "list.csv").write_text("file,id\n" + "".join(f"{name},{number}\n" for number, name in enumerate(names)))
    asked = ["classify", mixed.path, "--from-list", tmp_path / "list.csv", "--keep", "id", "--model", model]
    for out in (f"{tmp_path}/labels/", tmp_path / "labels.csv"):
        assert run(*asked, "--out", out).exit_code == 1
    assert run("merge", f"{tmp_path}/labels/", "--out", tmp_path / "merged.csv").exit_code == 0

    assert [row.kept for row in reader.read(tmp_path / "labels")] == [(str(number),) for number in range(30)]
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "labels.csv").read_bytes()


def test_the_directory_is_the_same_whoever_made_which_part(mixed: Folder, model: Path, tmp_path: Path) -> None:
    one = tmp_path / "one"
    parts.classify(order(mixed, one, model, plan_only=True))
    for index_ in (2, 0, 1):
        parts.classify(order(mixed, one, model, share=Share(index_, 3)))

    assert (one / "_SUCCESS").exists()
    assert len(content(one)) == 5
