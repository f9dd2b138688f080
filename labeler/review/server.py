"""Serve the page on this machine: a port or a Unix socket, an address with a token, an end within a second."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from labeler.errors import LabelerError
from labeler.review import routes, trust
from labeler.review.desk import Desk
from labeler.review.redirect import Left

HOST = "127.0.0.1"

_GRACE_S = 1
"""How long requests in progress may go on after the server was asked to stop."""

_BACKLOG = 128

_ENDS = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a review."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens: a port of 127.0.0.1, or a Unix socket; and the token that opens it."""

    listening: socket.socket
    port: int | None
    socket_path: Path | None
    token: str

    @property
    def url(self) -> str:
        """Return the address to open, with the token in its fragment, which browsers do not send."""
        return f"http://{HOST}:{self.port or 8000}/#token={self.token}"


@contextmanager
def listening(port: int, socket_path: Path | None, left: Left | None = None) -> Iterator[Address]:
    """Listen on a port, 0 for a free one, or on a Unix socket that only this user can open.

    The tabs of a server that was killed find this one where it takes the port and the token that are ``left``. On
    another port they could not, and whoever has the old one now may have been told the token by them: it is a new one.

    Whoever connects before `serve` runs waits.

    Raises:
        LabelerError: the port or the path is taken.
    """
    if socket_path:
        with _unix(socket_path) as found:
            yield Address(found, None, socket_path, left.token if left else _new_token())
        return
    with _tcp(port, left) as found:
        taken = found.getsockname()[1]
        yield Address(found, taken, None, left.token if left and left.port == taken else _new_token())


@contextmanager
def heard() -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set, besides what they do: a library may swallow their exception."""
    told = threading.Event()
    before = {number: signal.getsignal(number) for number in _ENDS}

    def hear(number: int, frame: FrameType | None) -> None:
        told.set()
        then = before[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for number in (number for number in _ENDS if callable(before[number])):  # Others are ignored, or end the process.
        signal.signal(number, hear)
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(desk: Desk, address: Address) -> None:
    """Answer requests until SIGINT or SIGTERM; both are the usual end."""
    application = trust.Guard(routes.application(desk), address.token, address.port)
    config = uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    asyncio.run(_Server(config, desk.stopping).serve([address.listening]))


class _Server(uvicorn.Server):
    """A server that ends by a signal, and does not raise it once more."""

    def __init__(self, config: uvicorn.Config, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._end) for number in _ENDS}
        self.should_exit = self._stopping.is_set()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()
        self.handle_exit(number, frame)


def _new_token() -> str:
    return secrets.token_urlsafe(32)


def _tcp(port: int, left: Left | None) -> socket.socket:
    if left and port == 0:
        with suppress(OSError):  # Another program has it.
            return _bound(left.port)
    try:
        return _bound(port)
    except OSError as exc:
        raise LabelerError(f"port {port} cannot be used ({exc.strerror}); choose another --port, or none") from exc


def _bound(port: int) -> socket.socket:
    # With its protocol named: only then asyncio sets TCP_NODELAY, without which the body of an answer waits 40 ms.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # On Windows it would let a second server in.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(_BACKLOG)
    except OSError:
        found.close()
        raise
    return found


@contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    _remove_dead(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as found:
        before = os.umask(0o177)
        try:
            found.bind(os.fspath(path))
        except OSError as exc:
            raise LabelerError(f"{path} cannot be a socket: {exc.strerror or exc}") from exc
        finally:
            os.umask(before)
        try:
            found.listen(_BACKLOG)
            yield found
        finally:
            with suppress(OSError):
                path.unlink()


def _remove_dead(path: Path) -> None:
    """Remove the socket of a server that was killed.

    Raises:
        LabelerError: something else is there, or a server that runs.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_socket():
        raise LabelerError(f"{path} exists and is no socket; choose another --unix-socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except OSError as exc:
            raise LabelerError(f"{path} cannot be used: {exc.strerror}") from exc
    raise LabelerError(f"another program listens on {path}; choose another --unix-socket")
