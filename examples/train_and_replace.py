"""Train a model on your own faces, then label photos with it instead of with the model that ships.

DATA holds one folder of face pictures per class, and OUT is a new folder for the model:

    python examples/train_and_replace.py DATA OUT [PHOTOS]
"""

import sys
from pathlib import Path

import labeler
from training import fit

data, out = Path(sys.argv[1]), Path(sys.argv[2])
photos = sys.argv[3] if len(sys.argv) > 3 else Path(__file__).parent / "photos"

# A fifth of the pictures is held back to judge the model. Training ends after 20 rounds, or when it stops improving.
trained = fit.train(fit.TrainSettings(data=data, out=out, epochs=20, patience=5))
print(f"The best round was {trained.best_epoch} of {trained.epochs}; accuracy {trained.figures.accuracy:.0%}.")

# The folder is all that labeler needs, here and on the command line: labeler classify PHOTOS --model OUT ...
for row in labeler.label(photos, labeler.Settings(model=str(out))):
    print(f"{row.file}: {row.label or row.status}")
