"""The order alike is prepared beside a running server: it survives kills, damage and photos that go away."""

from __future__ import annotations

import csv
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from itertools import count, pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SHARED, Folder, make_bundle, small_tmpfs
from kills import forked, gone, killed_before
from PIL import Image
from typer.testing import Result

from labeler.errors import LabelerError
from labeler.inference import bundle
from labeler.review import coding, prepare, records, review, tile_cache
from labeler.review.alike import Alike
from labeler.review.codes import DIMENSIONS
from labeler.review.ranks import Ranks
from labeler.review.task import Task
from labeler.review.tile_cache import TileCache
from labeler.tables import forget, reader

GROUPS, EACH = 8, 15
Run = Callable[..., Result]


@pytest.fixture
def task(folder: Folder, model: Path, tmp_path: Path, run: Run) -> Task:
    """A table of groups of photos alike, in random order, one photo without a face, and a file that is none."""
    order = random.Random(0).sample(range(GROUPS * EACH), GROUPS * EACH)
    for place, number in enumerate(order):
        group = number % GROUPS
        pixels = np.random.default_rng(group).integers(20, 236, (6, 6, 3)).repeat(8, 0).repeat(8, 1)
        noise = np.random.default_rng(1000 + number).integers(-9, 10, pixels.shape)
        path = folder.path / f"{place:04}-{group}.png"
        Image.fromarray((pixels + noise).astype(np.uint8)).save(path)
    folder.picture("0050-empty.png", side=200)
    folder.file("0051-none.jpg")
    table = tmp_path / "t.csv"
    assert run("classify", folder.path, "--out", table, "--model", model, "-q", "--workers", "1").exit_code in (0, 1)
    return task_of(table, model, folder.path)


def task_of(table: Path, model: Path, root: Path, **others: int) -> Task:
    cache = table.with_name(f"{table.name}.cache")
    own = {"table": str(table), "model": str(model), "root": str(root), "folder": str(cache)}
    return Task(**own, max_pixels=10**8, **others)  # type: ignore[arg-type]


def finished(alike: Alike) -> Alike:
    while alike.state == "running":
        time.sleep(0.01)
    return alike


def ranks_of(task: Task) -> Ranks:
    """Prepare the order, or go on with it, and return the ranks."""
    with closing(finished(Alike.begin(task))) as alike:
        assert (alike.state, alike.problem, alike.done) == ("ready", "", 1.0)
        assert alike.ranks is not None
        return alike.ranks


def codes_file(task: Task) -> Path:
    return Path(task.folder) / f"alike-{bundle.sha256(Path(task.model))[:16]}.codes"


def kept(task: Task) -> records.Kept:
    found = records.read(codes_file(task), coding._MAGIC, DIMENSIONS)
    assert found
    return found


def names(task: Task) -> list[str]:
    return [row.file for row in reader.read(Path(task.table))]


def groups_in_order(task: Task, ranks: Ranks) -> list[str]:
    files = names(task)
    return [files[number].partition("-")[2] for number in np.argsort(ranks)]


def test_faces_alike_stand_side_by_side(task: Task) -> None:
    ranks = ranks_of(task)
    found = groups_in_order(task, ranks)
    pieces = 1 + sum(one != other for one, other in pairwise(found))

    assert sorted(ranks.tolist()) == list(range(GROUPS * EACH + 2))
    assert found[-2:] == ["empty.png", "none.jpg"]
    assert pieces <= 2 * GROUPS + 2  # At random 105.


def test_a_prepared_order_is_there_at_once(task: Task) -> None:
    ranks = ranks_of(task)
    with closing(Alike.begin(task)) as again:
        assert again.state == "ready"
        assert np.array_equal(again.ranks, ranks)  # type: ignore[arg-type]


def test_order_and_ranks_say_the_same(task: Task) -> None:
    ranks = ranks_of(task)
    with closing(Alike.begin(task)) as alike:
        assert alike.order is not None
        assert alike.order.tolist() == np.argsort(ranks).tolist()


def test_whatever_is_kept_for_a_review_is_found_by_forget(task: Task, tmp_path: Path) -> None:
    task = replace(task, folder=str(tmp_path / "elsewhere"))
    ranks_of(task)
    TileCache(Path(task.folder) / tile_cache.NAME).close()
    records.set_aside(codes_file(task))
    task.ranks_file().with_name(".alike.part.ranks").touch()
    found = forget.forget([names(task)[0]], Path(task.table), cache=task.folder)

    assert len(found.kept) >= 4
    assert list(Path(task.folder).iterdir()) == []


