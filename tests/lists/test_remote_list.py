"""Lists of the addresses of a bucket: names relative to it, reached as the options say, each with its values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from buckets import Bucket
from conftest import Folder
from typer.testing import Result

from labeler.tables import reader

pytest.importorskip("obstore")
Run = Callable[..., Result]


def test_addresses_and_names_of_one_bucket(
    run: Run, bucket: Bucket, folder: Folder, model: Path, tmp_path: Path
) -> None:
    for number in range(3):
        bucket.put(f"photos/{number} a.png", folder.noise(f"{number}.png", seed=number).read_bytes())
    place, _, options = bucket.address().partition("?")
    names = [f"{place}/photos/2 a.png", "photos/0 a.png", f"{place}/photos/gone.png"]
    path = tmp_path / "list.jsonl"
    path.write_text("".join(json.dumps({"url": name, "id": at}) + "\n" for at, name in enumerate(names)), "utf-8")
    endpoint = dict(one.split("=", 1) for one in options.split("&"))["endpoint"]
    out = tmp_path / "t.csv"
    command = ("classify", "--from-list", path, "--keep", "id", "--out", out, "--model", model, "--workers", "1")
    answer = run(*command, "--endpoint", endpoint, "-q")

    assert answer.exit_code == 1, answer.output
    assert [(row.file, row.kept, str(row.status)) for row in reader.read(out)] == [
        ("photos/0 a.png", ("1",), "ok"),
        ("photos/2 a.png", ("0",), "ok"),
        ("photos/gone.png", ("2",), "unreadable"),
    ]
