"""The bundle that gives the scores of a recalibrated table."""

from __future__ import annotations

from pathlib import Path

from labeler._version import __version__
from labeler.certify.recalibrated import Recalibrated
from labeler.errors import LabelerError, ModelError, one_line
from labeler.inference import bundle, calibrated_bundle, prior
from labeler.labeling import DECIMALS
from labeler.tables import reader
from labeler.words import counted


def places(table: Path, model: str, folder: Path, *, overwrite: bool, option: str = "--model-out") -> tuple[Path, Path]:
    """Return the file of the model that labelled a table, and that of the bundle to write into a folder.

    ``option`` is the one of the command line that names the folder.

    Raises:
        ModelError: it is not the model that labelled the table.
        LabelerError: a bundle stands there, or a file; or the table was recalibrated already.
    """
    record = reader.record(table)
    if record.calibrated:
        raise LabelerError(
            f"no model gave the scores of {table}, they were recalibrated from "
            f"{one_line(record.calibrated.get('source'))}: no bundle can be made of it. Take that table, or "
            "one that the recalibrated bundle made"
        )
    target = folder / bundle.CLASSIFIER
    if folder.exists() and not folder.is_dir():
        raise LabelerError(f"{folder} is a file; name a folder with {option}")
    if target.exists() and not overwrite:
        raise LabelerError(f"{target} exists; choose another {option}, or replace it with --overwrite")
    if (folder / bundle.FLOAT32).exists():
        raise LabelerError(f"{folder} holds the weights of another model, {bundle.FLOAT32}; choose another {option}")
    advice = f"; name the model that labelled {table} ({record.model}, {record.model_sha256[:12]}) with --model"
    try:
        source = bundle.that_labelled(model or record.model, record.model_sha256)
    except ModelError as exc:
        raise ModelError(f"{exc}{advice}") from exc
    if not source:
        raise ModelError(f"{bundle.find(model or record.model)} is another model{advice}")
    if target.exists() and target.samefile(source):
        raise LabelerError(f"{target} is the model that labelled {table}; choose another {option}")
    if source.suffix != ".onnx":
        raise ModelError(f"{source} is no .onnx bundle; make one with labeler models add, and classify with that")
    return source, target


def write(one: Recalibrated, model: Path, out: Path) -> None:
    """Write a bundle that gives the scores of the new table.

    Raises:
        LabelerError: nothing can be gained.
        ModelError: the model is no bundle, or has other classes than the table.
        OutputError: it cannot be written.
    """
    fitted = one.fitted.recalibration
    if not fitted or not one.helps:
        raise LabelerError("the recalibration would not help")
    card = bundle.card(model)
    names, ratios = card.class_names, prior.ratios(card, one.record.settings.get("prior", ()))
    if names != one.record.class_names:
        raise ModelError(f"{model} has the classes {', '.join(names)}, {one.table} {', '.join(one.record.class_names)}")
    scale, offsets = 1 / fitted.temperature, fitted.offsets.tolist()
    recalibration = {"scale": scale, "offsets": offsets, "cards": one.cards, "date": one.found.last[:10]}
    if ratios:
        recalibration["ratios"] = list(ratios)
    measured = {
        "data": f"{counted(one.cards, 'face')} of {one.table.name}",
        "against": "what a person saw without the label, cross-fitted",
        "n": one.cards,
        "accuracy": one.after.value,
        "accuracy_interval": one.after.interval,
        "ece": one.fitted.error_after,
    }
    about = {
        "name": out.parent.name if out.stem == "model" else out.stem,
        "recalibration": recalibration,
        "validation": measured,
        "created_with": f"labeler {__version__}",
    }
    calibrated_bundle.write(model, out, scale, offsets, 10.0**-DECIMALS, about, ratios=ratios)
