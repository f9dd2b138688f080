"""Label a folder of face crops with plain Keras: a baseline for `labeler classify`.

It is written the way Keras documents it, with everything that makes it faster in a line or two: images are prefetched
in parallel, ``predict`` takes batches of 256, the standard library writes the table.

    python benchmarks/keras_script.py FOLDER_OF_CLASS_FOLDERS best_model.keras labels.csv
"""

from __future__ import annotations

import csv
import os
import sys

import keras
import tensorflow as tf

folder, model_file, table = sys.argv[1:]

pictures = keras.utils.image_dataset_from_directory(
    folder, label_mode=None, shuffle=False, image_size=(64, 64), batch_size=256
)
class_names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
files = pictures.file_paths
scaled = pictures.map(lambda batch: batch / 255.0, num_parallel_calls=tf.data.AUTOTUNE)
scaled = scaled.prefetch(tf.data.AUTOTUNE)

model = keras.models.load_model(model_file)
probabilities = model.predict(scaled)
labels = [class_names[best] for best in probabilities.argmax(axis=1)]

with open(table, "w", newline="", encoding="utf-8") as stream:
    writer = csv.writer(stream)
    writer.writerow(["file", "label", *class_names])
    for file, label, row in zip(files, labels, probabilities.tolist(), strict=True):
        writer.writerow([os.path.relpath(file, folder), label, *row])
