"""The options that several commands share, and the longer ones of training. It imports only what `cli.app` may."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from labeler.errors import LabelerError
from labeler.records import Device, Engine, Faces, Progress, Resize

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:").fullmatch


def here(path: Path | None) -> Path | None:
    """Return a path of this machine; refuse an address, which has lost one of its slashes as a path."""
    if path and path.parts and _SCHEME(path.parts[0]):
        address = "/".join((f"{path.parts[0]}/", *path.parts[1:]))
        raise LabelerError(f"{address} is an address; name a file or folder of this machine here")
    return path


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Folders, which are walked recursively, shards (.tar, .parquet) and single files; or addresses such as "
        "s3://bucket/photos. With --from-list, the one place that names in the list are relative to.",
        show_default=False,
    ),
]
Endpoint = Annotated[
    str,
    typer.Option(
        "--endpoint", metavar="URL", help="The server of addresses, for stores that speak as S3 does: http://host:9000."
    ),
]
Region = Annotated[str, typer.Option("--region", help="The region of an address's bucket.")]
Anonymous = Annotated[
    bool, typer.Option("--anonymous", help="Ask without credentials, as public buckets let everybody do.")
]
Table = Annotated[
    str,
    typer.Argument(
        help="A table made by classify; or its address, such as s3://bucket/labels.csv or s3://bucket/labels/."
    ),
]
"""A path or an address: `tables.remote.local` gives the path of either."""
Reviews = Annotated[
    Path | None,
    typer.Option(
        "--reviews",
        callback=here,
        help="For a table at an address: the corrections, in a .jsonl file of this machine.",
        show_default="those beside the table",
    ),
]
Root = Annotated[
    str,
    typer.Option(
        "--root",
        help="Where the table's files are now, a folder or an address, if they have moved since.",
        show_default=False,
    ),
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
    typer.Option("--threshold", min=0.0, max=1.0, help="Label faces below this probability `uncertain`."),
]
Top = Annotated[
    int,
    typer.Option(
        "--top",
        min=0,
        help="Write the N most probable classes, not a column for each class; for models with many classes. 0 for all.",
    ),
]
PriorOption = Annotated[
    str,
    typer.Option(
        "--prior",
        metavar="trained|balanced|FILE",
        help="The class shares that the probabilities assume. trained: the model's own. balanced: equal ones. FILE: a "
        ".csv or .json file with a share or count for each class, such as happy,0.3. The model has to state its own.",
    ),
]
FacesOption = Annotated[
    Faces,
    typer.Option(
        "--faces",
        help="auto: detect faces in photos whose longer side is above 128 pixels; a smaller photo is one face crop, or "
        "`no_face` if the model says so. detect: always detect. whole: every photo is one face crop.",
    ),
]
ResizeOption = Annotated[
    Resize | None,
    typer.Option(
        "--resize",
        help="How a photo that is taken whole becomes a square. crop: the shorter side is scaled, the centre cropped "
        "(the usual way of ImageNet's networks). fit: all of it, between black bars. stretch: each side by itself.",
        show_default="the model's way",
    ),
]
Detector = Annotated[str, typer.Option("--detector", help="A face detector in YuNet's format.", show_default="yunet")]
MinFace = Annotated[
    int,
    typer.Option(
        "--min-face", min=0, help="Leave out faces smaller than about N pixels: the longer side of the bounding box."
    ),
]
FaceThreshold = Annotated[
    float, typer.Option("--face-threshold", min=0.0, max=1.0, help="Leave out faces with a lower detector confidence.")
]
MaxFaces = Annotated[
    int, typer.Option("--max-faces", min=0, help="Keep only the N largest faces of a photo; 0 for all.")
]
SaveCrops = Annotated[
    str, typer.Option("--save-crops", help="Save the face crops in this folder, named by file and face.")
]
AllFiles = Annotated[bool, typer.Option("--all-files", help="Label files, too, whose suffix is not that of an image.")]
Workers = Annotated[
    int,
    typer.Option(
        "--workers",
        min=0,
        help="Number of processes; 0 for one per core, if memory is left for it; some more for remote photos.",
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        "--batch-size", min=0, help="Files per batch; 0 to adapt it to their speed. It never changes results."
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option("--device", help="Where the networks run. auto: CUDA where ONNX Runtime can use it, else cpu."),
]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Photos with more pixels are `too_large`.")]
Data = Annotated[
    Path,
    typer.Argument(
        callback=here,
        help="A folder with one subfolder of photos per class; with --labels, any folder with its photos.",
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        callback=here,
        help="A table of labels or votes instead of class folders: .csv, .jsonl or .parquet.",
    ),
]
Classes = Annotated[
    str,
    typer.Option(
        "--classes", help="The labels or columns of the table to use, and their class names: anger=angry,sad."
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        "--include",
        metavar="GLOB",
        help="Label only photos whose names below the input match this or another --include: 'a/**', '**/*.jpg'.",
        show_default=False,
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="Leave out photos whose names match.", show_default=False),
]
FromList = Annotated[
    str,
    typer.Option(
        "--from-list",
        metavar="FILE",
        help="Label the files that a list names, wherever they are: text with a name or address a line, .csv, .tsv, "
        ".jsonl or .parquet; - for stdin. Names are relative to INPUTS, else to the list's folder.",
        show_default=False,
    ),
]
Column = Annotated[
    str, typer.Option("--column", help="The column of the list with the names.", show_default="file, path, url, ...")
]
Keep = Annotated[
    str,
    typer.Option(
        "--keep", metavar="COL,COL", help="Columns of the list to carry into the table, as text.", show_default=False
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Label only the first N photos, to try a run; 0 for all.")]
Sample = Annotated[int, typer.Option("--sample", min=0, help="Label only N randomly chosen photos; 0 for all.")]
Seed = Annotated[int, typer.Option("--seed", help="Random seed of --sample.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Start again and replace an existing table.")]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Label the files again that failed; no_face and damaged are not failures. An unfinished table is "
        "completed first.",
    ),
]
Refresh = Annotated[bool, typer.Option("--refresh", help="Label the files again that have changed since.")]
ShardOption = Annotated[
    str,
    typer.Option(
        "--shard",
        metavar="I/N",
        help="Do the I-th of N shares of a directory's units, from 0: 3/16. auto takes both from Slurm or AWS Batch; "
        "auto/16 the index from Kubernetes, too.",
        show_default=False,
    ),
]
UnitSize = Annotated[
    int,
    typer.Option("--unit-size", min=0, help="Files in a part of a directory.", show_default="10,000"),
]
PlanOnly = Annotated[
    bool, typer.Option("--plan-only", help="List the photos and write the directory's plan, and label nothing.")
]
EngineOption = Annotated[
    Engine,
    typer.Option("--engine", help="What works on the parts of a directory: this machine's cores, or actors of Ray."),
]
Address = Annotated[
    str,
    typer.Option(
        "--address",
        metavar="ADDRESS",
        help="A Ray cluster: auto on one of its nodes, or host:port; without it, Ray starts on this machine alone.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
ProgressOption = Annotated[
    Progress,
    typer.Option(
        "--progress",
        help="Form of the progress on stderr. log: a line every 10 s; json: an object every second; auto: a bar on a "
        "terminal, else a log, and with --quiet none.",
    ),
]
NoReviews = Annotated[
    bool,
    typer.Option("--no-reviews", help="Take the labels of the model, not the corrections of a review."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]

Architecture = Annotated[
    str | None,
    typer.Option("--arch", help="The network architecture: documented, default or large.", show_default="documented"),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from", help="Fine-tune this model on DATA: a bundle's name, a run directory, an .onnx or a .keras file."
    ),
]
Strategy = Annotated[
    str,
    typer.Option(
        "--strategy", help="none: train on one device; mirrored: divide each batch among all GPUs of this machine."
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option("--epochs", help="Upper limit on epochs.", show_default="500; 100 with default; 20 with --from"),
]
Patience = Annotated[
    int | None,
    typer.Option(
        "--patience",
        help="Early stopping: epochs without a lower validation loss.",
        show_default="10; never with default",
    ),
]
LearningRate = Annotated[
    float | None,
    typer.Option(
        "--learning-rate",
        help="Learning rate of the optimizer.",
        show_default="0.001; 0.08 with default; a tenth with --from",
    ),
]
Augment = Annotated[
    bool | None,
    typer.Option(
        "--augment/--no-augment", help="Augment the training images at random.", show_default="off; on with default"
    ),
]
GroupBy = Annotated[
    str, typer.Option("--group-by", help="Never split files for which this regular expression finds the same text.")
]


def addressed(inputs: Iterable[str], endpoint: str, region: str, *, anonymous: bool) -> tuple[str, ...]:
    """Return the inputs; an address carries how its store is reached from then on."""
    from labeler.storage.address import asking  # Deferred: it loads what reads files.

    options = dict(reaching(endpoint, region, anonymous=anonymous))
    return tuple(asking(one, options) for one in inputs)


def reaching(endpoint: str, region: str, *, anonymous: bool) -> tuple[tuple[str, str], ...]:
    """Return what an address carries of these options."""
    options = {"endpoint": endpoint, "region": region, "anonymous": "true" if anonymous else ""}
    return tuple((name, value) for name, value in options.items() if value)
