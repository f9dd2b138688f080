"""The order of an audit: first what it doubts, then the rest, most likely wrong first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import odd_rows
import pyarrow
import pytest
from conftest import Folder
from review_server import NAMES, serving, write_table

from labeler.errors import LabelerError
from labeler.records import Face, Row
from labeler.review import audited
from labeler.tables import arrow, index
from labeler.tables.cells import escape
from training.audit.table import SCHEMA

HOSTILE = ("=1+1.jpg", "'quoted.jpg", "007", "NA", "a\nb.jpg", "b/ü.jpg")


def write_audit(path: Path, *files: str) -> Path:
    """Write the table of an audit that doubts some photos."""
    about = {"label": "happy", "suggested": "sad", "confidence": 0.1, "suggested_probability": 0.8, "issue": "label"}
    rows = [{**about, "file": escape(file), "group": None, "other": ""} for file in files]
    arrow.write(path, pyarrow.Table.from_pylist(rows, SCHEMA))
    return path


def faces(*files: str) -> list[Row]:
    """Return the rows of photos with two faces each, the later ones less sure."""
    found = []
    for place, file in enumerate(sorted(files)):
        for face in (0, 1):
            row = Row(file, image_width=99, image_height=99, version="1-1").located(face, Face(1, 1, 40, 40))
            found.append(row.labelled((0.2, 0.7 - 0.05 * place - 0.01 * face, 0.1), NAMES, 0))
    return found


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_both_faces_of_a_doubted_photo_come_first_whatever_its_name_is(tmp_path: Path, suffix: str) -> None:
    rows = faces(*HOSTILE, "other.jpg", "last.jpg")
    table = tmp_path / f"t{suffix}"
    odd_rows.write_finished(table, odd_rows.record_of(NAMES), rows)
    audit = write_audit(tmp_path / f"audit{suffix}", *reversed(HOSTILE), "elsewhere.jpg", HOSTILE[0])

    found = index.load(table)
    order = audited.order(audited.files(audit), found).tolist()
    named = [(found.row(row).file, found.row(row).face) for row in order]
    assert named[: 2 * len(HOSTILE)] == [(file, face) for file in reversed(HOSTILE) for face in (0, 1)]
    assert named[2 * len(HOSTILE) :] == [("other.jpg", 1), ("other.jpg", 0), ("last.jpg", 1), ("last.jpg", 0)]


def test_an_audit_of_other_photos_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    odd_rows.write_finished(table, odd_rows.record_of(NAMES), faces("a.jpg"))

    with pytest.raises(LabelerError, match=r"none of the 1 photos of the audit, such as b\.jpg"):
        audited.order(audited.files(write_audit(tmp_path / "audit.csv", "b.jpg")), index.load(table))
    with pytest.raises(LabelerError, match="no table of `labeler audit`"):
        audited.files(table)


def test_an_audit_without_a_doubt_changes_nothing(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    odd_rows.write_finished(table, odd_rows.record_of(NAMES), faces("a.jpg", "b.jpg"))

    assert audited.order(audited.files(write_audit(tmp_path / "audit.csv")), index.load(table)).tolist() == [3, 2, 1, 0]


def test_the_server_offers_the_order_of_an_audit(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows = write_table(Folder(tmp_path / "photos"), table)
    audit = write_audit(tmp_path / "audit.csv", rows[4].file, rows[1].file)
    with serving(table, "--audit", str(audit)) as server:
        assert server.get("/api/table")["audit"] is True
        view = server.post("/api/view", {"order": "audit"})["view"]
        assert [item["row"] for item in server.get(f"/api/view/{view}?start=0&count=2")["items"]] == [4, 1]
    with serving(table) as server:
        assert server.get("/api/table")["audit"] is False
        assert server.request("POST", "/api/view", {"order": "audit"}).status == 409


def test_a_missing_audit_ends_the_command_before_the_page_opens(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    write_table(Folder(tmp_path / "photos"), table)
    command = [sys.executable, "-m", "labeler", "review", str(table), "--audit", str(tmp_path / "none.csv")]
    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert told.returncode == 2
    assert "none.csv does not exist" in told.stderr
    assert not told.stdout
