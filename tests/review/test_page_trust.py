"""Each way in which another page, program or user could reach the photos or the corrections, tried on a real server."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Folder
from review_server import Server, serving, write_table

from labeler.review import trust

READING = ["/api/table", "/api/status", "/api/view/x-1", "/api/face/0", "/api/photo/0", "/api/sprite?rows=0"]
WRITING = ["/api/view", "/api/events", "/api/add", "/api/undo", "/api/redo"]
ROUTES = [("GET", path) for path in [*READING, "/nothing"]] + [("POST", path) for path in WRITING]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    place = tmp_path_factory.mktemp("trust")
    (place / "photos").mkdir()
    (place / "secret.png").write_bytes(b"secret")
    write_table(Folder(place / "photos"), place / "t.csv")
    with serving(place / "t.csv", environment={"XDG_RUNTIME_DIR": "", "TMPDIR": str(place)}) as found:
        yield found
        assert not (place / "t.csv.reviews.jsonl").exists(), "an attack wrote a correction"


def body(method: str) -> dict[str, Any] | None:
    return {"action": "0" * 32, "events": [{"row": 0, "new": "sad"}]} if method == "POST" else None


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("token", ["", "x", "wrong" * 10, "é", None], ids=repr)
def test_without_the_token_nothing_is_answered(server: Server, method: str, path: str, token: str | None) -> None:
    headers = {} if token is None else {"X-Labeler-Token": token}
    answer = server.request(method, path, body(method), headers, token=False)

    assert answer.status == 403
    assert "token" in answer.value["error"]["message"]


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/"), ("GET", "/static/app.js")])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example:{port}",
        "127.0.0.1.nip.io:{port}",
        "evil.example:{port}",
        "localhost.evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "127.0.0.1:{port}1",
        "0.0.0.0:{port}",
        "[::1]:{port}",
        "2130706433:{port}",
        "127.1:{port}",
        "user@127.0.0.1:{port}",
        "",
    ],
)
def test_a_name_that_leads_here_is_not_enough(server: Server, method: str, path: str, host: str) -> None:
    answer = server.request(method, path, body(method), {"Host": host.format(port=server.port)})

    assert answer.status in {400, 403}
    assert b"happy" not in answer.content


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_names_are_answered(server: Server, name: str) -> None:
    host = f"{name}:{server.port}"

    assert server.request("GET", "/api/status", None, {"Host": host}).status == 200
    assert server.request("GET", "/api/status", None, {"Host": host, "Origin": f"http://{host}"}).status == 200


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://evil.example",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1",
        "http://localhost:{port}",
        "file://",
        "",
    ],
)
def test_another_page_is_refused_even_with_the_token(server: Server, method: str, path: str, origin: str) -> None:
    answer = server.request(method, path, body(method), {"Origin": origin.format(port=server.port)})

    assert answer.status == 403


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "odd"])
def test_what_the_browser_says_another_page_asks_is_refused(server: Server, method: str, path: str, site: str) -> None:
    opening = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}

    for headers in ({}, opening):
        assert server.request(method, path, body(method), {"Sec-Fetch-Site": site, **headers}).status == 403


def test_the_page_can_be_opened_but_not_framed_or_embedded(server: Server) -> None:
    def status(dest: str, mode: str = "navigate") -> int:
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest}
        return server.request("GET", "/", None, headers, token=False).status

    assert status("document") in {200, 404}
    assert [status("iframe"), status("embed"), status("image", "no-cors"), status("script", "no-cors")] == [403] * 4


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", ["/", "/api/events", "/api/table", "/static/app.js"])
def test_other_methods_are_refused(server: Server, method: str, path: str) -> None:
    answer = server.request(method, path)

    assert answer.status == 405
    assert "access-control-allow-origin" not in answer.headers


def test_a_question_cannot_be_posted_and_a_change_cannot_be_got(server: Server) -> None:
    assert {server.request("POST", path, {}).status for path in READING} == {405}
    assert {server.request("GET", path).status for path in WRITING if path != "/api/view"} == {405}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_form_of_another_page_is_refused(server: Server, kind: str) -> None:
    assert server.request("POST", "/api/events", body("POST"), {"Content-Type": kind}).status == 415


@pytest.mark.parametrize(
    "path",
    [
        "/static/../trust.py",
        "/static/..%2ftrust.py",
        "/static/%2e%2e/trust.py",
        "/static/..%5ctrust.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/....//trust.py",
        "/static/index.html%00.js",
        "/static/",
        "/static",
        "/../../secret.png",
        "//etc/passwd",
        "/api/../static/../trust.py",
        "/api/photo/../../secret.png",
        "/api/photo/0/../../../secret.png",
        "/api/photo/-1",
        "/api/photo/6",
        "/api/photo/99999999999999999999",
        "/api/photo/0x0",
        "/api/face/%2e%2e",
        "/api/sprite?rows=../../secret.png",
        "/api/sprite?rows=-1",
        "/api/sprite?rows=6",
        "/api/sprite?rows=0&side=100000",
        "/api/photo/0?side=1000000",
        "/api/view/..%2f..%2fetc",
    ],
)
def test_nothing_but_the_page_and_the_tables_photos_is_served(server: Server, path: str) -> None:
    for sent in (server.request("GET", path), server.request("GET", path, token=False)):
        assert 400 <= sent.status < 500
        assert b"secret" not in sent.content
        assert b"import" not in sent.content
        assert b"root:" not in sent.content


def test_a_body_that_is_too_long_is_refused(server: Server) -> None:
    answer = server.request("POST", "/api/events", b"[" * (trust.MOST_BYTES + 1))

    assert answer.status == 413


def test_a_body_without_an_end_is_refused_once_it_is_too_long(server: Server) -> None:
    head = (
        f"POST /api/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nX-Labeler-Token: {server.token}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode())
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 200 * trust.MOST_BYTES:
                connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                sent += 0x10000
    assert sent < 20 * trust.MOST_BYTES
    assert server.get("/api/status")["reviewed"] == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"1",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"events": []}',
        b'{"events": {}}',
        b'{"events": [1]}',
    ],
    ids=repr,
)
def test_a_body_that_is_no_action_is_refused(server: Server, content: bytes) -> None:
    assert server.request("POST", "/api/events", content).status == 400


@pytest.mark.parametrize(
    "wrong",
    [
        {"row": -1},
        {"row": 6},
        {"row": True},
        {"row": "0"},
        {"row": 1e9},
        {"new": "joy"},
        {"new": ""},
        {"new": None},
        {"new": ["sad"]},
        {"view": "x" * 99},
        {"view": "a\nb"},
        {"shown": 1},
        {"ms": -1},
        {"ms": "1"},
        {"ms": float("inf")},
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused_whole(server: Server, wrong: dict[str, Any]) -> None:
    events = [{"row": 1, "new": "sad"}, {"row": 0, "new": "sad", **wrong}]

    assert server.request("POST", "/api/events", {"action": "1" * 32, "events": events}).status == 400


@pytest.mark.parametrize("action", ["", "x" * 32, "1" * 31, "../../../../../../../../etc/passwd1", 5, None])
def test_an_action_has_a_name_that_is_no_path(server: Server, action: object) -> None:
    assert server.request("POST", "/api/events", {"action": action, "events": [{"row": 0, "new": "sad"}]}).status == 400


@pytest.mark.parametrize(
    "box", [None, [1, 2, 3], ["1", 2, 3, 4], [-5, 0, 9, 9], [0, 0, 99, 9], [0, 0, 0, 0], [0, 0, 1e99, 1]]
)
def test_a_box_lies_in_its_photo(server: Server, box: object) -> None:
    assert server.request("POST", "/api/add", {"action": "1" * 32, "row": 0, "new": "sad", "box": box}).status == 400


@pytest.mark.parametrize(
    "path", ["/", "/static/nothing.js", "/api/table", "/api/sprite?rows=0", "/api/photo/0", "/api/photo/9"]
)
def test_every_answer_forbids_what_the_page_does_not_need(server: Server, path: str) -> None:
    for answer in (server.request("GET", path), server.request("GET", path, None, {"Host": "evil.example"})):
        policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "server" not in answer.headers


TOKEN = "X-Labeler-Token: {token}\r\n"
HOST = "Host: 127.0.0.1:{port}\r\n"
ORIGIN = "Origin: http://127.0.0.1:{port}\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        f"{HOST}Host: evil.example\r\n{TOKEN}",
        TOKEN,
        f"Host: evil.example\r\n{TOKEN}",
        f"{HOST}{TOKEN}X-Labeler-Token: x\r\n",
        f"{HOST}{TOKEN}{ORIGIN}Origin: null\r\n",
        f"{HOST}{TOKEN}Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n",
        f"{HOST}X-Forwarded-For: 127.0.0.1\r\nForwarded: host=127.0.0.1\r\n",
    ],
)
@pytest.mark.parametrize("target", ["/api/status", "http://127.0.0.1:{port}/api/status"])
def test_headers_that_are_twice_or_missing_open_nothing(server: Server, target: str, headers: str) -> None:
    text = f"GET {target} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"
    answer = server.raw(text.format(port=server.port, token=server.token).encode())

    assert re.match(rb"HTTP/1\.1 40[03] ", answer)
    assert b"instance" not in answer


def test_it_listens_on_the_loopback_only(server: Server) -> None:
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]

    assert [address for address in listening if address.endswith(f":{server.port:04X}")] == [
        f"0100007F:{server.port:04X}"
    ]


def test_read_only_refuses_whatever_changes_something(folder: Folder, tmp_path: Path) -> None:
    write_table(folder, tmp_path / "t.csv")
    with serving(tmp_path / "t.csv", "--read-only") as server:
        said = {"action": "1" * 32, "events": [{"row": 0, "new": "sad"}]}
        added = {"action": "1" * 32, "row": 0, "new": "sad", "box": [1, 1, 9, 9]}
        for path, sent in (("events", said), ("add", added), ("undo", {}), ("redo", {})):
            assert server.request("POST", f"/api/{path}", sent).status == 403
        assert server.get("/api/table")["read_only"]
        assert server.post("/api/view", {})["count"] == 6
    assert {path.name for path in tmp_path.iterdir()} & {"t.csv.reviews.jsonl", "t.csv.reviews.lock"} == set()
