"""Formats that pack pictures: their files are complete or absent, and a run goes on after the last complete one."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from disks import full_disk
from export_items import broken, crop, export, files, plan_of, unread
from kills import forked, killed

from labeler.errors import LabelerError, OutputError
from labeler.exports.item import Item
from labeler.exports.parquet import Parquet
from labeler.exports.shards import Shards
from labeler.exports.webdataset import WebDataset

ITEMS = [crop(number, subset=("train", "val")[number % 2]) for number in range(14)]
LEFT_OUT = [2, 5]
BROKEN = [broken(item) if item.number in LEFT_OUT else item for item in ITEMS]


@pytest.fixture(params=[WebDataset, Parquet])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Shards]:
    """Return a format whose files hold three items."""
    monkeypatch.setattr(request.param, "most_items", 3)
    found: type[Shards] = request.param
    return found


def held(form: type[Shards], out: Path) -> list[str]:
    """Return the keys in all complete files of an export."""
    opened = form(plan_of(out))
    return [
        key for path in sorted(out.rglob("*")) if path.is_file() and path.name[0] != "." for key in opened.keys(path)
    ]


def numbers(items: list[Item]) -> list[int]:
    return [item.number for item in items]


def fatal(item: Item) -> Item:
    """Return an item at which the process is killed."""
    return replace(item, content=lambda: os.kill(os.getpid(), signal.SIGKILL) or b"")


@pytest.mark.parametrize("at", [0, 1, 6, 7, 9, 12])
def test_a_killed_run_continues_after_its_last_complete_file(form: type[Shards], tmp_path: Path, at: int) -> None:
    plan, whole = plan_of(tmp_path / "out"), plan_of(tmp_path / "whole")
    assert numbers(export(form, whole, BROKEN)) == LEFT_OUT

    assert forked(lambda: export(form, plan, [*BROKEN[:at], fatal(ITEMS[at])])) == -signal.SIGKILL
    kept = held(form, plan.out)
    opened = form(plan)
    again = [unread(item) if opened.key(item) in kept else item for item in BROKEN]

    assert len(kept) == {0: 0, 1: 0, 6: 0, 7: 0, 9: 3, 12: 6}[at]
    assert numbers(export(form, plan, again)) == LEFT_OUT
    assert files(plan.out) == files(whole.out)


def test_a_run_may_be_killed_before_any_change(form: type[Shards], tmp_path: Path) -> None:
    whole = plan_of(tmp_path / "whole")
    export(form, whole, ITEMS)

    for step in count():
        plan = plan_of(tmp_path / str(step))
        if not killed(step, lambda plan=plan: export(form, plan, ITEMS)):  # type: ignore[misc]
            break
        assert {n: c for n, c in files(plan.out).items() if ".part" not in n}.items() <= files(whole.out).items()
        export(form, plan, ITEMS)
        assert files(plan.out) == files(whole.out)
    assert step > 5


def test_files_of_a_complete_export_are_kept(form: type[Shards], tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out")
    export(form, plan, ITEMS)
    before = {path: path.stat().st_ino for path in plan.out.rglob("*")}
    export(form, plan, [unread(item) for item in ITEMS])

    assert {path: path.stat().st_ino for path in plan.out.rglob("*")} == before


def test_an_item_that_could_not_be_read_stays_left_out_of_a_complete_file(form: type[Shards], tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out")
    export(form, plan, BROKEN)
    before = files(plan.out)

    assert numbers(export(form, plan, ITEMS)) == LEFT_OUT
    assert files(plan.out) == before


def test_files_of_another_export_are_refused(form: type[Shards], tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out")
    export(form, plan, [crop(number) for number in range(7)])

    with pytest.raises(LabelerError, match=r"train-0+1\.(tar|parquet) holds pictures that are not in this export"):
        export(form, plan, [crop(number) for number in range(5)])


def test_a_damaged_file_is_refused(form: type[Shards], tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "out")
    path = form(plan).place("train", 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else" * 100)

    with pytest.raises(OutputError, match="cannot be read"):
        export(form, plan, ITEMS)


def test_a_full_disk_stops_the_export_and_leaves_no_part(form: type[Shards], tmp_path: Path) -> None:
    form.most_items = 1000
    with full_disk(3000), pytest.raises(OutputError, match="Make room"):
        export(form, plan_of(tmp_path / "out"), [crop(number) for number in range(100)])

    assert files(tmp_path / "out") == {}


def test_a_folder_that_cannot_be_written_stops_the_export(form: type[Shards], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")

    with pytest.raises(OutputError, match="cannot write"):
        export(form, plan_of(tmp_path / "out"), ITEMS)
