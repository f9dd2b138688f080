"""Label photos with a model of your own instead of the one that ships.

python examples/own_model.py --model runs/first [FOLDER]
"""

import argparse
from pathlib import Path

import labeler

parser = argparse.ArgumentParser(description=__doc__)
# What `labeler train` wrote: its run directory, the model.onnx in it, or the best_model.keras.
parser.add_argument("--model", required=True)
parser.add_argument("folder", nargs="?", default=Path(__file__).parent / "photos")
options = parser.parse_args()

# Faces that score below the threshold are labelled "uncertain" instead of with the best guess.
settings = labeler.Settings(model=options.model, threshold=0.3)
for row in labeler.label(options.folder, settings):
    print(f"{row.file}: {row.label or row.status}")
