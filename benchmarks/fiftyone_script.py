"""Import an export into FiftyOne, but for its database: photos in place, with their detections.

    python benchmarks/fiftyone_script.py FOLDER

It needs, in an environment of its own: pip install fiftyone
"""

from __future__ import annotations

import sys

from fiftyone.utils.data.importers import FiftyOneImageDetectionDatasetImporter  # type: ignore[import-not-found]

with FiftyOneImageDetectionDatasetImporter(dataset_dir=sys.argv[1], data_path="data.json") as found:
    print(sum(len(label.detections) for _, _, label in found))
