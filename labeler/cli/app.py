"""The command line: all commands, and what they have in common. A command parses, makes one call and prints."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from labeler._version import __version__
from labeler.cli import (
    adapt,
    calibrate,
    datasets,
    exports,
    measured_models,
    models,
    own_models,
    photos,
    plan,
    privacy,
    reports,
    review,
    reviews,
    scale,
    show,
    support,
)
from labeler.cli.error_handler import BUG, EXIT_CODES, ErrorBoundary, print_error
from labeler.inference import own_bundles

app = typer.Typer(
    name="labeler",
    cls=ErrorBoundary,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    photos.classify,
    plan.plan,
    photos.sort,
    show.show,
    datasets.train,
    datasets.evaluate,
    datasets.audit,
    photos.annotate,
    reports.report,
    reports.diff,
    review.review,
    calibrate.calibrate,
    adapt.adapt,
    exports.export,
    scale.merge,
    privacy.forget,
    support.doctor,
):
    app.command(epilog=EXIT_CODES)(command)
app.add_typer(reviews.app, name="reviews")
models.app.command(epilog=EXIT_CODES)(measured_models.quantize)
models.app.command(epilog=EXIT_CODES)(measured_models.compare)
app.add_typer(models.app, name="models")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"labeler {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(_version: Version = False) -> None:
    """Point it at folders of photos, get a table of emotion labels you can trust."""
    os.environ["KERAS_BACKEND"] = "tensorflow"  # Documented; it overrides the user's Keras configuration.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    own_bundles.look_in(own_models.folder)


def main() -> None:
    """Run the `labeler` command. A bug exits with 70, so that a script does not take it for a finished run."""
    try:
        app()
    except Exception as exc:  # noqa: BLE001 - the last line of defence
        traceback.print_exc()
        typer.echo("labeler: this is a bug in labeler; please report the lines above", err=True)
        if "--json" in sys.argv:
            print_error(BUG, "bug", f"{type(exc).__name__}: {exc}")
        sys.exit(BUG)
