"""What a sort remembers of each file, without keeping it in memory."""

from __future__ import annotations

import gc
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from disks import full_disk

from labeler.errors import OutputError
from labeler.records import Mode, Row
from labeler.sorting import sort as sorting
from labeler.sorting.journal import Entry, Move, Outcome
from labeler.sorting.ledger import Entries, Plan

ENTRIES = [
    Entry("happy"),
    Entry("happy/1.jpg", "/photos/1.jpg", "move"),
    Entry("happy/2.jpg", "/photos/2.jpg", "copy", "ab"),
]


def test_entries_come_oldest_first_or_newest_first() -> None:
    entries = Entries(ENTRIES)

    assert (list(entries), list(reversed(entries)), entries.files) == (ENTRIES, ENTRIES[::-1], 2)


def test_a_place_announced_twice_belongs_to_the_later_file() -> None:
    later = Entry("happy/1.jpg", "/photos/b/1.jpg", "move")

    assert list(Entries([*ENTRIES, later])) == [ENTRIES[0], ENTRIES[2], later]


def test_a_folder_announced_twice_is_where_it_was_first_announced() -> None:
    assert list(Entries([*ENTRIES, ENTRIES[0]])) == ENTRIES


def test_a_folder_in_the_place_of_a_file_is_a_folder() -> None:
    assert list(Entries([*ENTRIES, Entry("happy/1.jpg")])) == [ENTRIES[0], Entry("happy/1.jpg"), ENTRIES[2]]


@pytest.mark.parametrize("name", ["/photos/\udcff.jpg", "/photos/é\n.jpg"])
def test_a_name_is_remembered_as_it_is(name: str) -> None:
    move = Move(name, f"happy{name}", Mode.MOVE, Outcome.THERE)
    plan = Plan()
    plan.add(move)

    assert list(plan) == [move]
    assert Entries([Entry(f"happy{name}", name, "move")]).moves(name) == [Move(name, f"happy{name}", Mode.MOVE)]


def test_the_moves_of_a_file_come_last_first() -> None:
    entries = Entries([*ENTRIES, Entry("sad/1.jpg", "/photos/1.jpg", "move")])

    assert [move.target for move in entries.moves("/photos/1.jpg")] == ["sad/1.jpg", "happy/1.jpg"]


def test_what_is_kept_comes_in_the_order_of_the_journal() -> None:
    entries = Entries(ENTRIES)
    for entry in reversed(ENTRIES[1:]):
        entries.keep(entry)

    assert list(entries.kept()) == ENTRIES[1:]


def test_a_plan_has_as_many_moves_as_were_added_and_can_be_read_twice() -> None:
    plan = Plan()
    moves = [Move(f"/photos/{number}.jpg", f"happy/{number}.jpg") for number in range(2500)]
    for move in moves:
        plan.add(move)

    assert (len(plan), list(plan), list(plan)) == (2500, moves, moves)


def test_a_temporary_folder_without_room_stops_the_plan_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    rows = (Row(f"{'x' * 200}{number}.jpg", label="happy") for number in range(40_000))
    with full_disk(100_000), pytest.raises(OutputError, match=r"no room for the plan.*TMPDIR"):
        sorting.plan(rows, str(tmp_path / "photos"), tmp_path / "sorted")


PEAK = """
import resource, sys
from pathlib import Path
from labeler.sorting import journal
from labeler.sorting import sort as sorting
from labeler.records import Row

deed, count, into = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
if deed == "plan":
    rows = (Row(f"folder{number // 1000}/IMG_{number:09}.jpg", label="happy") for number in range(count))
    plan = sorting.plan(rows, str(into), into / "sorted")
    assert sum(1 for move in sorting.apply(plan, into / "sorted")) == count
else:
    entries = (journal.Entry(f"{number}/1.jpg", f"/photos/IMG_{number:09}.jpg", "move") for number in range(count))
    journal.append(str(into / journal.NAME), entries)
    with sorting.undo(into) as moves:
        assert sum(1 for move in moves) == count == len(moves)
    assert sum(1 for entry in journal.read(str(into / journal.NAME))) == count
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kib(*arguments: object) -> int:
    found = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, arguments)], capture_output=True, text=True, check=True
    )
    return int(found.stdout)


def test_what_is_left_of_a_plan_is_closed_in_whatever_thread_collects_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ignored: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", ignored.append)
    kept = [Entries(ENTRIES), Plan()]
    thread = threading.Thread(target=kept.clear)
    thread.start()
    thread.join()
    gc.collect()

    assert ignored == []


@pytest.mark.heavy
@pytest.mark.parametrize(("deed", "count"), [("plan", 80_000), ("undo", 40_000)])
def test_memory_does_not_grow_with_the_number_of_files(tmp_path: Path, deed: str, count: int) -> None:
    """As objects these files took 20 MB and more; what grows here is the databases' caches, until they are full."""
    few, many = (tmp_path / name for name in ("few", "many"))
    few.mkdir()
    many.mkdir()

    assert peak_kib(deed, count, many) - peak_kib(deed, count // 10, few) < 12_000


@pytest.mark.parametrize("seed", range(20))
def test_whatever_order_files_come_in_each_is_new_once_and_each_place_is_free_once(seed: int) -> None:
    chance = random.Random(seed)
    names = [f"/p/{chance.choice('abA')}/{chance.choice('xyX')}/{number}.jpg" for number in range(40)]
    names = sorted(names, key=lambda name: name.split("/"))[: 1 + seed] + chance.sample(names, 30)
    plan, seen = Plan(), []
    for name in names:
        if plan.is_new(name):
            assert plan.take(f"happy{name}")
            plan.add(Move(name, f"happy{name}"))
            seen.append(name)

    assert seen == list(dict.fromkeys(names))
    assert [plan.take(f"happy{name}") for name in seen] == [False] * len(seen)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_order_files_are_asked_for_their_moves_are_found(seed: int) -> None:
    chance = random.Random(seed)
    files = [f"/p/{folder}/{number}.jpg" for folder in "abc" for number in range(9)]
    announced = files if seed % 2 else chance.sample(files, len(files))
    entries = Entries(Entry(f"happy{name}", name, "copy") for name in announced)
    asked = [name for name in files if chance.random() < 0.7] + chance.sample([*files, "/p/b/5a.jpg"], 5)

    assert [[move.source for move in entries.moves(name)] for name in asked] == [
        [name] if name in files else [] for name in asked
    ]
