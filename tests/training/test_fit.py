"""`train` from folders to a run directory: real Keras, tiny pictures, and every way to be interrupted."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import pytest
from conftest import ROOT, Folder
from PIL import Image

from labeler import pipeline
from labeler.errors import Interrupted, LabelerError
from labeler.evaluation.metrics import compare
from labeler.evaluation.truth import of_folders
from labeler.inference.classifier import Classifier
from labeler.records import Progress, Settings
from training import fit, recipes
from training.bundle import export, temperature
from training.loop import callbacks
from training.settings import TrainSettings, recipe_of

CLASSES = ("calm", "cross")
TRAINED = {"arch": "small", "val_split": 0.25, "epochs": 4, "batch_size": 4, "learning_rate": 0.0003, "seed": 3}
SCHEDULED = {"arch": "quick", "val_split": 0.25, "epochs": 4, "batch_size": 4, "learning_rate": 0.01, "seed": 3}

MIRRORED = {**TRAINED, "strategy": "mirrored"}

AGAIN = {"val_split": 0.25, "epochs": 1, "batch_size": 4, "seed": 3}
"""How what was trained is adapted: to the same pictures."""


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of twelve noisy pictures, the one dark and the other bright, and one that is broken."""
    folder = Folder(tmp_path_factory.mktemp("data") / "faces")
    for label, name in enumerate(CLASSES):
        for index in range(12):
            path = folder.noise(f"{name}/{index}.png", seed=100 * label + index)
            pixels = np.asarray(Image.open(path)) // 2 + 127 * label
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    folder.file("calm/broken.jpg")
    return folder.path


@pytest.fixture(scope="module", autouse=True)
def small_network() -> Iterator[None]:
    """Offer both recipes with networks whose files are written in no time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "small", SMALL)
        patch.setitem(recipes.RECIPES, "quick", QUICK)
        yield


@pytest.fixture(scope="module")
def trained(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> fit.Trained:
    """A run that nothing disturbed."""
    return fit.train(TrainSettings(data=faces, out=tmp_path_factory.mktemp("runs") / "first", **TRAINED))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what comes after training, where a test is not about it."""
    figures = compare(CLASSES, CLASSES, CLASSES)
    monkeypatch.setattr(fit.finish, "conclude", lambda _, settings, history, __: fit.Trained(
        out=settings.out,
        figures=figures,
        epochs=len(history.epochs),
        best_epoch=history.best.number,
        skipped=(),
    ))  # fmt: skip


