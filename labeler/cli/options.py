"""The options that several commands share, and the longer ones of training. Imports what `cli` may import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labeler.records import Device, Faces, Progress

Inputs = Annotated[
    list[Path], typer.Argument(help="Folders, walked recursively, and single files.", show_default=False)
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="A bundle's name (see `labeler models`), a run directory, an .onnx or a .keras file.",
        show_default="default",
    ),
]
Threshold = Annotated[
    float,
    typer.Option("--threshold", min=0.0, max=1.0, help="Below this probability the label is `uncertain`."),
]
FacesOption = Annotated[
    Faces,
    typer.Option(
        "--faces",
        help="auto: a picture whose longer side is at most 128 pixels is one face crop, in larger ones faces are "
        "found. detect: always found. whole: each picture is one face crop.",
    ),
]
Detector = Annotated[str, typer.Option("--detector", help="A face detector in YuNet's format.", show_default="yunet")]
MinFace = Annotated[
    int, typer.Option("--min-face", min=0, help="Leave out faces smaller than about so many pixels (longer side).")
]
FaceThreshold = Annotated[
    float, typer.Option("--face-threshold", min=0.0, max=1.0, help="Leave out faces the detector is less sure of.")
]
MaxFaces = Annotated[int, typer.Option("--max-faces", min=0, help="Keep so many of the largest; 0 for all.")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="Processes; 0 for one per core.")]
BatchSize = Annotated[
    int, typer.Option("--batch-size", min=0, help="Files per batch, 0 to fit their speed; never changes results.")
]
DeviceOption = Annotated[
    Device,
    typer.Option("--device", help="What the networks run on; auto: CUDA where ONNX Runtime can use it, else cpu."),
]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Larger pictures are `too_large`.")]
Data = Annotated[
    Path, typer.Argument(help="A directory with one folder of pictures per class, or any that --labels is about.")
]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", help="A table of labels or votes, .csv, .jsonl or .parquet, instead of class folders."),
]
Classes = Annotated[
    str, typer.Option("--classes", help="The table's labels or columns to use, renamed: anger=angry,sad.")
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="GLOB",
        help="Only pictures whose names below the input match this or another --include: 'a/**', '**/*.jpg'.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="Leave out those whose names match.", show_default=False),
]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Only the first so many, to try a run; 0 for all.")]
Sample = Annotated[int, typer.Option("--sample", min=0, help="Only so many by chance; 0 for all.")]
Seed = Annotated[int, typer.Option("--seed", help="Decides which --sample takes.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start anew and replace a table that is there.")]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Label those again that failed; no_face and damaged are no failures. An unfinished table is completed "
        "before.",
    ),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Label those again that changed on disk since.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
ProgressOption = Annotated[
    Progress,
    typer.Option(
        "--progress",
        help="How to show on stderr how far it is. log: a line every 10 s; json: an object every second; auto: a bar "
        "on a terminal, else a log, and with --quiet none.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

Architecture = Annotated[
    str | None, typer.Option("--arch", help="The network: documented or default.", show_default="documented")
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from", help="Adapt this model to DATA: a bundle's name, a run directory, a .onnx or a .keras file."
    ),
]
Epochs = Annotated[
    int | None, typer.Option("--epochs", help="At most so many.", show_default="500; 100 with default; 20 with --from")
]
Patience = Annotated[
    int | None,
    typer.Option("--patience", help="Stop after so many without a new best.", show_default="10; never with default"),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate", help="Of the optimizer.", show_default="0.001; 0.08 with default; a tenth with --from"
    ),
]
Augment = Annotated[
    bool | None,
    typer.Option("--augment/--no-augment", help="Vary the training pictures.", show_default="off; on with default"),
]
GroupBy = Annotated[
    str, typer.Option("--group-by", help="Keep files together whose names hold the same of this expression.")
]
