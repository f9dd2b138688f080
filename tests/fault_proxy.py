"""A proxy in front of a real server: it counts what is asked for, and does on purpose what networks do by accident."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

PAUSE_S = 0.2
_KEPT = ("content-type", "etag", "last-modified", "content-range", "accept-ranges")


class Fault(StrEnum):
    """What can happen to an answer."""

    SLOW = "slow"
    BUSY = "busy"
    RESET = "reset"
    TRUNCATED = "truncated"
    STALLED = "stalled"
    WRONG_TAG = "wrong tag"


class Proxy:
    """Hands requests on to a server, and its answers back.

    Attributes:
        asked: The method and the name of each request; a listing has no name.
        faults: By name, what happens to the next answers.
        always: By name, what happens to all others.
        gone: Whether the server seems to be switched off.
    """

    def __init__(self, server: str) -> None:
        self.server = urlsplit(server).netloc
        self.asked: list[tuple[str, str]] = []
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.always: dict[str, Fault] = {}
        self.gone = False
        self.ended = threading.Event()
        self.endpoint = ""

    def fault(self, name: str) -> Fault | None:
        """Return what is to happen to the next answer."""
        if waiting := self.faults.get(name):
            return waiting.popleft()
        return self.always.get(name)

    def got(self, name: str) -> int:
        """Return how often an object was asked for."""
        return self.asked.count(("GET", name))


@contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    """Yield a proxy of a server that listens at its ``endpoint`` until the block ends."""
    proxy = Proxy(server)
    listening = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": proxy}))
    proxy.endpoint = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.ended.set()
        listening.shutdown()
        thread.join()
        listening.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: that a client hangs up is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        """Hand a request on."""
        name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
        self.proxy.asked.append((self.command, name))
        fault = self.proxy.fault(name) if self.command == "GET" else None
        if self.proxy.gone or fault is Fault.RESET:
            self._reset()
        elif fault is Fault.BUSY:
            self._send(
                503, {}, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
            )
        else:
            if fault is Fault.SLOW:
                time.sleep(PAUSE_S)
            self._send(*self._answer(), fault)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - as the base class looks for them

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> tuple[int, dict[str, str], bytes]:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        upstream = http.client.HTTPConnection(self.proxy.server, timeout=30)
        try:
            upstream.request(self.command, self.path, content, dict(self.headers))
            answer = upstream.getresponse()
            headers = {name: value for name in (*_KEPT, "content-length") if (value := answer.getheader(name))}
            return answer.status, headers, answer.read()
        finally:
            upstream.close()

    def _send(self, status: int, headers: dict[str, str], content: bytes, fault: Fault | None = None) -> None:
        if self.command != "HEAD":
            headers["content-length"] = str(len(content))
        if fault is Fault.WRONG_TAG:
            headers["etag"] = '"wrong"'
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if fault in (Fault.TRUNCATED, Fault.STALLED):
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            if fault is Fault.STALLED:
                self.proxy.ended.wait(30)
            self._reset()
        else:
            self.wfile.write(content)

    def _reset(self) -> None:
        """End the connection without a goodbye."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RD)
            self.connection.close()