def history(out: Path) -> list[dict[str, str]]:
    with (out / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def losses(out: Path) -> list[tuple[float, float]]:
    return [(float(row["loss"]), float(row["val_loss"])) for row in history(out)]


def metrics(out: Path) -> dict[str, Any]:
    return dict(json.loads((out / "metrics.json").read_text("utf-8")))


def test_the_run_directory_holds_what_it_should(trained: fit.Trained) -> None:
    documented = {"best_model.keras", "model.onnx", "history.csv", "metrics.json", "curves.png", "confusion.png"}

    assert {path.name for path in trained.out.iterdir()} == documented | {"run.json", "state.keras"}


def test_the_history_has_a_row_for_each_epoch(trained: fit.Trained) -> None:
    assert [row["epoch"] for row in history(trained.out)] == ["1", "2", "3", "4"]


def test_the_best_network_is_that_of_the_lowest_validation_loss(trained: fit.Trained) -> None:
    by_epoch = [loss for _, loss in losses(trained.out)]

    assert trained.best_epoch == 1 + int(np.argmin(by_epoch))


def test_the_network_learns(trained: fit.Trained) -> None:
    assert losses(trained.out)[-1][0] < losses(trained.out)[0][0]


@pytest.mark.usefixtures("unhurried")
def test_the_documented_network_is_trained_unless_told_otherwise(faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", epochs=1))
    network = keras.saving.load_model(tmp_path / "run" / "best_model.keras", safe_mode=True)

    assert [type(layer).__name__ for layer in network.layers] == ["Flatten", "Dense", "Dense"]
    assert network.layers[1].units == 128
    assert (type(network.optimizer), network.loss) == (keras.optimizers.Adam, "categorical_crossentropy")


def test_the_documented_settings_are_the_defaults(faces: Path, tmp_path: Path) -> None:
    settings = TrainSettings(data=faces, out=tmp_path)
    recipe = recipe_of(settings)

    assert (recipe, recipe.epochs, recipe.patience) == (recipes.RECIPES["documented"], 500, 10)
    assert (recipe.batch_size, recipe.learning_rate, settings.val_split) == (32, 0.001, 0.2)
    assert not recipe.augment


def test_the_bundle_gives_what_the_best_network_gives(trained: fit.Trained) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    bundle, best = (Classifier(trained.out / name).predict(pixels) for name in ("model.onnx", "best_model.keras"))

    assert np.abs(bundle - best).max() <= 1e-5


def test_the_bundle_is_calibrated_and_the_checkpoint_is_not(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temperature, "_FEWEST", 1)
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", **TRAINED))
    pixels = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    bundle, best = (Classifier(tmp_path / "run" / name) for name in ("model.onnx", "best_model.keras"))
    told = metrics(tmp_path / "run")["calibration"]

    assert (bundle.card.temperature, best.card.temperature) == (told["temperature"], 1)
    assert told["temperature"] != 1
    expected = temperature.with_temperature(best.predict(pixels), told["temperature"])
    assert np.abs(bundle.predict(pixels) - expected).max() <= 1e-5


def test_the_bundle_says_what_it_is(trained: fit.Trained) -> None:
    card = Classifier(trained.out / "model.onnx").card

    assert (card.name, card.class_names) == ("first", CLASSES)
    assert card.training_data.endswith("/faces")
    assert (card.validation["n"], card.validation["accuracy"]) == (6, trained.figures.accuracy)
    assert card.validation["against"] == "class folders"


def test_the_metrics_are_those_that_evaluate_gives(faces: Path, tmp_path: Path) -> None:
    judged = Folder(tmp_path / "judged")
    for label, name in enumerate(CLASSES):
        for index in range(5):
            judged.noise(f"{name}/{index}.png", seed=1000 + 10 * label + index)
    trained = fit.train(TrainSettings(data=faces, out=tmp_path / "run", val=judged.path, arch="small", epochs=1))
    rows = pipeline.label([judged.path], Settings(model=str(tmp_path / "run")))

    assert of_folders(rows, CLASSES) == replace(trained.figures, left_out={})


def test_a_table_may_say_what_the_pictures_show(faces: Path, tmp_path: Path) -> None:
    rows = [f"{name}/{index}.png,{name.upper()}" for name in CLASSES for index in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows, "calm/gone.png,CALM"]))
    table = {"labels": tmp_path / "labels.csv", "classes": "CROSS=cross,CALM=calm"}
    trained = fit.train(TrainSettings(data=faces, out=tmp_path / "run", arch="small", epochs=1, **table))

    assert (trained.figures.class_names, trained.figures.n) == (("cross", "calm"), 4)
    assert metrics(tmp_path / "run")["data"] == f"20% of {faces.parent.name}/faces with labels.csv, seed 0"


def test_the_metrics_list_what_was_skipped(trained: fit.Trained) -> None:
    [skipped] = metrics(trained.out)["skipped"]

    assert skipped.endswith("calm/broken.jpg: not an image in a known format")


def test_the_metrics_hold_the_figures_and_the_settings(trained: fit.Trained) -> None:
    kept = metrics(trained.out)
    told = {"accuracy", "macro_f1", "per_class", "confusion", "n", "class_names", "majority_baseline"}
    told |= {"left_out", "unified", "calibration", "accuracy_interval", "confidence", "against"}

    assert told <= set(kept)
    assert kept["settings"]["learning_rate"] == 0.0003


@pytest.mark.usefixtures("unhurried")
def test_the_same_seed_gives_the_same_training(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "again", **TRAINED))

    assert np.allclose(losses(tmp_path / "again"), losses(trained.out), rtol=1e-4)


@pytest.mark.usefixtures("unhurried")
def test_training_stops_when_patience_is_over(faces: Path, tmp_path: Path) -> None:
    diverging = TrainSettings(data=faces, out=tmp_path / "run", epochs=50, patience=2, learning_rate=10.0, arch="small")
    trained = fit.train(diverging)

    assert trained.epochs == trained.best_epoch + 2


