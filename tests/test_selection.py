"""A selection of the files: tried first, and then the rest, to the very table of a whole run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Folder
from typer.testing import Result

from labeler import pipeline
from labeler.errors import LabelerError
from labeler.records import Redo, Settings, Status, Tally
from labeler.selection import Selection
from labeler.sources import Source
from labeler.tables import reader

Run = Callable[..., Result]

PATTERNS = [
    ("*.jpg", ["1.jpg"]),
    ("**/*.jpg", ["1.jpg", "a/1.jpg", "a/b/c/1.jpg", "x[1]/1.jpg"]),
    ("a/*", ["a/1.jpg", "a/2.PNG"]),
    ("a/**", ["a/1.jpg", "a/2.PNG", "a/b/c/1.jpg"]),
    ("a/", ["a/1.jpg", "a/2.PNG", "a/b/c/1.jpg"]),
    ("a/**/1.jpg", ["a/1.jpg", "a/b/c/1.jpg"]),
    ("**/b/**", ["a/b/c/1.jpg"]),
    ("a**/?.jpg", ["a/1.jpg"]),
    ("**/*.png", []),
    ("**/*.[pP][nN][gG]", ["a/2.PNG"]),
    ("[!a]/*", []),
    ("x[[]1[]]/*", ["x[1]/1.jpg"]),
    ("x[1]/*", []),
    ("[*", ["[.gif"]),
    ("**", ["1.jpg", "[.gif", "a/1.jpg", "a/2.PNG", "a/b/c/1.jpg", "x[1]/1.jpg"]),
    ("b/*", []),
    ("a[+-0]1.jpg", []),  # Its range holds the slash.
]


@pytest.fixture
def tree(folder: Folder) -> Folder:
    for name in ("1.jpg", "[.gif", "a/1.jpg", "a/2.PNG", "a/b/c/1.jpg", "x[1]/1.jpg"):
        folder.file(name)
    return folder


def names(folder: Folder, absolute: bool = False, **selection: object) -> list[str]:
    return list(Source([folder.path], absolute=absolute, selection=Selection(**selection)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("pattern", "matching"), PATTERNS)
@pytest.mark.parametrize("absolute", [False, True])
def test_a_pattern_is_matched_against_the_whole_name_below_the_root(
    tree: Folder, pattern: str, matching: list[str], absolute: bool
) -> None:
    everything = names(tree)
    prefix = f"{tree.path}/" if absolute else ""

    assert names(tree, absolute, include=(pattern,)) == [prefix + name for name in matching]
    assert names(tree, absolute, exclude=(pattern,)) == [prefix + n for n in everything if n not in matching]


def test_one_of_several_patterns_is_enough(tree: Folder) -> None:
    assert names(tree, include=("*", "a/*"), exclude=("**/*.PNG", "[[]*")) == ["1.jpg", "a/1.jpg"]


def test_an_excluded_folder_is_not_even_listed(tree: Folder) -> None:
    (tree.path / "private").mkdir()
    (tree.path / "private" / "notes.txt").touch()
    (tree.path / "here").symlink_to(tree.path / "private")
    for pattern in ("private/", "private/**"):
        source = Source([tree.path], selection=Selection(exclude=(pattern, "here/")))

        assert (len(list(source)), source.passed_over) == (6, 0)


def test_a_file_that_was_named_is_left_out_by_a_pattern_too(tree: Folder) -> None:
    given = [tree.path / "1.jpg", tree.path / "a" / "1.jpg"]

    assert list(Source(given, selection=Selection(exclude=("a/*",)))) == ["1.jpg"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"limit": 1, "sample": 1}, "give one of them"),
        ({"include": ("/a/*",)}, "relative to the input"),
        ({"exclude": ("",)}, "relative to the input"),
        ({"include": ("[z-a]",)}, "is not a valid glob"),
    ],
)
def test_what_can_only_be_a_mistake_is_refused(asked: dict[str, object], message: str) -> None:
    with pytest.raises(LabelerError, match=message):
        Selection(**asked)  # type: ignore[arg-type]


@pytest.fixture
def many(folder: Folder) -> Folder:
    for index in range(300):
        folder.file(f"{index % 7}/{index:03}.jpg")
    return folder


def test_a_sample_is_the_same_every_time_and_another_with_another_seed(many: Folder) -> None:
    everything, first = names(many), names(many, sample=40)

    assert first == names(many, sample=40) == [name for name in everything if name in set(first)]
    assert len(first) == 40 == len(names(many, sample=40, seed=1))
    assert first != names(many, sample=40, seed=1)
    assert set(first) < set(names(many, sample=41))
    assert names(many, sample=1000) == everything


def test_a_sample_does_not_depend_on_where_the_folder_is(many: Folder, tmp_path: Path) -> None:
    first = names(many, sample=40)
    many.path.rename(tmp_path / "elsewhere")

    assert names(Folder(tmp_path / "elsewhere"), sample=40) == first


def test_every_file_is_as_likely_to_be_in_a_sample(many: Folder) -> None:
    everything = names(many)
    counts: Counter[str] = Counter()
    for seed in range(400):
        sample = Selection(sample=30, seed=seed)
        highest = sample.highest_rank(everything)
        counts.update(name for name in everything if sample.rank(name) <= highest)
    expected = 400 * 30 / 300
    chi_square = sum((counts[name] - expected) ** 2 / (expected * 0.9) for name in everything)

    assert counts.total() == 400 * 30
    assert 220 < chi_square < 390  # 299 degrees of freedom: 0.1% and 99.9% are 226 and 379.


def test_the_first_few_are_found_without_walking_further(many: Folder) -> None:
    source = Source([many.path], selection=Selection(limit=3))
    (many.path / "1").rename(many.path / "z")  # It would be the next folder.

    assert list(source) == ["0/000.jpg", "0/007.jpg", "0/014.jpg"]
    assert (source.selected, source.found) == (3, None)


SELECTIONS = {
    "limit": Selection(limit=7),
    "sample": Selection(sample=9),
    "include": Selection(include=("2/**", "*/1?.jpg")),
    "exclude": Selection(exclude=("0/", "**/*7.jpg")),
    "all of it": Selection(include=("[1-3]/*",), exclude=("2/*",), sample=5, seed=3),
}


@pytest.fixture
def mixed(folder: Folder) -> Folder:
    for index in range(40):
        name = f"{index % 4}/{index:02}.jpg"
        folder.file(name, b"words") if index % 7 == 3 else folder.noise(name, seed=index)
    return folder


def job(folder: Folder, out: Path, model: Path, **options: object) -> pipeline.Job:
    return pipeline.Job(inputs=(folder.path,), out=out, settings=Settings(model=str(model)), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("kind", SELECTIONS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_try_and_then_the_rest_are_a_whole_run(
    mixed: Folder, model: Path, tmp_path: Path, kind: str, workers: int, suffix: str
) -> None:
    out, selection = tmp_path / f"t{suffix}", SELECTIONS[kind]
    wanted = list(Source([mixed.path], selection=selection))
    whole = list(pipeline.label([mixed.path], Settings(model=str(model))))
    tried = job(mixed, out, model, workers=workers, batch_size=2, selection=selection)
    pipeline.classify(tried)
    after_the_try = list(reader.read(out))
    again = pipeline.classify(tried)
    rest = pipeline.classify(replace(tried, selection=Selection()))
    smaller_again = pipeline.classify(tried)

    assert after_the_try == [row for row in whole if row.file in set(wanted)]
    assert 0 < len(wanted) < 40
    assert (again.complete_before, again.tally.files, again.vanished) == (True, len(wanted), 0)
    assert (rest.tally.files, rest.tally.resumed, rest.vanished) == (40, len(wanted), 0)
    assert list(reader.read(out)) == whole
    assert (smaller_again.tally.files, smaller_again.complete_before, smaller_again.vanished) == (40, True, 0)
    assert list(reader.read(out)) == whole


def test_after_the_first_few_the_rest_comes_in_its_order(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out, whole = tmp_path / "t.csv", tmp_path / "whole.csv"
    for limit in (5, 11, 0):
        pipeline.classify(job(mixed, out, model, selection=Selection(limit=limit)))
    pipeline.classify(job(mixed, whole, model))

    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("kind", SELECTIONS)
def test_a_try_that_was_stopped_is_continued_with_or_without_its_selection(
    folder: Folder, model: Path, tmp_path: Path, kind: str
) -> None:
    for index in range(40):
        folder.noise(f"{index % 4}/{index:02}.jpg", seed=index)
    out, selection = tmp_path / "t.csv", SELECTIONS[kind]
    chosen = list(Source([folder.path], selection=selection))

    def stop(tally: Tally, _: object) -> None:
        if tally.files == len(chosen) // 2:
            raise KeyboardInterrupt

    for then in (selection, Selection()):
        with pytest.raises(LabelerError, match="stopped"):
            pipeline.classify(job(folder, out, model, selection=selection, workers=1, batch_size=1), stop)
        pipeline.classify(job(folder, out, model, selection=then))

        assert sorted(row.file for row in reader.read(out)) == sorted(Source([folder.path], selection=then))
        out.unlink()


def test_files_that_are_not_selected_are_not_said_to_be_gone_and_those_that_are_gone_are(
    mixed: Folder, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    pipeline.classify(job(mixed, out, model))
    (mixed.path / "3" / "39.jpg").unlink()
    for selection in SELECTIONS.values():
        summary = pipeline.classify(job(mixed, out, model, selection=selection))

        assert (summary.vanished, summary.vanished_files) == (1, ("3/39.jpg",))


@pytest.mark.parametrize("kind", SELECTIONS)
@pytest.mark.parametrize("absolute", [False, True])
def test_only_what_is_selected_is_labelled_again(
    mixed: Folder, model: Path, tmp_path: Path, kind: str, absolute: bool
) -> None:
    out, selection = tmp_path / "t.csv", SELECTIONS[kind]
    whole = replace(job(mixed, out, model), settings=Settings(model=str(model), absolute=absolute))
    pipeline.classify(whole)
    for row in list(reader.read(out)):
        if row.failed:
            mixed.noise(os.path.relpath(os.path.join(mixed.path, row.file), mixed.path), seed=1)
    summary = pipeline.classify(replace(whole, redo=frozenset({Redo.FAILED}), selection=selection))
    chosen = set(Source([mixed.path], absolute=absolute, selection=selection))
    failed = {f"{i % 4}/{i:02}.jpg" for i in range(40) if i % 7 == 3}
    still = {row.file for row in reader.read(out) if row.failed}

    assert still == {os.path.join(mixed.path, file) if absolute else file for file in failed} - chosen
    assert summary.tally.files == 40


def test_what_was_not_selected_for_a_refresh_is_refreshed_later(mixed: Folder, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    refresh = job(mixed, out, model, redo=frozenset({Redo.CHANGED}))
    pipeline.classify(replace(refresh, redo=frozenset()))
    for name in ("0/00.jpg", "3/39.jpg"):
        mixed.noise(name, seed=1000)
    first = pipeline.classify(replace(refresh, selection=Selection(limit=1)))
    second = pipeline.classify(refresh)

    assert (first.tally.resumed, second.tally.resumed) == (39, 39)
    assert list(reader.read(out)) == list(pipeline.label([mixed.path], Settings(model=str(model))))


def test_a_refresh_that_was_stopped_with_a_selection_and_continued_without_forgets_nothing(
    mixed: Folder, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.csv"
    refresh = job(mixed, out, model, redo=frozenset({Redo.CHANGED}), workers=1, batch_size=1)
    pipeline.classify(replace(refresh, redo=frozenset()))
    for name in ("0/00.jpg", "1/01.jpg", "1/05.jpg", "3/39.jpg"):
        mixed.noise(name, seed=1000)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(LabelerError, match="stopped"):
        pipeline.classify(replace(refresh, selection=Selection(include=("1/*",))), stop)
    pipeline.classify(refresh)  # Completes what was begun: of the rows before 1/01.jpg nothing is read again.
    pipeline.classify(refresh)

    assert list(reader.read(out)) == list(pipeline.label([mixed.path], Settings(model=str(model))))


def test_the_summary_and_json_say_that_it_was_a_selection(run: Run, mixed: Folder, model: Path, tmp_path: Path) -> None:
    command = ("classify", mixed.path, "--out", tmp_path / "t.csv", "--model", model, "--json")
    limited = run(*command, "--limit", 4)
    sampled = run(*command, "--sample", 6, "--seed", 2, "--exclude", "0/**", "--exclude", "1/**")
    whole = run(*command)

    assert "a selection: the first 4 files (--limit 4)\n" in limited.stderr
    assert json.loads(limited.stdout)["selection"] == {"limit": 4, "seed": 0, "files": 4, "of": None}
    assert "a selection: 6 of 20 files (--exclude 0/** --exclude 1/** --sample 6 --seed 2)\n" in sampled.stderr
    assert json.loads(sampled.stdout)["selection"] == {
        "exclude": ["0/**", "1/**"], "sample": 6, "seed": 2, "files": 6, "of": 20,
    }  # fmt: skip
    assert (json.loads(whole.stdout)["selection"], "a selection" in whole.stderr) == (None, False)


def test_a_pattern_that_matches_nothing_is_an_error_that_says_how_patterns_work(
    run: Run, mixed: Folder, model: Path, tmp_path: Path
) -> None:
    done = run("classify", mixed.path, "--out", tmp_path / "t.csv", "--model", model, "--include", "*.jpg")

    assert (done.exit_code, "none of 40 photos" in done.stderr, "'**/*.jpg' anywhere" in done.stderr) == (
        3,
        True,
        True,
    )
    assert os.listdir(tmp_path) == ["photos"]


MEMORY = """
import resource, sys
from labeler.selection import Selection
sample = Selection(sample=100)
sample.highest_rank(f"{number:09}.jpg" for number in range(int(sys.argv[1])))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_sample_needs_memory_for_itself_only() -> None:
    few, many = (
        int(subprocess.check_output([sys.executable, "-c", MEMORY, count])) for count in ("1000", "300000")
    )  # fmt: skip

    assert many - few < 4096  # KiB; 300,000 names take 20,000.


def test_a_selection_that_failed_counts_as_any_other_run(run: Run, mixed: Folder, model: Path, tmp_path: Path) -> None:
    done = run("classify", mixed.path, "--out", tmp_path / "t.csv", "--model", model, "--include", "3/03.jpg")

    assert done.exit_code == 1
    assert [row.status for row in reader.read(tmp_path / "t.csv")] == [Status.UNSUPPORTED]
