"""What a run into a directory of parts is asked to do."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from labeler.errors import LabelerError
from labeler.job import Request
from labeler.storage.address import is_remote
from labeler.tables import parts

if TYPE_CHECKING:  # It needs an extra.
    from labeler.executors.ray_data import RayData

UNIT_FILES = 10_000
"""Files in a unit: minutes of work for large photos, and what a kill may cost at most."""

_SCHEDULERS = (
    ("Slurm", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"),
    ("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", "", ""),
    ("Kubernetes", "JOB_COMPLETION_INDEX", "", "", ""),
)
"""The environment variables of schedulers: index, count, lowest index and step of the indexes, where there are such."""


@dataclass(frozen=True, slots=True)
class Share:
    """The units that one of several processes does: those whose number modulo ``count`` is ``index``."""

    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, text: str, environment: Mapping[str, str]) -> Share:
        """Return what ``3/16``, ``auto`` or ``auto/16`` means; "auto" asks what a scheduler has set.

        Raises:
            LabelerError: it means nothing.
        """
        found = re.fullmatch(r"(auto|\d+)(?:/(\d+))?", text.strip())
        if not found or (found[1] != "auto" and not found[2]):
            raise LabelerError(f"--shard {text}: give an index from 0 and a count, such as 3/16, or auto, or auto/16")
        index, count = (int(found[1]), 0) if found[1] != "auto" else _scheduled(environment)
        count = int(found[2]) if found[2] else count
        if not count:
            raise LabelerError("--shard auto: the scheduler tells no count of shards; give it, such as auto/16")
        if index >= count:
            raise LabelerError(f"--shard {index}/{count}: the index counts from 0, so the last one is {count - 1}")
        return cls(index, count)

    def __contains__(self, unit: object) -> bool:
        """Say whether a unit is one of these."""
        return isinstance(unit, int) and unit % self.count == self.index

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{self.index}/{self.count}"


WHOLE = Share()
"""All units."""


def _scheduled(environment: Mapping[str, str]) -> tuple[int, int]:
    """Return the index and the count that a scheduler has set, 0 for a count that it does not tell."""
    for _, index, count, lowest, step in _SCHEDULERS:
        if index in environment:
            first, apart = int(environment.get(lowest, 0)), int(environment.get(step, 1))
            return (int(environment[index]) - first) // apart, int(environment.get(count, 0))
    variables = ", ".join(index for _, index, *_ in _SCHEDULERS)
    raise LabelerError(f"--shard auto: no scheduler has set its index ({variables}); give it, such as 3/16")


def is_directory(out: str) -> bool:
    """Say whether an output is to be a directory of parts, and not one file."""
    return out.endswith(("/", os.sep)) or is_remote(out) or parts.is_directory(Path(out))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(Request):
    """One run of `classify` that writes parts into a directory."""

    out: str
    """The directory: a path, or an address of a remote store."""
    unit_files: int = 0
    """Files in a unit; 0 for `UNIT_FILES`. The plan that stands decides."""
    share: Share = WHOLE
    plan_only: bool = False
    """Whether to list the photos and write the plan, and to label nothing."""
    actors: RayData | None = None
    """What works on whole units, on a cluster; None for an executor of this machine."""
