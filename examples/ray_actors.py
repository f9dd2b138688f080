"""Label photos in Ray actors, two at a time. Needs: pip install ray.

python examples/ray_actors.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import ray
from ray.util import ActorPool

import labeler

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "photos" / "portraits"
paths = sorted(map(str, folder.glob("*.jpg")))
batches = [paths[at : at + 2] for at in range(0, len(paths), 2)]

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
Actor = ray.remote(labeler.Labeler)  # Each loads its models once, with its first batch.
pool = ActorPool([Actor.remote() for _ in range(2)])
for batch, found in zip(batches, pool.map(lambda actor, batch: actor.__call__.remote(batch), batches), strict=True):
    for path, faces in zip(batch, found, strict=True):
        print(Path(path).name, faces.status.value, [face.label for face in faces])
ray.shutdown()