def test_one_thread_and_several_give_the_same(task: Task, tmp_path: Path) -> None:
    found = [ranks_of(replace(task, threads=n, folder=str(tmp_path / str(n)), sample=30)) for n in (1, 2, 3)]

    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_a_killed_process_is_gone_on_with(task: Task, tmp_path: Path) -> None:
    task = replace(task, sample=10)
    expected = ranks_of(replace(task, folder=str(tmp_path / "whole")))
    file = codes_file(task)
    with closing(Alike.begin(task)) as alike:
        while alike.state == "running" and not file.exists():
            time.sleep(0.0005)
        with suppress(ProcessLookupError):
            os.kill(alike._process.pid, signal.SIGKILL)  # type: ignore[union-attr]
        assert finished(alike).problem == "the process that prepares it has ended: -9"
    sizes = [len(kept(task).keys), len(kept(replace(task, folder=str(tmp_path / "whole"))).keys)]

    assert sizes[0] < sizes[1] == GROUPS * EACH
    assert np.array_equal(ranks_of(task), expected)


@pytest.mark.slow
def test_a_kill_before_any_change_to_a_file_leaves_nothing_wrong(task: Task, tmp_path: Path) -> None:
    task = replace(task, sample=10)
    whole = replace(task, folder=str(tmp_path / "whole"))
    assert forked(partial(prepare.prepare, whole, print)) == 0
    for step in count():
        one = replace(task, folder=str(tmp_path / f"killed-{step}"))
        status = killed_before(step, partial(prepare.prepare, one, print))
        assert forked(partial(prepare.prepare, one, print)) == 0
        for file in (codes_file, Task.ranks_file):
            assert file(one).read_bytes() == file(whole).read_bytes()
        if status == 0:
            break

    assert step > 10


def test_what_is_kept_is_not_read_again(task: Task, folder: Folder) -> None:
    expected = ranks_of(task)
    (Path(task.folder) / "alike.ranks").unlink()
    for photo in folder.path.iterdir():
        photo.unlink()

    assert np.array_equal(ranks_of(task), expected)


def test_an_order_that_is_closed_stops(task: Task) -> None:
    alike = Alike.begin(task)
    process = alike._process
    alike.close()
    alike.close()

    assert process
    assert process.poll() == -signal.SIGKILL
    assert (alike.state, alike.problem) == ("none", "")


@pytest.mark.parametrize("kind", ["flipped", "cut", "foreign", "empty", "zeros", "older"])
def test_damage_is_made_again(task: Task, kind: str) -> None:
    expected = ranks_of(task)
    file = codes_file(task)
    content = file.read_bytes()
    spoilt = {
        "flipped": content[:-500] + bytes(byte ^ 1 for byte in content[-500:]),
        "cut": content[:-100],
        "foreign": b"something else",
        "empty": b"",
        "zeros": bytes(len(content)),
        "older": content.replace(b"labeler alike 1\n", b"labeler alike 0\n"),
    }[kind]
    file.write_bytes(spoilt)
    (Path(task.folder) / "alike.ranks").unlink()

    assert np.array_equal(ranks_of(task), expected)
    assert sorted(file.read_bytes()) == sorted(content)  # The records may stand in another order.
    aside = file.with_name(f"{file.name}.aside")
    assert aside.exists() == (kind in ("foreign", "empty", "zeros", "older"))
    assert not aside.exists() or aside.read_bytes() == spoilt


def test_damaged_ranks_are_made_again(task: Task) -> None:
    expected = ranks_of(task)
    file = Path(task.folder) / "alike.ranks"
    content = file.read_bytes()
    for place in random.Random(0).sample(range(len(content)), 10):
        file.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with closing(Alike.begin(task)) as alike:
            assert alike.state == "running"

    assert np.array_equal(ranks_of(task), expected)


def test_a_photo_that_went_away_comes_last_until_it_is_back(task: Task, folder: Folder) -> None:
    photo = folder.path / names(task)[17]
    away = folder.path.parent / photo.name
    photo.rename(away)

    assert ranks_of(task)[17] == GROUPS * EACH - 1
    assert len(kept(task).keys) == GROUPS * EACH - 1

    away.rename(photo)
    with closing(Alike.begin(task)) as alike:
        assert alike.state == "running"  # The photo may be back.
        finished(alike)
    assert len(kept(task).keys) == GROUPS * EACH
    with closing(Alike.begin(task)) as alike:
        assert alike.state == "ready"


def test_the_code_of_a_photo_that_was_replaced_is_not_kept(task: Task, folder: Folder) -> None:
    folder.noise(names(task)[17], seed=5)
    ranks_of(task)

    assert len(kept(task).keys) == GROUPS * EACH - 1


def test_all_photos_gone_leaves_the_order_of_the_table(task: Task, folder: Folder) -> None:
    for photo in folder.path.iterdir():
        photo.unlink()
    ranks = ranks_of(task)
    faces = [row.file for row in reader.read(Path(task.table)) if row.probabilities]

    assert [names(task)[number] for number in np.argsort(ranks)][: len(faces)] == faces


def test_rows_that_are_not_of_the_table_any_more_are_erased(task: Task, folder: Folder, run: Run) -> None:
    ranks_of(task)
    photo = folder.path / names(task)[3]
    photo.unlink()
    options = ("--model", task.model, "-q", "--workers", "1", "--refresh")
    assert run("classify", folder.path, "--out", task.table, *options).exit_code in (0, 1)
    ranks = ranks_of(task)

    assert len(ranks) == len(names(task))
    assert len(kept(task).keys) == sum(bool(row.probabilities) for row in reader.read(Path(task.table)))


