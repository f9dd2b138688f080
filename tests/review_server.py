"""A review that runs: a process of the command, and requests to it over the loopback."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import odd_rows
from conftest import Folder

from labeler.records import Row

NAMES = ("angry", "happy", "sad")


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def value(self) -> Any:
        return json.loads(self.content)


class Server:
    """The process; requests are those of its own page unless a test says otherwise."""

    def __init__(self, table: str | Path, *options: str, environment: Mapping[str, str] | None = None) -> None:
        command = [sys.executable, "-m", "labeler", "review", str(table), "--no-browser", "--reviewer", "ann", *options]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/#token=([\w-]+)", self.url)
        assert found, self.process.communicate()
        self.port, self.token = int(found[1]), found[2]

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        token: bool = True,
    ) -> Answer:
        """Send one request; ``body`` becomes JSON, bytes stay as they are."""
        connection = self.connection()
        sent = {"X-Labeler-Token": self.token} if token else {}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, content, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def get(self, path: str) -> Any:
        """Return the value that a question is answered with."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        return answer.value

    def post(self, path: str, body: object) -> Any:
        """Return the value that a request is answered with."""
        answer = self.request("POST", path, body)
        assert answer.status == 200, answer
        return answer.value

    def raw(self, content: bytes) -> bytes:
        """Send bytes; return what comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(content)
            found = b""
            while piece := connection.recv(1 << 16):
                found += piece
            return found

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code, and what the command said on stderr."""
        self.process.send_signal(number)
        said = self.process.communicate(timeout=30)[1]
        return self.process.returncode, said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@contextmanager
def serving(table: Path, *options: str, **settings: Any) -> Iterator[Server]:
    """Run the review of a table."""
    with Server(table, *options, **settings) as server:
        yield server


def write_table(folder: Folder, table: Path, count: int = 6) -> list[Row]:
    """Make photos and a table of their faces; return its rows."""
    rows = []
    for at in range(count):
        path = folder.picture(f"{at % 2}/{at:04}.png", (40 * at % 255, 90, 200))
        found = os.stat(path)
        row = Row.of_image(f"{at % 2}/{at:04}.png", 48, 48, f"{found.st_size}-{found.st_mtime_ns}")
        row = row._replace(face=0, x=0.0, y=0.0, width=48.0, height=48.0)
        rows.append(row.labelled((0.1, 0.5 + at / (4 * count), 0.4 - at / (4 * count)), NAMES, 0.0))
    rows.sort(key=lambda row: row.file)
    odd_rows.write_finished(table, odd_rows.record_of(NAMES, root=str(folder.path)), rows)
    return rows
