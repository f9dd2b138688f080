"""Whole photos: any network labels what they show, and --resize says how they become squares."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from any_networks import transformer
from click.testing import Result
from conftest import Folder
from PIL import Image

from labeler.tables import reader, run_record

Run = Callable[..., Result]

MIDDLE, LEFT, RIGHT = (30, 90, 200), (200, 30, 30), (40, 180, 60)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A bundle whose card asks for a centre crop."""
    return transformer(tmp_path / "scenes.onnx", 96, 3, resize="crop", crop_pct=0.875)


@pytest.fixture
def photos(folder: Folder) -> Folder:
    """A wide photo, and a square one: the middle of the wide one."""
    pixels = np.zeros((240, 720, 3), np.uint8)
    pixels[:, :240], pixels[:, 240:480], pixels[:, 480:] = LEFT, MIDDLE, RIGHT
    Image.fromarray(pixels).save(folder.path / "wide.png")
    Image.fromarray(pixels[:, 240:480]).save(folder.path / "middle.png")
    return folder


def labelled(run: Run, photos: Folder, network: Path, out: Path, *options: str) -> dict[str, tuple[float, ...]]:
    done = run("classify", photos.path, "--out", out, "--model", network, "--faces", "whole", "--workers", 1, *options)
    assert done.exit_code == 0, done.output
    return {row.file: row.probabilities for row in reader.read(out)}


def test_the_way_is_that_of_the_card_or_of_the_option(run: Run, photos: Folder, network: Path, tmp_path: Path) -> None:
    ways = {
        way: labelled(run, photos, network, tmp_path / f"t{way}.csv", *(("--resize", way) if way else ()))
        for way in ("", "crop", "fit", "stretch")
    }

    assert ways[""] == ways["crop"]
    assert ways["crop"]["wide.png"] == ways["crop"]["middle.png"] == ways["stretch"]["middle.png"]
    assert len({ways[way]["wide.png"] for way in ("crop", "fit", "stretch")}) == 3
    records = [run_record.read(tmp_path / f"t{way}.csv") for way in ways]
    assert [record and record.settings["resize"] for record in records] == [None, "crop", "fit", "stretch"]


def test_a_table_is_not_continued_with_another_way(run: Run, photos: Folder, network: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    labelled(run, photos, network, out, "--resize", "fit")
    command = ["classify", photos.path, "--out", out, "--model", network, "--faces", "whole", "--workers", 1]
    refused = [run(*command, "--resize", "crop"), run(*command)]

    assert [one.exit_code for one in refused] == [2, 2]
    assert "--resize was fit, is crop" in refused[0].stderr
    assert "--resize was fit, is None" in refused[1].stderr
    assert run(*command, "--resize", "fit").exit_code == 0


def test_a_table_of_before_there_was_a_way_is_continued_without_one(
    run: Run, photos: Folder, network: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    labelled(run, photos, network, out)
    file = run_record.beside(out, run_record.RECORD)
    record = json.loads(file.read_text())
    del record["settings"]["resize"]
    file.write_text(json.dumps(record))
    Image.new("RGB", (50, 50)).save(photos.path / "another.png")

    assert len(labelled(run, photos, network, out)) == 3
    refused = run("classify", photos.path, "--out", out, "--model", network, "--faces", "whole", "--resize", "crop")
    assert refused.exit_code == 2


def test_the_crop_that_is_saved_is_what_the_network_was_shown(
    run: Run, photos: Folder, network: Path, tmp_path: Path
) -> None:
    labelled(run, photos, network, tmp_path / "t.csv", "--save-crops", str(tmp_path / "crops"))
    with Image.open(tmp_path / "crops" / "wide.png.face0.png") as saved:
        pixels = np.asarray(saved)

    assert pixels.shape == (96, 96, 3)
    assert (pixels == MIDDLE).all()


def test_a_whole_photo_is_drawn_and_shown_in_the_report_in_full(
    run: Run, photos: Folder, network: Path, tmp_path: Path
) -> None:
    labelled(run, photos, network, tmp_path / "t.csv", "--resize", "crop")
    drawn = run("annotate", tmp_path / "t.csv", "--out", tmp_path / "drawn")
    report = run("report", tmp_path / "t.csv", "--out", tmp_path / "report.html")

    assert (drawn.exit_code, report.exit_code) == (0, 0), drawn.output + report.output
    (file,) = (tmp_path / "drawn").glob("wide*")
    with Image.open(file) as image:
        assert image.width / image.height == pytest.approx(3, abs=0.1)


def test_whole_photos_are_evaluated_with_the_way_that_is_asked_for(run: Run, folder: Folder, network: Path) -> None:
    pytest.importorskip("matplotlib")
    chance = np.random.default_rng(1)
    for number in range(6):
        place = folder.path / f"class {number % 3}"
        place.mkdir(exist_ok=True)
        pixels = chance.integers(0, 256, (3, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((450, 150), Image.Resampling.NEAREST).save(place / f"{number}.png")
    told = {}
    for way in ("crop", "stretch"):
        done = run(
            *("evaluate", folder.path, "--model", network, "--workers", 1, "--quiet", "--json"),
            *("--faces", "whole", "--resize", way),
        )
        assert done.exit_code == 0, done.output
        told[way] = json.loads(done.stdout)

    assert [told[way]["n"] for way in told] == [6, 6]
    assert told["crop"] != told["stretch"]


def test_plan_takes_whole_photos_as_classify_would(run: Run, photos: Folder, network: Path) -> None:
    planned = run("plan", photos.path, "--model", network, "--faces", "whole", "--resize", "fit", "--json")

    assert planned.exit_code == 0, planned.output
    assert json.loads(planned.stdout)["sample"]["faces"] == 2


def test_sort_labels_a_folder_of_whole_photos_as_classify_would(
    run: Run, photos: Folder, network: Path, tmp_path: Path
) -> None:
    way = ("--faces", "whole", "--resize", "crop")
    expected = labelled(run, photos, network, tmp_path / "t.csv", "--resize", "crop")
    assert expected != labelled(run, photos, network, tmp_path / "other.csv", "--resize", "fit")
    command = ("sort", photos.path, "--into", tmp_path / "sorted", "--model", network, "--workers", 1, *way)
    planned, done = run(*command, "--dry-run", "--json"), run(*command)

    assert (planned.exit_code, done.exit_code) == (0, 0), planned.output + done.output
    rows = list(reader.read(tmp_path / "sorted" / "labels.csv"))
    assert {row.file: row.probabilities for row in rows} == expected
    placed = [Path(json.loads(line)["target"]) for line in planned.stdout.splitlines()]
    assert sorted(placed) == sorted(tmp_path / "sorted" / row.label / row.file for row in rows)
    assert all(place.is_file() for place in placed)
