"""The addresses that the page asks: parsed, answered by the desk, in JSON or as a picture."""

from __future__ import annotations

import json
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from labeler.errors import LabelerError
from labeler.review.desk import Desk
from labeler.review.refused import Refused
from labeler.review.thumbnails import Stopped

STATIC = Path(__file__).parent / "static"
"""The page's own files."""

_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
}
_MOST_ITEMS = 400
_MOST_TILES = 128
_TILE_SIDES = range(16, 257)
_PHOTO_SIDES = range(64, 4097)
_CLOSED = 499
"""The status, of nginx, of an answer that nobody waits for."""

Answer = Callable[[Request], Awaitable[Response]]


def application(desk: Desk, static: Path = STATIC) -> Starlette:
    """Return the application, without its guard."""
    assets = _assets(static)
    found = Starlette(
        routes=[
            Route("/", _asset(assets, "index.html")),
            Route("/static/{name:path}", _asset(assets)),
            Route("/api/table", _asked(lambda _: desk.table())),
            Route("/api/status", _asked(lambda _: desk.status())),
            Route("/api/view", _told(desk.view), methods=["POST"]),
            Route("/api/view/{view}", _asked(partial(_part, desk))),
            Route("/api/card", _asked(lambda request: desk.card(_number(request, "skip", 0, range(1 << 20))))),
            Route("/api/face/{row:int}", _asked(lambda request: desk.face(request.path_params["row"]))),
            Route("/api/sprite", partial(_sprite, desk)),
            Route("/api/photo/{row:int}", partial(_photo, desk)),
            Route("/api/events", _told(desk.say), methods=["POST"]),
            Route("/api/add", _told(desk.add), methods=["POST"]),
            Route("/api/undo", _told(desk.undo), methods=["POST"]),
            Route("/api/redo", _told(partial(desk.undo, redo=True)), methods=["POST"]),
        ],
        exception_handlers={Refused: _refused, LabelerError: _failed, HTTPException: _unknown},
    )
    found.router.redirect_slashes = False
    return found


def _part(desk: Desk, request: Request) -> dict[str, Any]:
    start = _number(request, "start", 0, range(1 << 31))
    return desk.part(request.path_params["view"], start, _number(request, "count", 100, range(1, _MOST_ITEMS + 1)))


async def _sprite(desk: Desk, request: Request) -> Response:
    """Return a sprite; when the page does not wait for it any more, it is not made further."""
    rows, side = desk.rows(_rows(request)), _number(request, "side", 96, _TILE_SIDES)
    gone = threading.Event()

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            image, missing = await to_thread.run_sync(desk.sprite, rows, side, gone.is_set)
        except Stopped:
            return Response(status_code=_CLOSED)
        finally:
            group.cancel_scope.cancel()
    told = {str(row): reason[:100] for row, reason in missing.items()}
    return Response(image, media_type="image/jpeg", headers={"X-Missing": json.dumps(told)})


async def _photo(desk: Desk, request: Request) -> Response:
    side = _number(request, "side", 1600, _PHOTO_SIDES)
    image = await to_thread.run_sync(desk.photo, request.path_params["row"], side)
    return Response(image, media_type="image/jpeg")


def _asked(answer: Callable[[Request], dict[str, Any]]) -> Answer:
    """Return what answers a question in a thread."""

    async def answered(request: Request) -> Response:
        return JSONResponse(await to_thread.run_sync(answer, request))

    return answered


def _told(do: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
    """Return what does something with the object that a request brings, in a thread."""

    async def answered(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
        except (ValueError, RecursionError) as exc:
            raise Refused(400, "the body is not JSON") from exc
        if not isinstance(body, dict):
            raise Refused(400, "the body is no object")
        return JSONResponse(await to_thread.run_sync(do, body))

    return answered


def _assets(static: Path) -> dict[str, Path]:
    """Return the page's files by name: only these are ever served."""
    files = (path for path in static.rglob("*") if path.suffix in _TYPES and path.is_file() and not path.is_symlink())
    return {path.relative_to(static).as_posix(): path for path in files}


def _asset(assets: dict[str, Path], always: str = "") -> Answer:
    async def answered(request: Request) -> Response:
        path = assets.get(always or request.path_params["name"])
        if not path:
            raise Refused(404, "there is no such file")
        return Response(path.read_bytes(), media_type=_TYPES[path.suffix])

    return answered


def _number(request: Request, name: str, default: int, allowed: range) -> int:
    text = request.query_params.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) not in allowed:
        raise Refused(400, f"{name} has to be a number from {allowed.start} to {allowed.stop - 1}")
    return int(text)


def _rows(request: Request) -> list[int]:
    texts = request.query_params.get("rows", "").split(",")
    known = all(text.isascii() and text.isdecimal() and len(text) <= 10 for text in texts)
    if not known or not 0 < len(texts) <= _MOST_TILES or len(set(texts)) < len(texts):
        raise Refused(400, f"rows has to be 1 to {_MOST_TILES} different numbers")
    return list(map(int, texts))


async def _refused(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, Refused)
    return _error(exc.status, exc.message)


async def _failed(_: Request, exc: Exception) -> Response:
    """Tell that the log cannot be written, or is damaged; nothing was changed."""
    return _error(503, str(exc))


async def _unknown(_: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return _error(exc.status_code, exc.detail)


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)
