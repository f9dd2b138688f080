"""The options that several commands share, and the longer ones of training. It imports only what `cli.app` may."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labeler.records import Device, Faces, Progress

Inputs = Annotated[
    list[Path], typer.Argument(help="Folders, which are walked recursively, and single files.", show_default=False)
]
Table = Annotated[Path, typer.Argument(help="A table made by classify.")]
Root = Annotated[Path | None, typer.Option("--root", help="Where the table's files are now, if they have moved since.")]
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
Workers = Annotated[int, typer.Option("--workers", min=0, help="Number of processes; 0 for one per core.")]
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
    typer.Argument(help="A folder with one subfolder of photos per class; with --labels, any folder with its photos."),
]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", help="A table of labels or votes instead of class folders: .csv, .jsonl or .parquet."),
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
