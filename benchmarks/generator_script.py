"""Train the documented network with plain Keras: a baseline for `labeler train`.

It is written the way Keras documents it: `ImageDataGenerator`, `flow_from_directory`, `fit`. A table gets the seconds
of every epoch, training and validation. Workers are threads, or processes if that is the last argument.

    python benchmarks/generator_script.py TRAINING VALIDATION seconds.csv WORKERS [processes]
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Mapping

import keras
from tensorflow.keras.preprocessing.image import DirectoryIterator, ImageDataGenerator

EPOCHS = 3


class Clock(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types.
    """Record the seconds of every epoch, before anything is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:  # noqa: ARG002
        self.seconds.append(round(time.monotonic() - self._started, 3))


def main() -> None:
    """Train and write the table."""
    training_folder, validation_folder, table, workers, *processes = sys.argv[1:]
    training, validation = (
        flow(folder, int(workers), processes=bool(processes)) for folder in (training_folder, validation_folder)
    )
    network = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(training.num_classes, activation="softmax"),
        ]
    )
    network.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    clock = Clock()
    network.fit(training, validation_data=validation, epochs=EPOCHS, callbacks=[clock], verbose=0)
    with open(table, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["epoch", "seconds"])
        writer.writerows(enumerate(clock.seconds, 1))


def flow(folder: str, workers: int, *, processes: bool) -> DirectoryIterator:
    """Return the batches of a folder of class folders, decoded anew in every epoch."""
    batches = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
        folder, target_size=(64, 64), class_mode="categorical", batch_size=32
    )
    batches.workers = workers  # `PyDataset` has the options, `flow_from_directory` does not pass them on.
    batches.use_multiprocessing = processes
    return batches


if __name__ == "__main__":
    main()
