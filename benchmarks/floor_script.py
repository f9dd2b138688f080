"""The lower bound on the time to label: processes that read, decode, resize and run the network. No table, no checks.

    python benchmarks/floor_script.py FOLDER PROCESSES whole MODEL.onnx    read, decode, resize to 64x64, run
    python benchmarks/floor_script.py FOLDER PROCESSES scaled              read, decode JPEGs at an eighth of their size

Every process lists the folder itself and takes every PROCESSES-th file. All results are dropped, so nothing that labels
these files with OpenCV and ONNX Runtime can be faster.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

BATCH = 256


def main() -> None:
    """Start the processes and wait for them; or, as one of them, do the work."""
    if len(sys.argv) > 5:
        work(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))
        return
    folder, processes, mode, model = [*sys.argv[1:], ""][:4]
    command = [sys.executable, __file__, folder, processes, mode, model]
    started = [subprocess.Popen([*command, str(number)]) for number in range(int(processes))]
    ended = [process.wait() for process in started]
    if any(ended):
        raise SystemExit("a process failed")


def work(folder: str, processes: int, mode: str, model: str, number: int) -> None:
    """Run the steps on every ``processes``-th file, beginning with the ``number``-th."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    files = sorted(str(file) for file in Path(folder).rglob("*.*"))[number::processes]
    if mode == "scaled":
        for file in files:
            cv2.imdecode(np.frombuffer(read(file), np.uint8), cv2.IMREAD_REDUCED_COLOR_8)
        return
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    for at in range(0, len(files), BATCH):
        decoded = [
            cv2.imdecode(np.frombuffer(read(file), np.uint8), cv2.IMREAD_COLOR_RGB) for file in files[at : at + BATCH]
        ]
        session.run(None, {name: np.stack([cv2.resize(pixels, (64, 64)) for pixels in decoded])})


def read(file: str) -> bytes:
    """Read a file by the plain system calls, which cost half of what `open` does."""
    descriptor = os.open(file, os.O_RDONLY)
    content = os.read(descriptor, os.fstat(descriptor).st_size)
    os.close(descriptor)
    return content


if __name__ == "__main__":
    main()
