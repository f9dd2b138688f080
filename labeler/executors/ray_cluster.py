"""A connection to a Ray cluster: an existing one, or a private one of this machine that ends with the run."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import ray

from labeler.errors import LabelerError, one_line
from labeler.executors.cores import cores

LONGEST_FOLDER = 40
"""Upper limit on the bytes of the path of the folder for a private cluster: Ray appends up to 63 for its sockets, and
a socket's path has room for 107."""

STORE_BYTES = 80 << 20
"""Size of a private cluster's object store. Only numbers and counts travel through it; Ray refuses less than 75 MB."""

_ANSWER_S = 10.0
"""How long a cluster has to answer at its port."""

_REFUSED = (OSError, ValueError, RuntimeError, ray.exceptions.RayError)
"""What Ray raises where it cannot start or join a cluster; ConnectionError is an OSError."""


@contextmanager
def connected(address: str | None, workers: int) -> Iterator[str | None]:
    """Connect this process to the cluster at an address, or to a private one with a core for each worker.

    Yield the folder of a private cluster, for temporary files of its actors, too; None for another cluster.

    A private cluster listens on this machine only. Its folder and its processes go at the end; if this process is
    killed, Ray ends them, and the folder stays among the temporary files.

    Raises:
        LabelerError: there is no cluster, or none can be started.
    """
    if ray.is_initialized():
        raise LabelerError("this process is connected to a Ray cluster already; call ray.shutdown() first")
    with ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(_handlers_kept())
        folder = None
        if address is None:
            folder = stack.enter_context(_folder())
            stack.callback(ray.shutdown)
            with _handlers_kept():
                _start(folder, workers or cores())
        else:
            stack.callback(ray.shutdown)
            with _handlers_kept():
                _join(address)
        yield folder


def _start(folder: str, workers: int) -> None:
    try:
        ray.init(
            address="local",
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            _temp_dir=folder,
        )
    except _REFUSED as exc:
        raise LabelerError(f"Ray cannot start on this machine: {one_line(exc)}") from exc


def _join(address: str) -> None:
    if address.startswith("ray://"):
        raise LabelerError(
            f"{address} is for Ray Client, in which Ray Data has no actors. Run the command in the cluster: `ray job "
            "submit --address http://HEAD:8265 -- labeler classify ... --engine ray --address auto`"
        )
    host, _, port = address.rpartition(":")
    try:
        if port.isdigit():  # Ray itself would try for minutes.
            socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL)
    except _REFUSED as exc:
        reason = one_line(exc).rstrip(".")
        raise LabelerError(
            f"no Ray cluster answers at {address}: {reason}. Run the command on one of its nodes, with "
            "--address auto; `ray status` there says whether it runs"
        ) from exc


@contextmanager
def _folder() -> Iterator[str]:
    """Yield a new folder for the files and sockets of a cluster, and remove it at the end.

    Raises:
        LabelerError: no folder for temporary files has a path that is short enough.
    """
    for parent in (tempfile.gettempdir(), "/tmp"):
        if os.path.isdir(parent) and len(os.fsencode(parent)) + len("/labeler-12345678") <= LONGEST_FOLDER:
            folder = tempfile.mkdtemp(prefix="labeler-", dir=parent)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)  # A process that is ending may still write a log.
                shutil.rmtree(folder, ignore_errors=True)
            return
    raise LabelerError(
        f"the path of the folder for temporary files is too long for Ray's sockets: {tempfile.gettempdir()}. "
        "Set TMPDIR to a shorter one"
    )


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Restore the handler of SIGTERM, which `ray.init` replaces."""
    if threading.current_thread() is not threading.main_thread():  # Ray leaves it alone there, too.
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray Data logs off the terminal; the cluster's own log files have it."""
    logger = logging.getLogger("ray.data")
    consoles = [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    for handler in consoles:
        logger.removeHandler(handler)
    try:
        yield
    finally:
        for handler in consoles:
            logger.addHandler(handler)
