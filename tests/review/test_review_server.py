"""The command as a process: start, questions, a second server, the end, and what a SIGKILL loses."""

from __future__ import annotations

import asyncio
import http.client
import os
import random
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from conftest import ROOT, Folder, content_of
from review_server import Server, serving, write_table

from labeler.review import server as serving_page
from labeler.tables.review_log import Log


@pytest.fixture
def table(folder: Folder, tmp_path: Path) -> Path:
    write_table(folder, tmp_path / "t.csv")
    return tmp_path / "t.csv"


def action() -> str:
    return uuid.uuid4().hex


def labels(server: Server) -> list[str]:
    view = server.post("/api/view", {"order": "file"})["view"]
    return [item["label"] for item in server.get(f"/api/view/{view}?start=0&count=400")["items"]]


def test_a_view_says_where_the_first_of_some_rows_is_that_it_has(table: Path) -> None:
    with serving(table) as server:
        items = server.get(f"/api/view/{server.post('/api/view', {'label': 'happy'})['view']}?start=0&count=3")["items"]
        third, first = items[2]["row"], items[0]["row"]
        found = server.post("/api/view", {"label": "happy", "near": [987_654, third, first]})["found"]

        assert found == {"row": third, "position": 2}
        assert server.post("/api/view", {"label": "happy", "near": [987_654]})["found"] is None
        assert server.request("POST", "/api/view", {"near": ["a"]}).status == 400


def test_a_face_is_seen_relabelled_undone_and_redone(table: Path) -> None:
    with serving(table) as server:
        about = server.get("/api/table")
        assert (about["faces"], about["classes"]) == (6, ["angry", "happy", "sad"])
        assert about["keys"] == {"angry": "a", "happy": "h", "sad": "s"}
        assert about["folders"] == [["0", 3], ["1", 3]]
        view = server.post("/api/view", {"label": "happy", "order": "doubtful", "folder": "0"})
        items = server.get(f"/api/view/{view['view']}?start=1&count=2")["items"]
        assert view["count"] == 3
        assert [item["second"] for item in items] == ["sad", "sad"]
        row = items[0]["row"]
        sprite = server.request("GET", f"/api/sprite?rows={row},{items[1]['row']}&side=64")
        assert (sprite.status, sprite.headers["content-type"], sprite.headers["x-missing"]) == (200, "image/jpeg", "{}")
        said = server.post("/api/events", {"action": action(), "events": [{"row": row, "new": "sad", "ms": 412.5}]})
        assert said["changed"] == [{"row": row, "label": "sad", "before": "happy", "reviewed": True, "reviewer": "ann"}]
        assert (said["counts"], said["reviewed"]) == ({"happy": 5, "sad": 1}, 1)
        face = server.get(f"/api/face/{row}")
        assert (face["label"], face["before"], face["image"], face["missing"]) == ("sad", "happy", [48, 48], None)
        assert [entry["new"] for entry in face["history"]] == ["sad"]
        assert server.post("/api/undo", {})["changed"][0]["label"] == "happy"
        assert server.post("/api/redo", {})["changed"][0]["label"] == "sad"
        assert server.post("/api/redo", {})["action"] is None
    assert [event.ms for event in Log.of(table).read()] == [412, None, None]


def test_a_face_that_was_missed_is_added_and_taken_back(table: Path) -> None:
    with serving(table) as server:
        body = {"action": action(), "row": 2, "box": [1, 2, 30, 20], "new": "sad", "view": "single"}
        added = server.post("/api/add", body)
        assert added["row"] == 6
        assert server.post("/api/add", body)["row"] == 6
        assert server.get("/api/face/6")["box"] == [1, 2, 30, 20]
        assert [face["row"] for face in server.get("/api/face/2")["faces"]] == [2, 6]
        server.post("/api/events", {"action": action(), "events": [{"row": 6, "new": ""}]})
        assert [face["row"] for face in server.get("/api/face/2")["faces"]] == [2]


