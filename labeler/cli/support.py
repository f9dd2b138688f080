"""The command for when something does not work: doctor."""

from __future__ import annotations

import json

import typer

from labeler.cli.options import Json


def doctor(as_json: Json = False) -> None:
    """Say what is installed and whether it works here: what a bug report needs.

    Versions, machine, device, the formats that can be read, and whether each model that ships is intact and labels a
    picture. Names no file of yours, and nothing of your environment. Exit code 4 when a model cannot be used.

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
