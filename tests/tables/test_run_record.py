"""The record beside a table is true of the table: whichever run was killed before whichever step, it names its root."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import Folder, content_of, make_bundle
from kills import killed_before
from spread import spread

from labeler import drawing, pipeline
from labeler.errors import LabelerError
from labeler.records import SCHEMA_VERSION, Face, Redo, Row, Settings, Status, Tally
from labeler.sorting.sort import plan
from labeler.tables import formats, labels, reader, run_record
from labeler.tables.run_record import RunRecord

CLASSES = tuple(f"{made_of}:{kind}" for made_of in ("a:m1", "a:m2", "b:m1") for kind in "xy")
"""The label of a row says which folder and which model it was made of."""

FILES = ("1.jpg", "2.jpg", "sub/3.jpg")


class Place:
    """A folder with two roots that hold files of the same names, and a table beside them."""

    def __init__(self, path: Path, suffix: str) -> None:
        self.out = path / f"t{suffix}"
        self.roots = {name: path / name for name in "ab"}
        for root in self.roots.values():
            for file in FILES:
                Folder(root).picture(file)

    def run(
        self, root: str, model: str = "m1", redo: frozenset[Redo] = frozenset(), *, overwrite: bool = False
    ) -> None:
        """Let the pipeline label files that nobody has to read, of which the first fails, unless it is tried again."""
        folder = str(self.roots[root])
        record = RunRecord(
            version="1",
            schema_version=SCHEMA_VERSION,
            model=model,
            model_sha256=model * 32,
            class_names=CLASSES,
            root=folder,
            inputs=(folder,),
            settings={},
        )
        job = pipeline.Job(
            inputs=(folder,), out=self.out, settings=Settings(root=folder), redo=redo, overwrite=overwrite
        )

        def label(names: Iterator[str]) -> Iterator[list[Row]]:
            for name in names:
                yield [_row(name, f"{root}:{model}", mended=bool(redo))]

        pipeline.fill(job, record, FILES, label, Tally())

    def truth(self) -> tuple[str, str]:
        """Return the root and the model that the rows of the finished table were made of."""
        ((root, model),) = {tuple(row.label.split(":")[:2]) for row in reader.read(self.out) if row.label}
        return str(self.roots[root]), model


def _row(name: str, label: str, *, mended: bool) -> Row:
    if name == FILES[0] and not mended:
        return Row(name).without_label(Status.UNREADABLE, "it is broken")
    probabilities = tuple(float(one == f"{label}:{'xy'[name == FILES[1]]}") for one in CLASSES)
    return Row(name, version="0-0").located(0, Face(0.0, 0.0, 9.0, 9.0, 0.9)).labelled(probabilities, CLASSES, 0.0)


Deed = Callable[[Place], None]
DEEDS: dict[str, Deed] = {
    "another root": lambda place: place.run("b", overwrite=True),
    "another model": lambda place: place.run("a", "m2", overwrite=True),
    "the same again": lambda place: place.run("a", overwrite=True),
    "retry": lambda place: place.run("a", redo=frozenset({Redo.FAILED})),
    "refresh": lambda place: place.run("a", redo=frozenset({Redo.CHANGED})),
}


@pytest.fixture
def places(tmp_path: Path) -> Callable[[str], Iterator[Place]]:
    """Endlessly many places, each with a finished table of the root `a`."""

    def fresh(suffix: str) -> Iterator[Place]:
        number = 0
        while True:
            place = Place(tmp_path / str(number), suffix)
            place.run("a")
            number += 1
            yield place

    return fresh


@pytest.mark.parametrize(("deed", "suffix"), spread(DEEDS, formats.SUFFIXES))
def test_killed_before_any_step_the_record_is_true_of_the_table(
    places: Callable[[str], Iterator[Place]], deed: str, suffix: str
) -> None:
    for step, place in enumerate(places(suffix)):
        ended = killed_before(step, partial(DEEDS[deed], place))
        record = run_record.read(place.out)

        assert record is not None
        assert (record.root, record.model) == place.truth(), f"killed before step {step}"
        assert reader.root(place.out) == place.truth()[0]
        if ended != -signal.SIGKILL:
            break
    assert (ended, step > 15) == (0, True)


@pytest.mark.parametrize(("deed", "then"), spread(DEEDS, DEEDS))
def test_what_a_kill_leaves_is_continued_replaced_or_refused_and_the_record_stays_true(
    places: Callable[[str], Iterator[Place]], deed: str, then: str
) -> None:
    for step, place in enumerate(places(".csv")):
        ended = killed_before(step, partial(DEEDS[deed], place))
        begun = run_record.unfinished(place.out)
        try:
            DEEDS[then](place)
            refused = False
        except LabelerError:
            refused = True
        record = run_record.read(place.out)

        assert record is not None
        assert (record.root, record.model) == place.truth(), f"killed before step {step}"
        assert not refused or (begun or record).root != str(place.roots["a"]) or (begun or record).model != "m1"
        if not refused:
            assert sorted(os.listdir(place.out.parent)) == ["a", "b", "t.csv", "t.csv.run.json"]
        if ended != -signal.SIGKILL:
            break


def test_sort_annotate_and_train_use_the_files_that_were_labelled(
    places: Callable[[str], Iterator[Place]], tmp_path: Path
) -> None:
    for step, place in enumerate(places(".csv")):
        ended = killed_before(step, partial(DEEDS["another root"], place))
        root, _ = place.truth()
        moves = list(plan(reader.read(place.out), reader.root(place.out), tmp_path / "sorted"))
        drawn = drawing.annotate(
            reader.read(place.out), CLASSES, Settings(root=reader.root(place.out)), tmp_path / f"drawn{step}"
        )

        assert {os.path.dirname(move.source).removesuffix("/sub") for move in moves} == {root}
        assert [one.target for one in drawn] == ["", "2.jpg.annotated.jpg", "sub/3.jpg.annotated.jpg"]
        assert labels.Table(place.out).below(Path(root)).files == FILES[1:]
        if ended != -signal.SIGKILL:
            break


def labeler(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "labeler", *map(str, arguments)]


def test_a_command_killed_while_it_overwrites_leaves_the_labels_with_their_files(
    folder: Folder, model: Path, tmp_path: Path
) -> None:
    other = Folder(tmp_path / "other")
    for index in range(400):
        folder.noise(f"{index:03}.jpg", seed=index)
        other.noise(f"{index:03}.jpg", seed=1000 + index)
    out, part = tmp_path / "t.csv", tmp_path / "t.csv.part"
    subprocess.run(labeler("classify", folder.path, "-o", out, "--model", model, "-q"), check=True)
    second = make_bundle(tmp_path / "second.onnx", seed=8)
    overwrite = ["-o", out, "--model", second, "--overwrite", "--batch-size", "1"]
    with subprocess.Popen(labeler("classify", other.path, *overwrite, "-q")) as process:
        while len(content_of(part)) <= 2000:
            assert process.poll() is None, "it was finished before it could be killed"
            time.sleep(0.001)
        process.kill()
    subprocess.run(labeler("sort", out, "--into", tmp_path / "sorted", "-q"), check=True)
    found = {path.name: path.read_bytes() for path in (tmp_path / "sorted").rglob("*.jpg")}

    assert found == {path.name: path.read_bytes() for path in folder.path.iterdir()}
    finished = subprocess.run(labeler("classify", other.path, "-o", out, "--model", second, "-q"), check=False)
    assert (finished.returncode, reader.root(out)) == (0, str(other.path))