def test_what_is_sent_again_after_a_restart_is_said_once(table: Path) -> None:
    body = {"action": action(), "events": [{"row": row, "new": "angry"} for row in range(3)]}
    with serving(table) as server:
        first = server.post("/api/events", body)
        instance = server.get("/api/status")["instance"]
    with serving(table) as server:
        assert server.post("/api/events", body) == first
        assert server.get("/api/status")["instance"] != instance
    assert len(Log.of(table).read()) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_and_leaves_nothing_behind(table: Path, number: int, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    with serving(table, environment={"XDG_RUNTIME_DIR": str(runtime)}) as server:
        (page,) = runtime.iterdir()
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert f'url={server.url}"' in page.read_text("utf-8")
        server.get("/api/status")
        idle = server.connection()
        idle.request("GET", "/api/status", headers={"X-Labeler-Token": server.token})
        idle.getresponse().read()
        code, said = server.stop(number)
        idle.close()
    assert code == 0
    assert "0 faces are reviewed" in said
    assert "Traceback" not in said
    assert list(runtime.iterdir()) == []
    assert not (tmp_path / "t.csv.reviews.lock").exists()


@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_a_signal_while_the_table_is_read_is_not_lost(table: Path, seconds: float) -> None:
    with serving(table) as server:
        time.sleep(seconds)
        assert server.stop(signal.SIGINT)[0] in {0, 130}


def test_a_signal_whose_exception_a_library_swallows_ends_it_all_the_same(table: Path) -> None:
    script = f"""
import os, signal, sys
from labeler.cli import app
from labeler.tables import index
load = index.load
def swallowing(table):
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        pass
    return load(table)
index.load = swallowing
sys.argv = ["labeler", "review", {str(table)!r}, "--no-browser"]
app.main()
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)

    assert told.returncode == 0, told.stderr
    assert "0 faces are reviewed" in told.stderr


def test_the_token_is_in_no_list_of_processes(table: Path) -> None:
    with serving(table) as server:
        shown = [Path(f"/proc/{name}/cmdline") for name in os.listdir("/proc") if name.isdecimal()]
        assert not [path for path in shown if server.token.encode() in content_of(path)]


@pytest.mark.parametrize("mode", ["shared", "absent"])
def test_a_runtime_folder_that_others_can_open_is_not_used(table: Path, tmp_path: Path, mode: str) -> None:
    runtime, temporary = tmp_path / "runtime", tmp_path / "tmp"
    temporary.mkdir()
    if mode == "shared":
        runtime.mkdir()
        runtime.chmod(0o755)
    with serving(table, environment={"XDG_RUNTIME_DIR": str(runtime), "TMPDIR": str(temporary)}) as server:
        (folder,) = temporary.iterdir()
        assert folder.name == f"labeler-{os.getuid()}"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(list(folder.iterdir())) == 1
        assert mode == "absent" or not list(runtime.iterdir())
        server.get("/api/status")
        server.stop()
    assert list(folder.iterdir()) == []


def kill(server: Server) -> None:
    server.get("/api/status")
    server.stop(signal.SIGKILL)


def test_after_a_kill_the_same_command_takes_its_address_again_and_after_an_end_another(table: Path) -> None:
    with serving(table) as server:
        first = server.url
        kill(server)
    with serving(table, "--reviewer", "ben") as server:
        assert server.url == first
        kill(server)
    with serving(table, "--port", str(server.port)) as server:
        assert server.url == first
        server.get("/api/status")
        server.stop()
    with serving(table) as server:
        assert server.token not in first


def test_a_port_that_another_program_took_is_not_told_the_token(table: Path) -> None:
    """The tabs of the server that was killed may have told it to that program."""
    with serving(table) as server:
        first = server.url
        kill(server)
    with socket.create_server(("127.0.0.1", server.port)):
        with serving(table) as server:
            assert server.token not in first
            assert str(server.port) not in first
            kill(server)
        assert "--port" in refused(table, "--port", re.findall(r":(\d+)/", first)[0])


def test_who_only_looks_on_has_an_address_of_his_own(table: Path) -> None:
    with serving(table) as server:
        with serving(table, "--read-only") as looking:
            assert looking.token != server.token
            kill(looking)
        with serving(table, "--read-only") as again:
            assert again.token not in {server.token, looking.token}
        kill(server)
    with serving(table, "--read-only") as looking:
        assert looking.url != server.url
        with serving(table) as again:
            assert again.url == server.url


def test_the_browser_is_opened_through_the_file(table: Path, tmp_path: Path) -> None:
    (tmp_path / "browser").write_text(f'#!/bin/sh\ncat "$(echo "$1" | sed s,^file://,,)" > {tmp_path}/opened\n')
    (tmp_path / "browser").chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    command = [sys.executable, "-m", "labeler", "review", str(table)]
    started = {**environment, "BROWSER": f"{tmp_path}/browser %s"}
    with subprocess.Popen(command, env=started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 60
        while not (tmp_path / "opened").exists() or not (tmp_path / "opened").read_text():
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert re.search(r'url=http://127\.0\.0\.1:\d+/#token=[\w-]{40,}"', (tmp_path / "opened").read_text())
    assert "token=" not in out + err


def test_without_a_browser_the_address_is_printed(table: Path, tmp_path: Path) -> None:
    left_out = {"SSH_CONNECTION", "BROWSER", "DISPLAY", "WAYLAND_DISPLAY"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    command = [sys.executable, "-m", "labeler", "review", str(table)]
    started = {**environment, "PATH": str(tmp_path)}
    with subprocess.Popen(command, env=started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#token=[\w-]{40,}\n", process.stdout.readline())
        finally:
            process.terminate()


@pytest.mark.parametrize("after_s", [0.02, 0.06, 0.1, 0.14])
def test_ctrl_c_while_the_table_is_read_ends_it(table: Path, after_s: float) -> None:
    command = [sys.executable, "-m", "labeler", "review", str(table), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=30)
        finally:
            process.kill()


def test_the_body_of_an_answer_does_not_wait_until_its_head_is_acknowledged() -> None:
    """It would by Nagle's algorithm, 40 ms; asyncio turns that off for sockets whose protocol is named."""

    async def delays(address: serving_page.Address) -> bool:
        noted = asyncio.get_running_loop().create_future()
        async with await asyncio.start_server(lambda _, to: noted.set_result(to), sock=address.listening.dup()):
            _, ours = await asyncio.open_connection(serving_page.HOST, address.port)
            theirs = await noted
            found = theirs.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            ours.close()
            theirs.close()
        return not found

    with serving_page.listening(0, None) as address:
        assert not asyncio.run(delays(address))


def test_over_ssh_it_says_how_to_forward_the_port(table: Path) -> None:
    with serving(table, environment={"SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}) as server:
        server.get("/api/status")
        _, said = server.stop()
    assert f"ssh -N -L {server.port}:127.0.0.1:{server.port} " in said
    assert server.token not in said


def refused(*arguments: object) -> str:
    """Run a review that does not start; return what it says."""
    command = [sys.executable, "-m", "labeler", "review", *map(str, arguments), "--no-browser"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    return done.stderr


def test_a_second_server_is_told_of_the_first(table: Path) -> None:
    with serving(table) as server:
        server.get("/api/status")
        said = refused(table)
        assert f"process {server.process.pid}, reviewer ann, on http://127.0.0.1:{server.port}" in said
        with serving(table, "--read-only") as looking:
            assert looking.get("/api/table")["faces"] == 6
    with serving(table) as server:
        server.get("/api/status")


def test_what_cannot_be_reviewed_is_refused_with_one_line(table: Path, tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none.csv")
    assert "--root" in refused(table, "--root", tmp_path / "nowhere")
    assert "reviewer" in refused(table, "--reviewer", "a\nb")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "--port" in refused(table, "--port", taken.getsockname()[1])
    assert not (tmp_path / "t.csv.reviews.lock").exists()


def test_a_table_that_is_damaged_ends_it_with_one_line(table: Path, tmp_path: Path) -> None:
    table.write_bytes(table.read_bytes()[:-3])
    with serving(table) as server:
        _, said = server.process.communicate(timeout=60)
        assert server.process.returncode == 2
    assert said.startswith(f"labeler: {table} is damaged")
    assert said.count("\n") == 1
    assert not (tmp_path / "t.csv.reviews.lock").exists()


def test_a_unix_socket_is_its_users_only_and_gone_at_the_end(table: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.sock"
    command = [sys.executable, "-m", "labeler", "review", str(table), "--unix-socket", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        token = process.stdout.readline().strip().partition("#token=")[2]
        assert stat.S_IMODE(place.stat().st_mode) == 0o600

        def status(host: str) -> int:
            connection = http.client.HTTPConnection("localhost")
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.connect(str(place))
            connection.request("GET", "/api/status", headers={"Host": host, "X-Labeler-Token": token})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status

        assert [status("127.0.0.1:8000"), status("localhost:1"), status("evil.example:8000")] == [200, 200, 403]
        assert "exists" not in refused(table, "--unix-socket", place, "--read-only")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert f"-L 8000:{place}" in said
    assert not place.exists()


def test_a_socket_that_a_kill_left_is_used_again_and_a_file_is_not(table: Path, tmp_path: Path) -> None:
    place = tmp_path / "page.sock"
    place.write_text("mine")
    assert "no socket" in refused(table, "--unix-socket", place)
    assert place.read_text() == "mine"
    place.unlink()
    tokens = set()
    for number in (signal.SIGKILL, signal.SIGTERM):
        command = [sys.executable, "-m", "labeler", "review", str(table), "--unix-socket", str(place)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout
            tokens.add(process.stdout.readline().partition("#token=")[2])
            process.send_signal(number)
            process.communicate(timeout=30)
    assert not place.exists()
    assert len(tokens) == 1
    assert tokens != {""}


def test_a_sprite_that_nobody_waits_for_does_not_keep_it_from_ending(table: Path) -> None:
    with serving(table) as server:
        server.get("/api/status")
        gone = server.connection()
        gone.request("GET", "/api/sprite?rows=0,1,2,3,4,5", headers={"X-Labeler-Token": server.token})
        gone.close()
        assert server.stop()[0] == 0


def _label_until_it_is_killed(server: Server, chance: random.Random, done: dict[int, str]) -> None:
    """Send labels one after another; note those that were acknowledged."""
    timer = threading.Timer(chance.uniform(0.0, 0.15), server.process.kill)
    timer.start()
    try:
        while True:
            row, new = chance.randrange(6), chance.choice(["angry", "happy", "sad", "uncertain"])
            body = {"action": action(), "events": [{"row": row, "new": new}]}
            if server.request("POST", "/api/events", body).status == 200:
                done[row] = new
                done.pop(-1, None)
            else:
                raise AssertionError("refused")
    except (OSError, http.client.HTTPException):
        done[-1] = f"{row}"  # It may stand in the log: the kill came between the disk and the answer.
        done[-2] = new
    finally:
        timer.join()


@pytest.mark.parametrize("kills", [pytest.param(4, marks=pytest.mark.heavy), pytest.param(100, marks=pytest.mark.slow)])
def test_a_kill_loses_no_correction_that_was_acknowledged(table: Path, kills: int) -> None:
    chance = random.Random(kills)
    expected = ["happy"] * 6
    for _ in range(kills):
        done: dict[int, str] = {}
        with serving(table) as server:
            assert labels(server) == expected
            _label_until_it_is_killed(server, chance, done)
        unsure, maybe = int(done.pop(-1, "-1")), done.pop(-2, "")
        for row, new in done.items():
            expected[row] = new
        with serving(table, "--read-only") as looking:
            found = labels(looking)
        if unsure >= 0 and found[unsure] == maybe:
            expected[unsure] = maybe
        assert found == expected


def test_without_the_extra_it_says_what_to_install(table: Path) -> None:
    script = "import sys; sys.modules['starlette'] = None; from labeler.__main__ import main; main()"
    command = [sys.executable, "-c", script, "review", str(table)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )

    assert done.returncode == 2
    assert "pip install 'labeler[review]'" in done.stderr
