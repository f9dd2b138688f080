"""The command that erases what is kept of photos: forget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from labeler.cli.options import Json, Quiet, Root, here


def forget(
    files: Annotated[
        list[str],
        typer.Argument(help="Photos: their names in the table, or their paths.", metavar="FILE...", show_default=False),
    ],
    table: Annotated[
        Path, typer.Option("--table", callback=here, help="The table made by classify to erase them from.")
    ],
    root: Root = "",
    cache: Annotated[
        str,
        typer.Option(
            "--cache",
            metavar="DIR",
            help="The folder of `review --cache DIR`: what reviews kept in it is erased, too.",
            show_default="TABLE.cache",
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and erase nothing.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Erase what a table holds of photos, for a person who asks for it: rows, corrections, face crops, caches.

    The photos themselves stay: remove them, or the next classify of their folder labels them again. Exports, reports
    and sorted folders that were made of the table are not searched. The cache beside the table goes as a whole.

    Example: labeler forget 2019/party.jpg --table labels.csv
    """
    from labeler import console
    from labeler.errors import printable
    from labeler.tables import forget as forgetting

    found = forgetting.forget(files, table, root=root, cache=cache, dry_run=dry_run)
    if as_json:
        typer.echo(json.dumps(found.as_json()))
    if quiet:
        return
    done = "would be erased" if dry_run else "erased"
    for path in (*found.crops, *filter(None, [found.cache]), *found.kept):
        console.say(f"{printable(path)}: {done}")
    counts = {"row": found.rows, "correction": found.corrections, "face crop": len(found.crops)}
    spelled = ", ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
    console.say(f"{', '.join(map(printable, found.files))}: {spelled} {done}")
