"""Who may talk to the page's server: one middleware that looks at every request before anything else does."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 1 << 20
"""Upper limit on the body of a request: 5,000 labels, at 150 bytes each, are 750,000."""

TOKEN = b"x-labeler-token"

_NAMES = ("127.0.0.1", "localhost")
_METHODS = frozenset({"GET", "HEAD", "POST"})

_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_HEADERS = {
    b"content-security-policy": _POLICY,
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"x-frame-options": b"DENY",
}
"""What stands in every answer."""


class Guard:
    """Refuses requests of other pages, other names and other programs, and gives every answer its headers.

    A page on the web can send requests to 127.0.0.1, and its owner can let a name of his own lead there (DNS
    rebinding). So a request must name this server exactly as it is called (`Host`), must not come from another page
    (`Origin`, `Sec-Fetch-Site`) and, for anything but the page's own static files, must bring the token, which no
    other page and no other user of this machine can know.
    """

    def __init__(self, app: App, token: str, port: int | None) -> None:
        """``port`` is that of the server, None for a Unix socket, in front of which any port may stand."""
        self._app, self._token, self._port = app, token.encode(), port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [one for one in message.get("headers", ()) if one[0].lower() not in _HEADERS]
                message = {**message, "headers": [*own, *_HEADERS.items()]}
            await send(message)

        refused = self._refused(scope)
        if refused:
            await _answer(guarded, *refused)
            return
        if scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                await _answer(guarded, 413, f"the body has more than {MOST_BYTES:,} bytes")
                return
            receive = _again(body, receive)
        await self._app(scope, receive, guarded)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and the reason with which a request is refused; None if it is not."""
        headers = _Headers(scope)
        path = scope["path"]
        is_page = path == "/"
        host = headers.only(b"host")
        if host is None or not self._is_own(host):
            return 403, "this server is not called so"
        if headers.has(b"origin") and headers.only(b"origin") != f"http://{host}":
            return 403, "the request comes from another page"
        if headers.has(b"sec-fetch-site") and not _is_same_site(headers, is_page=is_page):
            return 403, "the request comes from another page"
        if scope["method"] not in _METHODS:
            return 405, "this server does not know this method"
        is_open = scope["method"] != "POST" and (is_page or path.startswith("/static/"))
        token = headers.only(TOKEN) or ""
        if not is_open and not hmac.compare_digest(token.encode("latin-1"), self._token):
            return 403, "the token is missing or wrong; open the page with the address that the command gave"
        if scope["method"] == "POST" and (headers.only(b"content-type") or "").partition(";")[0] != "application/json":
            return 415, "the body has to be application/json"
        return None

    def _is_own(self, host: str) -> bool:
        name, _, port = host.partition(":")
        if self._port is None:
            return name in _NAMES and (port.isdecimal() or not port) and port.isascii()
        return name in _NAMES and port == str(self._port)


class _Headers:
    """The headers of a request; one that is there twice is ambiguous, and so is none."""

    def __init__(self, scope: Scope) -> None:
        self._headers: list[tuple[bytes, bytes]] = list(scope["headers"])

    def has(self, name: bytes) -> bool:
        return any(one == name for one, _ in self._headers)

    def only(self, name: bytes) -> str | None:
        found = [value for one, value in self._headers if one == name]
        return found[0].decode("latin-1") if len(found) == 1 else None


def _is_same_site(headers: _Headers, *, is_page: bool) -> bool:
    """Say whether the browser says that our own page asks, or that a person opens the page.

    The page itself holds no data, and a browser says `cross-site` when it is opened by a file.
    """
    site = headers.only(b"sec-fetch-site")
    if site == "same-origin":
        return True
    opens = headers.only(b"sec-fetch-mode") == "navigate" and headers.only(b"sec-fetch-dest") == "document"
    return is_page and opens


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request; None if it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives a body which was read, and then what comes after it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def first() -> Message:
        return left.pop() if left else await receive()

    return first


async def _answer(send: Send, status: int, message: str) -> None:
    content = json.dumps({"error": {"message": message}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    headers.append((b"connection", b"close"))  # What else is sent on it, such as the rest of a body, is not read.
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
