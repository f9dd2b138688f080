"""Read an export with FiftyOne's own importers, which need no database; print the pictures and their labels as JSON.

python fiftyone_importer.py FOLDER photos|crops [DATA_PATH]
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from fiftyone.utils.data import importers  # type: ignore[import-not-found]

IMPORTERS = {
    "photos": importers.FiftyOneImageDetectionDatasetImporter,
    "crops": importers.ImageClassificationDirectoryTreeImporter,
}


def labelled(label: Any) -> object:
    """Return a classification's class, or the detections with their boxes and scores; None without a label."""
    if label is None:
        return None
    if hasattr(label, "detections"):
        return [(one.label, one.bounding_box, one.confidence) for one in label.detections]
    return label.label


folder, what, *data_path = sys.argv[1:]
options = {"data_path": data_path[0]} if data_path else {}
with IMPORTERS[what](dataset_dir=folder, **options) as found:
    print(json.dumps({os.path.relpath(path, folder): labelled(label) for path, _, label in found}))
