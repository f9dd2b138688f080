"""The review of a table: one server for one table, whose corrections it alone writes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labeler import heap, storage
from labeler.certify.certified import WANTED, WITHIN
from labeler.certify.draw import FEWEST_FACES
from labeler.errors import LabelerError, ModelError, OutputError, printable
from labeler.inference import bundle
from labeler.records import Faces
from labeler.review import audited, redirect, server, told
from labeler.review.alike import Alike
from labeler.review.cards import Cards
from labeler.review.current import Current
from labeler.review.desk import Desk
from labeler.review.estimate import Estimate
from labeler.review.task import Task
from labeler.review.thumbnails import Thumbnails
from labeler.review.tile_cache import NAME, TileCache
from labeler.storage.address import absolute, is_remote
from labeler.storage.lock import Lock
from labeler.tables import corrections, index, reader, run_record
from labeler.tables.corrections import HashOf
from labeler.tables.review_log import Log
from labeler.tables.run_record import RunRecord

_LONGEST_NOTE = 1 << 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSettings:
    """What is reviewed, by whom, and where the page is."""

    table: Path
    reviewer: str
    root: str = ""
    """Where the photos are; empty for where they were."""
    model: str = ""
    """The model that labelled the table, for the order *alike*; empty for the bundle of the recorded name, if any."""
    cache: str = ""
    """The folder to keep thumbnails in; empty for that beside the table, `none` for none."""
    audit: Path | None = None
    """The table of an audit, whose order is offered."""
    port: int = 0
    unix_socket: Path | None = None
    read_only: bool = False
    max_pixels: int = 100_000_000
    certify: bool = False
    """Show blind cards, and nothing else."""
    cards: bool = True
    """Show blind cards and sentinels now and then."""
    wanted: float = WANTED
    within: float = WITHIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a person has to know to open the page."""

    address: server.Address
    redirect: Path | None
    """A page that leads there; None for a Unix socket, which no browser opens."""


def run(settings: ReviewSettings, opened: Callable[[Opened], None], note: Callable[[str], None]) -> Desk:
    """Serve the review of a table until SIGINT or SIGTERM; ``opened`` is called once connections are taken.

    ``note`` is called with what a person has to know besides.

    Raises:
        LabelerError: there is no such table or folder, another review of it runs, or the port is taken.
        OutputError: the corrections cannot be written.
    """
    table = settings.table
    root = reader.root(table, settings.root)
    reader.class_names(table)
    if settings.certify:
        reader.need_all(table, "a certificate")
    if not is_remote(root) and not os.path.isdir(root):
        raise LabelerError(f"the folder {root} does not exist; name that of the photos: --root FOLDER")
    doubted = audited.files(settings.audit) if settings.audit else None
    log = Log.of(table)
    # One who only looks on has a page of his own: that of the table belongs to who holds its log.
    name = redirect.new_name() if settings.read_only else redirect.name_of(log.path, settings.unix_socket)
    with (
        server.heard() as stopping,
        _held(log, settings),
        redirect.page(name) as page,
        server.listening(settings.port, settings.unix_socket, page.left) as address,
    ):
        if not settings.read_only:
            _note(log, settings, address)
        page.write(address.url)
        opened(Opened(address=address, redirect=None if address.socket_path else page.path))
        hash_of = corrections.hashes(root)
        current = Current(index.load(table), log, settings.reviewer, hash_of)
        heap.give_back()  # Only now: it would slow down reading the table.
        order = None if doubted is None else audited.order(doubted, current.index)
        folder = _cache_folder(settings)
        cache = TileCache(folder / NAME if folder else None)
        try:
            thumbnails = Thumbnails(storage.at(root), settings.max_pixels, cache)
            cards = _cards(settings, current, hash_of, thumbnails, note)
            with _likeness(settings, root) as alike:
                desk = Desk(
                    table,
                    current,
                    thumbnails,
                    alike,
                    order,
                    read_only=settings.read_only,
                    stopping=stopping,
                    cards=cards,
                    certifies=settings.certify,
                )
                server.serve(desk, address)
        finally:
            cache.close()
    return desk


