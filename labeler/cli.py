"""The commands: parse, make one call, print."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from labeler import __version__
from labeler.errors import Interrupted, LabelerError


class ErrorBoundary(TyperGroup):
    """The one place where an error becomes a line on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LabelerError as exc:
            typer.echo(f"labeler: {exc}", err=True)
            raise typer.Exit(exc.exit_code) from exc
        except KeyboardInterrupt as exc:
            typer.echo("labeler: stopped", err=True)
            raise typer.Exit(Interrupted.exit_code) from exc


EXIT_CODES = (
    "Exit codes: 0 done; 1 finished, but some files failed; 2 wrong usage; 3 no pictures found; "
    "4 the model cannot be used; 5 the output cannot be written; 130 interrupted, can be continued."
)

app = typer.Typer(
    name="labeler",
    cls=ErrorBoundary,
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="List the models that ship, show a card, convert a .keras file.")
app.add_typer(models_app, name="models")

Inputs = Annotated[
    list[Path], typer.Argument(help="Folders, walked recursively, and single files.", show_default=False)
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        help="A bundle's name (see `labeler models`), a run directory, an .onnx or a .keras file.",
        show_default="documented",
    ),
]
Threshold = Annotated[
    float,
    typer.Option("--threshold", min=0.0, max=1.0, help="Below this probability the label is `uncertain`."),
]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one per core.")]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, help="Files per batch; changes speed, never results.")]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Larger pictures are `too_large`.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start anew and replace a table that is there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"labeler {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")]


@app.callback()
def root(_version: Version = False) -> None:
    """Point it at folders of photos, get a table of emotion labels you can trust."""


@app.command(epilog=EXIT_CODES)
def classify(
    inputs: Inputs,
    out: Annotated[Path, typer.Option("--out", "-o", help="The table: .csv, .jsonl or .parquet.")],
    model: Model = "",
    threshold: Threshold = 0.0,
    workers: Workers = 0,
    batch_size: BatchSize = 64,
    max_pixels: MaxPixels = 100_000_000,
    absolute: Annotated[bool, typer.Option("--absolute", help="Write absolute paths.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Label every face in folders of pictures: one row per face, one reason per file that gave none.

    Every picture is taken whole, as one face crop. The same command again continues an unfinished table.

    Example: labeler classify ./photos --out labels.csv
    """
    from labeler import console, pipeline
    from labeler.records import Settings

    settings = Settings(model, threshold=threshold, max_pixels=max_pixels, absolute=absolute)
    job = pipeline.Job(tuple(inputs), out, settings, workers, batch_size, overwrite)
    with console.labeling_progress(quiet=quiet) as progress:
        summary = pipeline.classify(job, progress)
    if as_json:
        typer.echo(json.dumps(summary.as_json()))
    if not quiet:
        console.show_summary(summary)
    raise typer.Exit(summary.exit_code)


@models_app.callback(invoke_without_command=True)
def models(ctx: typer.Context, as_json: Json = False) -> None:
    """List the models that ship, with their figures."""
    if ctx.invoked_subcommand:
        return
    from labeler import classifier, console

    cards = [classifier.card(path) for path in classifier.bundles().values()]
    if as_json:
        typer.echo(json.dumps([card.as_json() for card in cards]))
    else:
        console.show_models(cards)


@models_app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(help="A bundle's name, a run directory, an .onnx or a .keras file.")],
    as_json: Json = False,
) -> None:
    """Print a model's card: classes, figures, training data, licence, hash."""
    from labeler import classifier, console

    card = classifier.card(classifier.find(model))
    if as_json:
        typer.echo(json.dumps(card.as_json()))
    else:
        console.show_card(card)


def main() -> None:
    """Run the `labeler` command; a bug exits with 70, so that no script takes it for a finished run."""
    try:
        app()
    except Exception:  # noqa: BLE001 - the last line of defence
        traceback.print_exc()
        typer.echo("labeler: this is a bug in labeler; please report the lines above", err=True)
        sys.exit(70)
