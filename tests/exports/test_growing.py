"""Exports whose pictures are placed one by one, with files beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from box_items import export, face, failing, files, hostile, photo, plan_of, two_photos
from conftest import small_tmpfs
from kills import killed

from labeler.errors import OutputError
from labeler.exports.formats import FORMATS
from labeler.exports.growing import Growing

GROWING = [form for form in FORMATS.values() if issubclass(form, Growing)]


@pytest.fixture(params=GROWING, ids=lambda form: form.__name__)
def form(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_same_items_give_the_same_bytes(form: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in ("one", "two"):
        export(form, plan_of(out), hostile())
        out.rename(tmp_path / name)

    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_an_export_that_fails_leaves_only_files_of_single_pictures(form: Any, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        export(form, plan_of(tmp_path), failing())

    assert {name.partition("/")[0] for name in files(tmp_path)} <= {"labels", "Annotations"}


def test_a_full_disk_is_said_and_leaves_no_half_file(form: Any, tmp_path: Path) -> None:
    many = (photo(at, face("happy", 1.0, 2.0, 3.0, 4.0)) for at in range(1_000_000))
    for disk in small_tmpfs(tmp_path / "disk", "1m"):
        with pytest.raises(OutputError, match="No space left"):
            export(form, plan_of(disk / "out"), many)
        found = files(disk)
        assert {name.split("/")[1] for name in found} <= {"labels", "Annotations"}
        assert all(content.endswith(b"\n") for content in found.values())


def test_a_run_that_was_killed_goes_on_and_ends_the_same(form: Any, tmp_path: Path) -> None:
    out, plan = tmp_path / "out", plan_of(tmp_path / "out")
    export(form, plan, two_photos())
    whole = files(out)
    out.rename(tmp_path / "whole")
    step = 0
    while killed(step, lambda: export(form, plan, two_photos())):
        left = {name: content for name, content in files(out).items() if ".part" not in name} if out.exists() else {}
        assert left.items() <= whole.items()
        step += 1
    export(form, plan, two_photos())

    assert step > 5
    assert files(out) == whole
