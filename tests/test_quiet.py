"""Native chatter stays off the terminal, unless it explains a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labeler import quiet


def test_what_native_code_writes_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet.stderr():
        os.write(2, b"I0000 oneDNN custom operations are on\n")
    os.write(2, b"mine\n")

    assert capfd.readouterr().err == "mine\n"


def test_it_is_shown_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError):
        fail_quietly()

    assert capfd.readouterr().err == "libcuda is broken\n"


def fail_quietly() -> None:
    with quiet.stderr():
        os.write(2, b"libcuda is broken\n")
        raise ImportError


def test_decoders_are_not_heard_while_python_is(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import os, sys; from labeler import quiet\nwith quiet.decoders():\n    os.write(2, b'native')\n"
    script += "    print('python', file=sys.stderr)\nos.write(2, b'native again')"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent.parent)

    assert capfd.readouterr().err == "python\nnative again"
