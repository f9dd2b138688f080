"""Blind cards on a running server: their answers hold no label, their events are a sample, and a kill loses nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from conftest import Folder
from review_server import NAMES, Server, serving, write_table

from labeler.certify import certified
from labeler.certify.draw import Draw
from labeler.review import aliases
from labeler.review.aliases import Alias
from labeler.review.cards import line as progress
from labeler.tables import corrections, index, reader, run_record
from labeler.tables.review_log import Log
from labeler.tables.reviews import AGAIN, SENTINEL

FACES = 80


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards")
    write_table(Folder(folder / "photos"), folder / "t.csv", FACES)
    return folder / "t.csv"


@pytest.fixture
def table(written: Path, tmp_path: Path) -> Path:
    for file in written.parent.glob("t.csv*"):
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path / "t.csv"


def say(server: Server, row: int, new: str, **about: object) -> Any:
    return server.post("/api/events", {"action": uuid.uuid4().hex, "events": [{"row": row, "new": new, **about}]})


def cards(server: Server) -> list[int]:
    view = server.post("/api/view", {"order": "sample"})
    items = server.get(f"/api/view/{view['view']}?start=0&count=400")["items"]
    assert len(items) == view["count"]
    return [item["row"] for item in items]


def answer(server: Server, numbers: Iterable[int], new: str = "sad") -> None:
    for number in numbers:
        say(server, number, new)


def line(server: Server) -> str:
    """Return what is said about the cards, once it is worked out."""
    until = time.monotonic() + 30
    while not (told := server.get("/api/status")["cards"]["line"]):
        assert time.monotonic() < until
        time.sleep(0.05)
    return str(told)


def test_no_answer_about_a_card_holds_a_label_or_a_score_or_a_name(table: Path) -> None:
    """Not before it is answered, nor after it, nor when that is undone: nothing can anchor."""
    with serving(table, "--certify") as server:
        view = server.post("/api/view", {"order": "sample"})["view"]
        items = server.request("GET", f"/api/view/{view}?start=0&count=400")
        first, again = items.value["items"][0]["row"], items.value["items"][30]["row"]
        told = [items, server.request("GET", "/api/card?skip=3"), server.request("GET", "/api/status")]
        for row in (first, again):
            told.append(server.request("GET", f"/api/face/{row}"))
            body = {"action": uuid.uuid4().hex, "events": [{"row": row, "new": "sad"}]}
            told += [server.request("POST", "/api/events", body), server.request("GET", f"/api/face/{row}")]
        told += [server.request("POST", "/api/undo", {}), server.request("POST", "/api/redo", {})]
        told.append(server.request("GET", f"/api/view/{view}?start=0&count=400"))
        about = server.get("/api/table")

    assert {one.status for one in told} == {200}
    said = b"".join(one.content for one in told)
    assert [word for word in (*NAMES, "score", "probabilities", "history", ".png") if word.encode() in said] == []
    assert set(told[3].value) == {"row", "card", "reviewed", "box", "image", "missing", "faces"}
    assert about["counts"] == {}


def test_other_faces_of_the_photo_of_a_card_are_not_shown(table: Path) -> None:
    with serving(table, "--certify") as server:
        first = cards(server)[0]
        box = {"action": uuid.uuid4().hex, "row": aliases.row(first), "box": [1, 1, 9, 9], "new": "angry"}
        assert server.request("POST", "/api/add", {**box, "row": first}).status == 400
        server.post("/api/add", box)
        assert [one["row"] for one in server.get(f"/api/face/{first}")["faces"]] == [first]


def test_an_answer_is_written_as_blind_whatever_the_page_says(table: Path) -> None:
    draw = Draw.of(index.load(table))
    with serving(table, "--certify") as server:
        order = cards(server)
        say(server, order[0], "sad", shown=True, view="grid")
    (event,) = Log.of(table).read()

    assert [aliases.row(one) for one in order if aliases.of(one) is Alias.CARD] == draw.rows[draw.order].tolist()
    assert (event.view, event.shown, event.new) == (draw.view, False, "sad")
    assert event.file == index.load(table).name(aliases.row(order[0]))


def test_after_a_kill_it_goes_on_and_every_tenth_card_comes_twice(table: Path) -> None:
    with serving(table, "--certify") as server:
        order = cards(server)
        answer(server, order[:20])
        server.stop(signal.SIGKILL)
    with serving(table, "--certify") as server:
        assert cards(server) == order[20:]
        answer(server, order[20:42], "happy")
        server.stop(signal.SIGKILL)
    with serving(table, "--certify") as server:
        assert cards(server) == order[42:]
    again = [event for event in Log.of(table).read() if event.view == AGAIN]
    found = certified.gather(table)

    assert found
    assert (len(again), {event.shown for event in again}) == (2, {False})
    assert (len(found.cards), found.checks.twice, found.checks.disagreed) == (40, 2, 2)
    made = corrections.of_table(table)
    assert made
    assert sum(row.label == "sad" for row in made.rows(reader.read(table))) == 20


def test_an_undo_brings_the_card_back_and_names_it(table: Path) -> None:
    with serving(table, "--certify") as server:
        order = cards(server)
        answer(server, order[:2])
        undone = server.post("/api/undo", {})
        assert (undone["cards"], undone["faces"]) == ([order[1]], 1)
        assert undone["changed"] == [{"row": order[1], "card": True, "reviewed": False}]
        assert cards(server) == order[1:]
        assert server.get("/api/card")["item"]["row"] == order[1]


def test_a_second_look_is_undone_alone(table: Path) -> None:
    with serving(table, "--certify") as server:
        order = cards(server)
        answer(server, order[:31])
        undone = server.post("/api/undo", {})
        assert undone["cards"] == [order[30]]
        assert cards(server) == order[30:]
    assert certified.gather(table).checks.twice == 0  # type: ignore[union-attr]


def test_the_second_look_at_a_card_that_was_passed_over_is_its_first(table: Path) -> None:
    with serving(table, "--certify") as server:
        order = cards(server)
        answer(server, [*order[1:30], order[30]])
    views = [event.view for event in Log.of(table).read()]

    assert AGAIN not in views
    assert len(set(views)) == 1


def test_a_card_that_was_passed_over_comes_again_unless_it_has_no_picture(table: Path, tmp_path: Path) -> None:
    photos = tmp_path / "moved"
    write_table(Folder(photos), tmp_path / "unused.csv", FACES)
    gone = index.load(table).name(aliases.row(_first(table, 0)))
    (photos / gone).unlink()
    with serving(table, "--certify", "--root", str(photos)) as server:
        order = cards(server)
        assert server.get(f"/api/face/{order[0]}")["missing"]
        answer(server, order[2:6])
        assert cards(server)[:2] == [order[1], order[6]]
    found = certified.gather(table)

    assert found
    assert (len(found.cards), found.review.blind[found.cards[:2]].tolist()) == (6, [-3, -3])  # Unsure.


def _first(table: Path, turn: int) -> int:
    draw = Draw.of(index.load(table))
    return int(draw.rows[draw.order[turn]])


def test_faces_that_were_reviewed_in_the_open_are_no_cards(table: Path) -> None:
    with serving(table) as server:
        order = cards(server)
        say(server, aliases.row(order[0]), "happy")
        assert order[0] not in cards(server)
        assert server.get("/api/card?skip=1")["item"]["row"] == order[2]


def test_the_end_prints_the_certificate_and_writes_it(table: Path) -> None:
    with serving(table, "--certify", "--by", "folder") as server:
        order = cards(server)
        answer(server, order[:24], "happy")
        told = line(server)
        server.process.send_signal(signal.SIGTERM)
        out, err = server.process.communicate(timeout=60)
    record = run_record.read(table)

    assert re.match(r"2\d cards: the accuracy is known to within ±", told)
    assert "%" not in told
    assert "of the labels are right" in out
    assert "24 faces looked at blind" in out
    assert "largest gap" in out or "cannot be compared" in out
    assert "24 faces are reviewed" in err
    assert record
    assert record.certificate
    assert record.certificate["cards"] == 24


def test_without_a_card_there_is_no_certificate(table: Path) -> None:
    with serving(table) as server:
        say(server, 0, "sad")
        server.process.send_signal(signal.SIGTERM)
        out, _ = server.process.communicate(timeout=60)

    assert out == ""
    assert run_record.read(table).certificate is None  # type: ignore[union-attr]


def test_sentinels_correct_nothing_count_nowhere_and_come_once(table: Path) -> None:
    with serving(table, "--certify") as server:
        answer(server, cards(server)[:26], "angry")
    with serving(table) as server:
        line(server)
        reviewed, shown = server.get("/api/status")["reviewed"], sentinels(server)
        number = next(iter(shown))
        before = shown[number]
        row = aliases.row(number)
        face = server.get(f"/api/face/{number}")
        assert (before["label"], before["reviewed"], face["label"]) == ("happy", False, "happy")
        assert (face["history"], face["faces"][0]["row"], face["score"]) == (
            [],
            number,
            pytest.approx(before["score"], abs=1e-4),
        )
        said = say(server, number, "happy", shown=False)
        assert (said["changed"][0]["label"], said["changed"][0]["reviewed"], said["reviewed"]) == (
            "happy",
            True,
            reviewed,
        )
        assert server.get(f"/api/face/{row}")["label"] == "angry"
        undone = server.post("/api/undo", {})
        assert [(one["row"], one["reviewed"]) for one in undone["changed"]] == [(number, False)]
        server.post("/api/redo", {})
        assert number not in sentinels(server)
    event = next(event for event in Log.of(table).read() if event.view == SENTINEL)
    found = certified.gather(table)

    assert found
    assert (event.old, event.new, event.shown) == ("happy", "happy", True)
    assert (found.checks.sentinels, found.checks.missed, len(found.cards)) == (1, 1, 26)
    with serving(table, "--no-cards") as server:
        assert server.get("/api/table")["cards"] is None
        assert sentinels(server, tries=10) == {}
        assert server.request("GET", "/api/card").status == 404


def sentinels(server: Server, tries: int = 60) -> dict[int, dict[str, Any]]:
    """Return the sentinels of views of what is not reviewed: a short view has one by chance."""
    for least in range(tries):
        view = server.post("/api/view", {"reviewed": False, "label": "happy", "min_score": least / 1000})["view"]
        items = server.get(f"/api/view/{view}?start=0&count=400")["items"]
        found = {item["row"]: item for item in items if aliases.is_one(item["row"])}
        if found:
            return found
        say(server, next(item["row"] for item in items), "happy")
        server.post("/api/undo", {})
    return {}


@pytest.mark.parametrize("number", [1 << 30 | 3 << 28, 1 << 30 | 500, 1 << 30 | 2 << 28 | 500])
def test_an_alias_of_no_row_is_refused(table: Path, number: int) -> None:
    with serving(table) as server:
        body = {"action": uuid.uuid4().hex, "events": [{"row": number, "new": "sad"}]}
        statuses = [
            server.request("GET", f"/api/face/{number}").status,
            server.request("GET", f"/api/sprite?rows={number}").status,
            server.request("POST", "/api/events", body).status,
        ]
    assert statuses in ([404, 404, 404], [404, 404, 400])
    assert Log.of(table).read() == []


def refused(*arguments: object) -> str:
    command = [sys.executable, "-m", "labeler", "review", *map(str, arguments), "--certify", "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_what_cannot_be_certified_is_refused_with_one_line(table: Path, tmp_path: Path) -> None:
    write_table(Folder(tmp_path / "few"), tmp_path / "few.csv", 49)

    assert "--read-only" in refused(table, "--read-only")
    assert "--audit" in refused(table, "--audit", table)
    assert "49 faces, too few" in refused(tmp_path / "few.csv")
    assert "--by FILE.csv:COLUMN" in refused(table, "--by", "camera")
    assert "has no column 'camera'" in refused(table, "--by", f"{table}:camera")
    assert "none.csv does not exist" in refused(table, "--by", "none.csv:camera")


def test_a_table_that_grew_says_that_a_new_sample_begins(table: Path) -> None:
    with serving(table, "--certify") as server:
        answer(server, cards(server)[:3])
    rows = list(reader.read(table))
    with table.open("ab") as file:
        last = table.read_bytes().splitlines(keepends=True)[-1]
        file.write(last.replace(rows[-1].file.encode(), b"1/9999.png"))
    with serving(table, "--certify") as server:
        assert len([one for one in cards(server) if aliases.of(one) is Alias.CARD]) == FACES + 1 - 3
        _, said = server.stop()

    assert "3 blind answers are of another draw" in said
    assert "a new sample begins" in said


@pytest.mark.parametrize(
    ("half_width", "more", "told"),
    [
        (None, None, "too few"),
        (0.058, 160, "within ±5.8 points; about 160 more narrow it to ±3 points"),
        (0.058, None, "cannot be said yet"),
        (0.03, 0, "within ±3 points. That is enough; Ctrl-C"),
    ],
)
def test_the_line_says_how_much_is_left_and_never_the_accuracy(
    half_width: float | None, more: int | None, told: str
) -> None:
    found = progress(1200, half_width, more, 0.03)

    assert found.startswith("1,200 cards: ")
    assert told in found
    assert "%" not in found
