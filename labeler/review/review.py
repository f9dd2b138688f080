"""The review of a table: one server for one table, whose corrections it alone writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from labeler import storage
from labeler.errors import LabelerError, OutputError, printable
from labeler.review import index, server
from labeler.review.current import Current
from labeler.review.desk import Desk
from labeler.review.thumbnails import Thumbnails
from labeler.review.tile_cache import NAME, TileCache
from labeler.storage.lock import Lock
from labeler.tables import corrections, reader, run_record
from labeler.tables.review_log import Log

_LONGEST_NOTE = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """What is reviewed, by whom, and where the page is."""

    table: Path
    reviewer: str
    root: str = ""
    """Where the photos are; empty for where they were."""
    cache: str = ""
    """The folder to keep thumbnails in; empty for that beside the table, `none` for none."""
    port: int = 0
    unix_socket: Path | None = None
    read_only: bool = False
    max_pixels: int = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a person has to know to open the page."""

    address: server.Address
    redirect: Path | None
    """A page that leads there; None for a Unix socket, which no browser opens."""


def run(settings: ReviewSettings, opened: Callable[[Opened], None]) -> Desk:
    """Serve the review of a table until SIGINT or SIGTERM; ``opened`` is called once connections are taken.

    Raises:
        LabelerError: there is no such table or folder, another review of it runs, or the port is taken.
        OutputError: the corrections cannot be written.
    """
    table = settings.table
    root = settings.root or reader.root(table)
    reader.class_names(table)
    if not os.path.isdir(root):
        raise LabelerError(f"the folder {root} does not exist; name that of the photos: --root FOLDER")
    log = Log.of(table)
    with (
        server.listening(settings.port, settings.unix_socket) as address,
        _held(log, settings, address),
        server.redirect(address.url) as page,
    ):
        opened(Opened(address=address, redirect=None if address.socket_path else page))
        current = Current(index.load(table), log, settings.reviewer, corrections.hashes(root))
        cache = TileCache(_cache_file(settings))
        try:
            thumbnails = Thumbnails(storage.at(root), settings.max_pixels, cache)
            desk = Desk(table, current, thumbnails, read_only=settings.read_only)
            server.serve(desk, address)
        finally:
            cache.close()
    return desk


def _cache_file(settings: ReviewSettings) -> Path | None:
    if settings.cache == "none":
        return None
    return (Path(settings.cache) if settings.cache else run_record.beside(settings.table, ".cache")) / NAME


@contextmanager
def _held(log: Log, settings: ReviewSettings, address: server.Address) -> Iterator[None]:
    """Hold the log of a table, so that no other review writes it, and note who holds it.

    Raises:
        LabelerError: another program holds it.
        OutputError: it cannot be written.
    """
    if settings.read_only:
        yield
        return
    lock = log.path.with_suffix(".lock")
    _refuse_second(lock, settings.table)
    with log.held():
        note = {"pid": os.getpid(), "reviewer": settings.reviewer, "port": address.port}
        with suppress(OSError):
            lock.write_text(json.dumps(note) + "\n", "utf-8")
        yield


def _refuse_second(lock: Path, table: Path) -> None:
    try:
        Lock(lock).release()
    except BlockingIOError as exc:
        raise LabelerError(
            f"{table} is reviewed already: {_holder(lock)}. Use that page, stop it, or look on with --read-only"
        ) from exc
    except OSError as exc:
        raise OutputError(f"cannot write {lock}: {exc.strerror or exc}; to look only: --read-only") from exc


def _holder(lock: Path) -> str:
    """Say who holds a lock, as far as he noted it."""
    try:
        with lock.open(encoding="utf-8") as file:
            note = json.loads(file.read(_LONGEST_NOTE))
        place = f"http://{server.HOST}:{int(note['port'])}" if note["port"] else "a Unix socket"
        return f"process {int(note['pid'])}, reviewer {printable(str(note['reviewer'])[:100])}, on {place}"
    except (OSError, ValueError, TypeError, KeyError):
        return "another program writes its corrections"