def _cards(
    settings: ReviewSettings, current: Current, hash_of: HashOf, thumbnails: Thumbnails, note: Callable[[str], None]
) -> Cards | None:
    """Return the blind cards of a table; None where none are shown.

    Raises:
        LabelerError: cards are asked for, and the table is not one to draw them from.
    """
    found = current.index
    faces = int(np.count_nonzero(found.label != found.labels.index("")))
    estimate = Estimate(found, Log.of(settings.table).read, hash_of, settings.wanted, settings.within)
    if settings.certify:
        if faces < FEWEST_FACES:
            raise LabelerError(
                f"the table has {faces} faces, too few to draw a sample from: review them all, without --certify"
            )
        _note_earlier(current, estimate.draw.view, note)
    elif settings.read_only or not settings.cards or found.probabilities is None or faces < FEWEST_FACES:
        return None
    return Cards(current, estimate, thumbnails.missing)


def _note_earlier(current: Current, view: str, note: Callable[[str], None]) -> None:
    """Say so where all blind answers are of another draw."""
    answers = told.blind(current)
    if answers and view not in answers:
        count = sum(answers.values())
        said = "1 blind answer is" if count == 1 else f"{count:,} blind answers are"
        note(f"{said} of another draw: the table grew or was made anew; a new sample begins")


@contextmanager
def _likeness(settings: ReviewSettings, root: str) -> Iterator[Alike | None]:
    """Yield the order of likeness while it is prepared; None without a cache, or the model that labelled the table."""
    task = task_of(settings, root)
    if not task:
        yield None
        return
    alike = Alike.begin(task)
    try:
        yield alike
    finally:
        alike.close()


def task_of(settings: ReviewSettings, root: str) -> Task | None:
    """Return what has to be arranged by likeness; None without a cache, or the model that labelled the table.

    It takes the probabilities of all classes, too: None of a table made with `--top`.

    Raises:
        ModelError: the model that is given is another one.
    """
    record = run_record.read(settings.table)
    folder, model = _cache_folder(settings), _model(settings, record)
    if not record or not folder or not model or record.top:
        return None
    return Task(
        table=os.path.abspath(settings.table),
        model=os.path.abspath(model),
        root=absolute(root),
        folder=os.path.abspath(folder),
        max_pixels=settings.max_pixels,
        faces=str(record.settings.get("faces", Faces.AUTO)),
        resize=record.settings.get("resize"),
    )


def _model(settings: ReviewSettings, record: RunRecord | None) -> Path | None:
    """Return the file of the model that labelled a table, if it is still the same."""
    if not record:
        return None
    try:
        found = bundle.that_labelled(settings.model or record.model, record.model_sha256)
    except ModelError:
        if settings.model:
            raise
        return None
    if settings.model and not found:
        raise ModelError(f"{settings.model} is another model than {record.model}, which labelled {settings.table}")
    return found


def _cache_folder(settings: ReviewSettings) -> Path | None:
    if settings.cache == "none":
        return None
    return Path(settings.cache) if settings.cache else run_record.cache_of(settings.table)


@contextmanager
def _held(log: Log, settings: ReviewSettings) -> Iterator[None]:
    """Hold the log of a table, so that no other review writes it.

    Raises:
        LabelerError: another program holds it.
        OutputError: it cannot be written.
    """
    if settings.read_only:
        yield
        return
    _refuse_second(log.lock_path, settings.table)
    with log.held():
        yield


def _note(log: Log, settings: ReviewSettings, address: server.Address) -> None:
    """Note who holds the log of a table, and where he is."""
    about = {"pid": os.getpid(), "reviewer": settings.reviewer, "port": address.port}
    with suppress(OSError):
        log.lock_path.write_text(json.dumps(about) + "\n", "utf-8")


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
