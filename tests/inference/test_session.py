"""Networks: loaded without a trace, on the device that was chosen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime
import pytest

from labeler.errors import ModelError
from labeler.inference import bundle, session
from labeler.records import Device


def test_loading_a_model_writes_nothing_into_the_home_folder(tmp_path: Path) -> None:
    script = "from labeler.inference import bundle, session; session.load(bundle.detector(''))"
    home = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    subprocess.run([sys.executable, "-c", script], env={**home, "HOME": str(tmp_path)}, check=True)

    assert list(tmp_path.rglob("*")) == []


def has_cuda() -> bool:
    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def test_the_processor_can_always_be_chosen() -> None:
    assert session.device(Device.CPU) is Device.CPU


@pytest.mark.skipif(has_cuda(), reason="this ONNX Runtime has CUDA")
def test_without_cuda_auto_is_the_processor() -> None:
    assert session.device(Device.AUTO) is Device.CPU


@pytest.mark.skipif(has_cuda(), reason="this ONNX Runtime has CUDA")
def test_without_cuda_asking_for_it_is_refused_with_what_to_install() -> None:
    with pytest.raises(ModelError, match="pip install onnxruntime-gpu"):
        session.device(Device.CUDA)


def test_what_a_session_runs_on_is_what_was_chosen() -> None:
    device = session.device(Device.AUTO)

    assert session.load(bundle.detector(""), device).get_providers()[0].lower().startswith(device)