def test_a_face_takes_64_bytes(task: Task) -> None:
    ranks_of(task)
    records_bytes = codes_file(task).stat().st_size
    with open(task.table, newline="", encoding="utf-8") as stream:
        rows = sum(1 for _ in csv.DictReader(stream))
    fixed = len(coding._MAGIC) + 4 + len(kept(task).header) + 16
    note = (Path(task.folder) / "alike.ranks").read_bytes().index(b"\n") + 1

    assert records_bytes - fixed == 60 * GROUPS * EACH
    assert (Path(task.folder) / "alike.ranks").stat().st_size - note == 4 * rows


def test_a_table_replaced_meanwhile_is_a_problem_and_not_a_wrong_order(task: Task) -> None:
    table = Path(task.table)
    lines = table.read_text().splitlines(keepends=True)

    def replace_it(_: float) -> None:
        table.write_text("".join([lines[0], *reversed(lines[1:])]))

    with pytest.raises(LabelerError, match="was replaced"):
        prepare.prepare(task, replace_it)
    assert not (Path(task.folder) / "alike.ranks").exists()


def test_what_cannot_be_used_is_said(task: Task, tmp_path: Path, folder: Folder) -> None:
    broken = folder.file("../broken.onnx", b"no network")
    file = tmp_path / "file"
    file.touch()
    cases = {
        "broken.onnx": replace(task, model=str(broken)),
        "none.onnx": replace(task, model=str(tmp_path / "none.onnx")),
        "none.csv": replace(task, table=str(tmp_path / "none.csv")),
        "file": replace(task, folder=str(file)),
    }
    for word, one in cases.items():
        with closing(finished(Alike.begin(one))) as alike:
            assert (alike.state, alike.ranks) == ("none", None)
            assert word in alike.problem


def test_a_full_disk_is_said(task: Task, tmp_path: Path) -> None:
    for disk in small_tmpfs(tmp_path / "disk", "8k"):
        with closing(finished(Alike.begin(replace(task, folder=str(disk / "cache"))))) as alike:
            assert alike.state == "none"
            assert "No space left" in alike.problem


def test_another_model_has_codes_of_its_own(task: Task, tmp_path: Path) -> None:
    ranks_of(task)
    other = replace(task, model=str(make_bundle(tmp_path / "other.onnx", seed=8)))
    ranks_of(other)

    assert codes_file(task).exists()
    assert codes_file(other).exists()
    with closing(Alike.begin(task)) as alike:
        assert alike.state == "running"  # The ranks are those of the other model.


def test_the_process_ends_with_the_server(task: Task) -> None:
    script = (
        "import os, signal; from labeler.review.alike import Alike; from labeler.review.task import Task\n"
        f"alike = Alike.begin(Task.of_json({task.as_json()!r}))\n"
        "os.kill(alike._process.pid, signal.SIGSTOP)\n"
        "print(alike._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    child = int(answer.stdout)
    os.kill(child, signal.SIGCONT)

    assert gone(child, within_s=300)  # It may still have to start.
    assert answer.returncode == -signal.SIGKILL


def test_a_server_loads_no_network() -> None:
    script = "import sys, labeler.review.alike; print(*{'onnxruntime', 'cv2', 'onnx', 'keras'} & {*sys.modules})"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)

    assert answer.stdout.split() == []


@pytest.mark.skipif(not (SHARED / "fer2013").is_dir(), reason="FER-2013 is not here")
def test_real_faces_alike_have_the_same_label(tmp_path: Path, run: Run) -> None:
    photos = tmp_path / "photos"
    found = sorted((SHARED / "fer2013" / "valid").rglob("*.jpg"))
    for photo in random.Random(0).sample(found, 400):
        (photos / photo.parent.name).mkdir(parents=True, exist_ok=True)
        (photos / photo.parent.name / photo.name).symlink_to(photo)
    table = tmp_path / "t.csv"
    assert run("classify", photos, "--out", table, "-q", "--workers", "1").exit_code == 0
    ranks = ranks_of(task_of(table, bundle.find(""), photos))
    labels = [row.file.split("/")[0] for row in reader.read(table)]

    def changes(order: list[int]) -> int:
        return sum(labels[one] != labels[other] for one, other in pairwise(order))

    assert changes(np.argsort(ranks).tolist()) < 0.8 * changes(random.Random(1).sample(range(400), 400))


@pytest.mark.parametrize("faces", ["auto", "detect", "whole"])
def test_faces_are_read_at_the_scale_at_which_classify_found_them(
    folder: Folder, tmp_path: Path, run: Run, faces: str
) -> None:
    folder.picture("a.png", side=64)
    table = tmp_path / "t.csv"
    assert run("classify", folder.path, "--out", table, "--faces", faces, "-q", "--workers", "1").exit_code in (0, 1)
    asked = review.task_of(review.ReviewSettings(table=table, reviewer="ann"), str(folder.path))
    assert asked

    assert asked.faces == faces