@pytest.mark.usefixtures("unhurried")
def test_augmentation_is_for_the_training_subset_only(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, np.ndarray[Any, Any]] = {}

    def spy(_: keras.Model, endless: Any, *, validation_data: Any, **__: Any) -> None:
        seen["training"] = next(iter(endless))[0].numpy()
        seen["validation"] = next(iter(validation_data))[0].numpy()
        raise callbacks.Stopped

    monkeypatch.setattr(keras.Model, "fit", spy)
    kinds: dict[tuple[str, bool], np.ndarray[Any, Any]] = {}
    for augment in (False, True):
        with pytest.raises(Interrupted):
            fit.train(TrainSettings(data=faces, out=tmp_path / f"{augment}", arch="small", augment=augment))
        kinds |= {(subset, augment): pixels for subset, pixels in seen.items()}

    assert not np.allclose(kinds["training", False], kinds["training", True], atol=0.01)
    assert np.array_equal(kinds["validation", False], kinds["validation", True])


def program(script: str, faces: Path, out: Path, trained: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """Train in a process of its own that begins with ``script``."""
    command = [sys.executable, "-c", IMPORTS + script + TRAIN, str(faces), str(out), json.dumps(trained)]
    return subprocess.run(command, **IN_CHECKOUT)


def kill(faces: Path, out: Path, trained: dict[str, Any], devices: str = "") -> list[dict[str, str]]:
    """Begin a training that is killed when its third epoch begins; return its history."""
    killed = program(devices + DEADLY, faces, out, trained)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    return history(out)


def test_a_killed_run_continues_as_if_nothing_had_happened(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "first"
    before = kill(faces, out, TRAINED)
    resumed = fit.train(TrainSettings(data=faces, out=out, resume=True, **TRAINED))

    assert len(before) == 2
    assert history(out)[:2] == before
    assert (resumed.epochs, resumed.best_epoch) == (trained.epochs, trained.best_epoch)
    assert np.allclose(losses(out), losses(trained.out), rtol=1e-4)
    assert np.allclose(weights(out), weights(trained.out), atol=1e-4)


@pytest.mark.slow
def test_a_killed_run_continues_on_the_same_schedule(faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "whole", **SCHEDULED))
    before = kill(faces, tmp_path / "killed", SCHEDULED)
    fit.train(TrainSettings(data=faces, out=tmp_path / "killed", resume=True, **SCHEDULED))

    assert history(tmp_path / "killed")[:2] == before
    assert np.allclose(losses(tmp_path / "killed"), losses(tmp_path / "whole"), rtol=1e-3)
    assert np.allclose(weights(tmp_path / "killed"), weights(tmp_path / "whole"), atol=1e-3)


@pytest.fixture(scope="module")
def divided(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run like `trained` that two devices did together."""
    out = tmp_path_factory.mktemp("runs") / "first"
    done = program(TWO_DEVICES, faces, out, MIRRORED)
    assert done.returncode == 0, done.stderr
    assert "mirrored: 2 replicas (CPU:0, CPU:1), each with 2 images of a batch" in done.stderr
    return out


def test_two_devices_train_as_one(trained: fit.Trained, divided: Path) -> None:
    assert np.allclose(losses(divided), losses(trained.out), rtol=1e-4)
    assert np.allclose(weights(divided), weights(trained.out), atol=1e-4)


def test_two_devices_leave_the_same_files(trained: fit.Trained, divided: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    bundle, best = (Classifier(divided / name).predict(pixels) for name in ("model.onnx", "best_model.keras"))

    assert {path.name for path in divided.iterdir()} == {path.name for path in trained.out.iterdir()}
    assert metrics(divided)["settings"]["strategy"] == "mirrored"
    assert np.abs(bundle - best).max() <= 1e-5


@pytest.mark.slow
def test_a_killed_run_of_two_devices_continues(divided: Path, faces: Path, tmp_path: Path) -> None:
    before = kill(faces, tmp_path / "first", MIRRORED, TWO_DEVICES)
    resumed = program(TWO_DEVICES, faces, tmp_path / "first", {**MIRRORED, "resume": True})

    assert resumed.returncode == 0, resumed.stderr
    assert history(tmp_path / "first")[:2] == before
    assert np.allclose(losses(tmp_path / "first"), losses(divided), rtol=1e-4)
    assert np.allclose(weights(tmp_path / "first"), weights(divided), atol=1e-4)


@pytest.mark.slow
def test_a_killed_run_of_two_devices_continues_on_one(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    kill(faces, tmp_path / "first", MIRRORED, TWO_DEVICES)
    fit.train(TrainSettings(data=faces, out=tmp_path / "first", resume=True, **TRAINED))

    assert np.allclose(losses(tmp_path / "first"), losses(trained.out), rtol=1e-4)


@pytest.mark.slow
def test_two_devices_average_weights_and_normalize(faces: Path, tmp_path: Path) -> None:
    scheduled = {**SCHEDULED, "strategy": "mirrored", "batch_size": 6, "balance": 1.0}
    kill(faces, tmp_path / "run", scheduled, TWO_DEVICES)
    resumed = program(TWO_DEVICES, faces, tmp_path / "run", {**scheduled, "resume": True})

    assert resumed.returncode == 0, resumed.stderr
    assert losses(tmp_path / "run")[-1][1] < losses(tmp_path / "run")[0][1]


@pytest.mark.slow
def test_devices_that_cannot_divide_a_batch_are_refused(faces: Path, tmp_path: Path) -> None:
    refused = program(TWO_DEVICES, faces, tmp_path / "run", {**MIRRORED, "batch_size": 5})

    assert "2 devices cannot divide batches of 5 images evenly; give --batch-size 6" in refused.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("unhurried")
def test_one_device_is_one_replica(
    trained: fit.Trained, faces: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", **MIRRORED))

    assert "mirrored: one replica, on CPU:0; more devices were not found" in capfd.readouterr().err
    assert np.allclose(losses(tmp_path / "run"), losses(trained.out), rtol=1e-4)


@pytest.mark.slow
def test_a_schedule_runs_to_its_end_whatever_the_validation_loss(faces: Path, tmp_path: Path) -> None:
    trained = fit.train(
        TrainSettings(data=faces, out=tmp_path / "run", **{**SCHEDULED, "epochs": 12, "learning_rate": 30.0})
    )

    assert (trained.epochs, trained.best_epoch < 12) == (12, True)


@pytest.mark.usefixtures("unhurried")
def test_a_scheduled_run_cannot_be_made_longer(faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", **{**SCHEDULED, "epochs": 1}))
    with pytest.raises(LabelerError, match="is another one: epochs was 1, is 2"):
        fit.train(TrainSettings(data=faces, out=tmp_path / "run", resume=True, **{**SCHEDULED, "epochs": 2}))


def test_what_was_trained_fast_is_kept_as_any_keras_can_load_it(faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", **{**SCHEDULED, "epochs": 1}))
    network = keras.saving.load_model(tmp_path / "run" / "best_model.keras", safe_mode=True)

    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    assert {type(layer).__module__.split(".")[0] for layer in network.layers} == {"keras"}


@pytest.mark.usefixtures("unhurried")
def test_early_stopping_goes_on_counting_after_a_resume(faces: Path, tmp_path: Path) -> None:
    diverging = TrainSettings(data=faces, out=tmp_path / "run", epochs=3, patience=5, learning_rate=10.0, arch="small")
    best = fit.train(diverging).best_epoch
    resumed = fit.train(replace(diverging, resume=True, epochs=50))

    assert resumed.epochs == resumed.best_epoch + 5
    assert resumed.best_epoch == best or resumed.best_epoch > 3


def test_a_finished_run_resumed_trains_no_more(trained: fit.Trained, faces: Path) -> None:
    before = history(trained.out)
    again = fit.train(TrainSettings(data=faces, out=trained.out, resume=True, **TRAINED))

    assert history(trained.out) == before
    assert again == trained


def test_training_goes_on_from_a_trained_network(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    fit.train(
        TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **{**AGAIN, "learning_rate": 1e-9})
    )

    assert losses(tmp_path / "run")[0][1] == pytest.approx(min(loss for _, loss in losses(trained.out)), abs=1e-5)


@pytest.mark.slow
def test_a_network_with_a_schedule_can_be_gone_on_from(faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "first", **SCHEDULED))
    fit.train(
        TrainSettings(
            data=faces, out=tmp_path / "run", start=str(tmp_path / "first"), **{**AGAIN, "learning_rate": 1e-9}
        )
    )
    first = min(loss for _, loss in losses(tmp_path / "first"))

    assert losses(tmp_path / "run")[0][1] == pytest.approx(first, abs=0.01)  # In bfloat16, perhaps.


def test_both_models_are_judged_by_the_same_pictures(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    adapted = fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **AGAIN))

    assert adapted.before == trained.figures
    assert metrics(tmp_path / "run")["before"]["accuracy"] == trained.figures.accuracy


def test_with_too_few_images_to_recalibrate_by_it_says_so(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    adapted = fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **AGAIN))

    assert adapted.recalibrated == "too few images to recalibrate by: 18 of at least 20"
    assert metrics(tmp_path / "run")["recalibrated"] == adapted.recalibrated


def test_a_model_is_judged_by_the_classes_it_knows(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    rows = [f"{name}/{index}.png,{name}" for name in CLASSES for index in range(12)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,label", *rows]))
    table = {"labels": tmp_path / "labels.csv", "classes": "cross=wild,calm=calm"}
    adapted = fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **table, **AGAIN))

    assert adapted.figures.class_names == ("wild", "calm")
    assert adapted.before
    assert (adapted.before.class_names, adapted.before.per_class["wild"].recall) == (("wild", "calm", "cross"), 0)
    assert adapted.before.per_class["calm"].recall == trained.figures.per_class["calm"].recall


def test_the_bundle_says_what_it_went_on_from(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **AGAIN))
    before, after = (Classifier(out / "model.onnx").card.training_data for out in (trained.out, tmp_path / "run"))

    assert after == f"{before}, then {before}"


def test_another_network_than_the_model_has_is_refused(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="is small, not quick; omit --arch"):
        fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), arch="quick"))

    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_adapted_run_is_continued(
    trained: fit.Trained, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **{**AGAIN, "epochs": 3})
    whole = fit.train(replace(settings, out=tmp_path / "whole"))
    with monkeypatch.context() as patch:
        interrupt_at(2, patch)
        with pytest.raises(Interrupted):
            fit.train(settings)
    resumed = fit.train(replace(settings, resume=True))

    assert (resumed.epochs, resumed.before) == (3, whole.before)
    assert np.allclose(losses(tmp_path / "run"), losses(tmp_path / "whole"), rtol=1e-4)


def test_a_run_is_not_continued_from_another_model(trained: fit.Trained, faces: Path, tmp_path: Path) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(trained.out), **AGAIN))
    with pytest.raises(LabelerError, match="is another one: from was"):
        fit.train(TrainSettings(data=faces, out=tmp_path / "run", start=str(tmp_path / "run"), resume=True, **AGAIN))


def test_ctrl_c_keeps_the_best_network_and_says_how_to_continue(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_at(2, monkeypatch)
    with pytest.raises(Interrupted, match=r"stopped after epoch 2; .*--resume continues") as raised:
        fit.train(TrainSettings(data=faces, out=tmp_path / "run", **TRAINED))

    assert raised.value.exit_code == 130
    assert (metrics(tmp_path / "run")["epochs"], len(history(tmp_path / "run"))) == (2, 2)
    assert Classifier(tmp_path / "run" / "model.onnx").card.class_names == CLASSES


@pytest.mark.usefixtures("unhurried")
def test_ctrl_c_before_the_first_epoch_is_over_can_be_continued(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        interrupt_at(0, patch)
        with pytest.raises(Interrupted, match="before the first epoch was over"):
            fit.train(TrainSettings(data=faces, out=tmp_path / "run", **TRAINED))

    assert fit.train(TrainSettings(data=faces, out=tmp_path / "run", resume=True, **TRAINED)).epochs == 4


@pytest.mark.parametrize("change", [{"batch_size": 8}, {"learning_rate": 0.1}, {"seed": 4}, {"augment": True}])
def test_resume_refuses_other_settings(trained: fit.Trained, faces: Path, change: dict[str, Any]) -> None:
    [name] = change
    with pytest.raises(LabelerError, match=f"is another one: {name} was"):
        fit.train(replace(TrainSettings(data=faces, out=trained.out, resume=True, **TRAINED), **change))


def test_resume_refuses_other_pictures(trained: fit.Trained, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    for index in range(4):
        for name in CLASSES:
            other.noise(f"{name}/{index}.png", seed=2000 + len(name) * index)
    with pytest.raises(LabelerError, match="is another one: pixels was"):
        fit.train(TrainSettings(data=other.path, out=trained.out, resume=True, **TRAINED))


def test_resume_needs_a_run(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(LabelerError, match="there is no run to resume in"):
        fit.train(TrainSettings(data=faces, out=tmp_path, resume=True))


def test_a_run_directory_in_use_is_refused(trained: fit.Trained, faces: Path) -> None:
    with pytest.raises(LabelerError, match="is not empty; give a new --out, or --resume"):
        fit.train(TrainSettings(data=faces, out=trained.out, **TRAINED))


def test_a_folder_of_something_else_is_left_alone(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(LabelerError, match="is not empty"):
        fit.train(TrainSettings(data=faces, out=tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"arch": "secret"}, "--arch must be one of documented"),
        ({"val_split": 1.0}, "--val-split must lie between 0 and 1"),
        ({"epochs": 0}, "--epochs must be at least 1"),
        ({"patience": -1}, "--patience must not be negative"),
        ({"batch_size": 0}, "--batch-size must be at least 1"),
        ({"learning_rate": float("nan")}, "--learning-rate must be above 0"),
        ({"seed": -1}, "--seed must lie between"),
        ({"balance": 2.0}, "--balance must lie between 0 and 1"),
        ({"strategy": "all"}, "--strategy must be one of none, mirrored"),
        ({"strategy": "multiworker"}, "Keras 3 cannot train by MultiWorkerMirroredStrategy"),
    ],
)
def test_a_setting_out_of_range_is_named(faces: Path, tmp_path: Path, wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(LabelerError, match=told):
        fit.train(TrainSettings(data=faces, out=tmp_path / "run", **wrong))

    assert not (tmp_path / "run").exists()


def test_bad_data_leaves_no_run_directory_behind(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelerError, match="holds no class folders"):
        fit.train(TrainSettings(data=tmp_path / "empty", out=tmp_path / "run"))

    assert not (tmp_path / "run").exists()


def test_a_bundle_that_differs_fails_the_training(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(LabelerError, match="differs from the Keras network"):
        fit.train(TrainSettings(data=faces, out=tmp_path / "run", **TRAINED))

    assert not (tmp_path / "run" / "model.onnx").exists()


@pytest.mark.usefixtures("unhurried")
def test_the_terminal_gets_one_plain_line_for_each_epoch(
    faces: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fit.train(TrainSettings(data=faces, out=tmp_path / "run", **TRAINED), Progress.NONE)
    out, err = capfd.readouterr()
    lines = err.splitlines()

    assert out == ""
    assert lines[0] == "2 classes: calm, cross"
    assert lines[1] == "18 training photos, 6 validation photos (always calm: 50.0%)"
    assert lines[2].startswith("skipped ")
    assert [line[:9] for line in lines[3:]] == ["epoch 1/4", "epoch 2/4", "epoch 3/4", "epoch 4/4"]


def small(num_classes: int) -> keras.Model:
    layers = keras.layers
    dense = [layers.Dense(2, activation="relu"), layers.Dense(num_classes, activation="softmax")]
    return keras.Sequential([layers.Input((64, 64, 3)), layers.Flatten(), *dense])


def quick(num_classes: int) -> keras.Model:
    layers = keras.layers
    seen = [layers.Input((64, 64, 3)), layers.Conv2D(4, 8, 8, use_bias=False), layers.BatchNormalization()]
    told = [
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.5),
        layers.Dense(num_classes, activation="softmax", name="probabilities"),
    ]
    return keras.Sequential([*seen, *told])


SMALL = replace(recipes.RECIPES["documented"], network=small)
"""The documented recipe for a network with two hidden units."""

QUICK = replace(recipes.RECIPES["default"], network=quick)
"""The default recipe for a network of one convolution."""


def weights(out: Path) -> np.ndarray[Any, Any]:
    tensors = onnx.load(out / "model.onnx").graph.initializer
    return np.concatenate([onnx.numpy_helper.to_array(t).ravel() for t in tensors if t.data_type == 1])


def interrupt_at(epoch: int, patch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C when an epoch, counted from 0, begins."""
    begin = callbacks.Recorder.on_epoch_begin

    def pressed(recorder: callbacks.Recorder, number: int, logs: Any = None) -> None:
        begin(recorder, number, logs)
        if number == epoch:
            signal.raise_signal(signal.SIGINT)

    patch.setattr(callbacks.Recorder, "on_epoch_begin", pressed)


IMPORTS = """
import json, os, signal, sys
from pathlib import Path
import tensorflow as tf
from test_fit import QUICK, SMALL
from training import fit, recipes
from training.loop import callbacks
"""

TWO_DEVICES = """
[processor] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
"""
"""Make one processor two devices, which TensorFlow allows before it is first used only."""

DEADLY = """
def die(recorder, epoch, logs=None):
    if epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

callbacks.Recorder.on_epoch_begin = die
"""
"""Have a training killed when its third epoch begins."""

TRAIN = """
recipes.RECIPES.update(small=SMALL, quick=QUICK)
fit.train(fit.TrainSettings(data=Path(sys.argv[1]), out=Path(sys.argv[2]), **json.loads(sys.argv[3])))
"""

IN_CHECKOUT: dict[str, Any] = {
    "cwd": ROOT,
    "env": {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)])},
    "capture_output": True,
    "text": True,
    "check": False,
}
