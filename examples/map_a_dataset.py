"""Label the images of a Hugging Face dataset. Needs: pip install datasets.

python examples/map_a_dataset.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from datasets import Dataset, Image

import labeler

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "photos" / "portraits"
label = labeler.Labeler()


def add_labels(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Add to each image a list of its faces' labels, largest face first, their scores, and why there are none."""
    found = label(batch["image"])
    return {
        "labels": [[face.label for face in faces] for faces in found],
        "scores": [[face.score for face in faces] for faces in found],
        "status": [faces.status.value for faces in found],
    }


paths = sorted(map(str, folder.glob("*.jpg")))
dataset = Dataset.from_dict({"file": paths, "image": paths}).cast_column("image", Image())
for row in dataset.map(add_labels, batched=True, batch_size=32).remove_columns("image"):
    print(Path(row["file"]).name, row["status"], row["labels"])
