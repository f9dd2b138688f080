"""The command that opens the page on which a person corrects labels: review."""

from __future__ import annotations

import getpass
import os
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labeler.cli.options import MaxPixels, Reviews, Root, Table, here
from labeler.errors import LabelerError, needs
from labeler.native_output import decoders

if TYPE_CHECKING:
    from labeler.review.desk import Desk
    from labeler.review.review import Opened

Certify = Annotated[
    bool, typer.Option("--certify", help="Show a random sample without its labels: how right is the table?")
]
Wanted = Annotated[
    float, typer.Option("--wanted", min=0.01, max=0.999, help="Find the threshold that gives this accuracy.")
]
Within = Annotated[
    float, typer.Option("--within", min=0.001, max=0.5, help="Say when the accuracy is known to plus or minus this.")
]
By = Annotated[
    str,
    typer.Option(
        "--by", metavar="folder|FILE:COLUMN", help="Print the accuracy of each folder, or of groups in a table."
    ),
]
Cards = Annotated[
    bool, typer.Option("--cards/--no-cards", help="Show a face without its label, or with a wrong one, now and then.")
]


def review(
    table: Table,
    reviewer: Annotated[
        str, typer.Option("--reviewer", help="Your name, which stands in each correction.", show_default="your login")
    ] = "",
    root: Root = "",
    model: Annotated[
        str,
        typer.Option(
            "--model", help="The model that labelled the table, for the order alike.", show_default="as recorded"
        ),
    ] = "",
    reviews: Reviews = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            "--audit", callback=here, help="A table of `labeler audit`: offer its order, the most doubtful first."
        ),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port of the page; 0 for a free one.")] = 0,
    unix_socket: Annotated[
        Path | None, typer.Option("--unix-socket", help="Listen on a Unix socket instead of a port.")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address, and open no browser.")] = False,
    read_only: Annotated[bool, typer.Option("--read-only", help="Show the review; nothing can be changed.")] = False,
    certify: Certify = False,
    wanted: Wanted = 0.95,
    within: Within = 0.03,
    by: By = "",
    cards: Cards = True,
    cache: Annotated[
        str,
        typer.Option(
            "--cache",
            metavar="DIR|none",
            help="The folder that keeps thumbnails, at most 500 MB; none keeps none.",
            show_default="TABLE.cache",
        ),
    ] = "",
    max_pixels: MaxPixels = 100_000_000,
) -> None:
    """Correct labels by keyboard, on a page of this machine. Ctrl-C ends it.

    Corrections are appended to TABLE.reviews.jsonl, those of a table at an address to --reviews; the table and the
    photos stay as they are. On the page, the key ? explains the keys.

    Example: labeler review labels.csv
    """
    with needs("review", "starlette", "uvicorn", "anyio"):
        from labeler.cli import show_certificate
        from labeler.review import review as reviewing
        from labeler.tables import remote

    if certify and (read_only or audit):
        other = "--read-only: answers are written" if read_only else "--audit: a sample has an order of its own"
        raise LabelerError(f"--certify does not go with {other}")
    if by:
        show_certificate.check(by)

    browser = not no_browser and "SSH_CONNECTION" not in os.environ
    with decoders(), remote.local(table, reviews, corrects=not read_only) as path:
        settings = reviewing.ReviewSettings(
            table=path,
            reviewer=_named(reviewer),
            root=root,
            model=model,
            cache=cache,
            audit=audit,
            port=port,
            unix_socket=unix_socket,
            read_only=read_only,
            max_pixels=max_pixels,
            certify=certify,
            cards=cards,
            wanted=wanted,
            within=within,
        )
        desk = reviewing.run(settings, lambda opened: _tell(opened, browser=browser), _note)
        _finish(desk, table, path, by)


def _finish(desk: Desk, table: str, path: Path, by: str) -> None:
    """Say what was reviewed, and how right the table is; ``table`` is what the user calls it."""
    from labeler.cli import show_certificate
    from labeler.tables.reviews import path_of

    if desk.thumbnails.unusable:
        _say(f"could not keep thumbnails: {desk.thumbnails.unusable}")
    reviewed = desk.current.reviewed
    said = "1 face is" if reviewed == 1 else f"{reviewed:,} faces are"
    where = f"; every command takes the labels in {path_of(path)}" if reviewed else ""
    typer.echo(f"{table}: {said} reviewed{where}", err=True)
    found = desk.cards.certificate() if desk.cards else None
    if found:
        show_certificate.finish(path, found, by)


def _named(reviewer: str) -> str:
    """Return the reviewer's name; by default the login's."""
    name = reviewer.strip()
    if not reviewer:
        try:
            name = getpass.getuser()
        except (KeyError, OSError):  # No such user, as in some containers.
            name = "reviewer"
    if not name or len(name) > 100 or not name.isprintable():
        raise LabelerError("a reviewer's name has 1 to 100 letters: --reviewer NAME")
    return name


def _tell(opened: Opened, *, browser: bool) -> None:
    """Open the page in a browser, or print its address; Ctrl-C ends both."""
    address = opened.address
    if opened.redirect is None:
        _say(f"listens on {address.socket_path}; from the machine with the browser: {_forward(address.socket_path)}")
        typer.echo(address.url)
    elif browser:
        page = opened.redirect.as_uri()
        _say(f"opens {page} in your browser; Ctrl-C ends it")
        threading.Thread(target=_open, args=(page, address.url), daemon=True).start()
    else:
        if "SSH_CONNECTION" in os.environ:
            _say(f"from the machine with the browser: {_forward(address.port)}")
        typer.echo(address.url)


def _open(page: str, url: str) -> None:
    """Open a page in a browser; print an address where there is none."""
    if not webbrowser.open(page):
        _say("found no browser; the address to open is")
        typer.echo(url)


def _forward(target: Path | int | None) -> str:
    """Return the command that forwards a port to the server over SSH."""
    name = getpass.getuser() if os.environ.get("USER") else "USER"
    host = os.uname().nodename if hasattr(os, "uname") else "HOST"
    if isinstance(target, int):
        return f"ssh -N -L {target}:127.0.0.1:{target} {name}@{host}"
    return f"ssh -N -L 8000:{target} {name}@{host}"


def _say(message: str) -> None:
    typer.echo(f"labeler review {message}", err=True)


def _note(message: str) -> None:
    typer.echo(f"labeler: {message}", err=True)
