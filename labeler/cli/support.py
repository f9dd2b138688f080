"""The command that checks an installation: doctor."""

from __future__ import annotations

import json

import typer

from labeler.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Check what is installed and whether it works here, for a bug report.

    Prints versions, machine, device, the formats that can be decoded, and whether each shipped model is intact and
    labels a photo. It names none of your files and no environment variable. Exit code 4 when a model cannot be used.

    Example: labeler doctor --json > report.json
    """
    from labeler.cli import show_models
    from labeler.cli.doctor import examine

    report = examine()
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=1))
    else:
        show_models.show_report(report.as_json())
    raise typer.Exit(report.exit_code)
