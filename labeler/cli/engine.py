"""The engines of ``--engine``, and the environment that they need."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

from labeler.errors import LabelerError, needs
from labeler.records import Device, Engine

if TYPE_CHECKING:
    from labeler.executors.ray_data import RayData


def actors(engine: Engine, address: str, workers: int, device: Device) -> RayData | None:
    """Return what works on units on a cluster, None for the cores of this machine. With CUDA, an actor claims a GPU.

    Raises:
        LabelerError: an address goes with no other engine than Ray, or Ray is not installed.
    """
    if engine is Engine.RAY:
        return ray_data(address or None, workers, gpus=1 if device is Device.CUDA else 0)
    if address:
        raise LabelerError(f"--address {address} is that of a Ray cluster; add --engine ray")
    return None


def ray_data(address: str | None, workers: int = 0, gpus: float = 0) -> RayData:
    """Return the executor of ``--engine ray``.

    Raises:
        LabelerError: Ray is not installed.
    """
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # Else a call behind the end of a run would start another cluster.
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # What is said of retries goes to stdout otherwise, among the data.
    if address is None:
        _keep_private()
    with needs("ray", "ray"):
        from labeler.executors.ray_data import RayData
    return RayData(address, workers, gpus)


def _keep_private() -> None:
    """Prepare for a cluster of our own: nobody else may use it, and nothing is written to the home folder.

    Ray reads these variables when it is imported. Without a token, anyone on this machine could run code in the
    cluster; without one of ours, Ray would make one and keep it in the home folder.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
