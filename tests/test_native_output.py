"""Native chatter stays off the terminal, unless it explains a failure."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from conftest import ROOT

from labeler import native_output


def test_what_native_code_writes_is_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    with native_output.stderr():
        os.write(2, b"I0000 oneDNN custom operations are on\n")
    os.write(2, b"mine\n")

    assert capfd.readouterr().err == "mine\n"


def test_it_is_shown_when_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError):
        fail_quietly()

    assert capfd.readouterr().err == "libcuda is broken\n"


def fail_quietly() -> None:
    with native_output.stderr():
        os.write(2, b"libcuda is broken\n")
        raise ImportError


def test_decoders_stay_off_the_terminal_while_python_does_not(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import os, sys; from labeler import native_output\n"
    script += "with native_output.decoders():\n    os.write(2, b'native')\n"
    script += "    print('python', file=sys.stderr)\nos.write(2, b'native again')"
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)

    assert capfd.readouterr().err == "python\nnative again"


def test_what_decoders_say_is_heard_once(capfd: pytest.CaptureFixture[str]) -> None:
    with native_output.decoders():
        before = native_output.heard()
        os.write(2, b"Corrupt JPEG data\n")
        heard = before, native_output.heard(), native_output.heard()

    assert heard == ("", "Corrupt JPEG data\n", "")
    assert capfd.readouterr().err == ""


def test_nobody_listens_to_a_process_that_is_not_ours(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"mine\n")

    assert (native_output.listens(), native_output.heard(), capfd.readouterr().err) == (False, "", "mine\n")


def test_who_listens_within_leaves_who_listened_before_listening() -> None:
    with native_output.decoders():
        with native_output.decoders():
            os.write(2, b"inner")
            inner = native_output.heard()
        os.write(2, b"outer")

        assert (inner, native_output.heard(), native_output.listens()) == ("inner", "outer", True)
    assert not native_output.listens()


def test_warnings_without_end_neither_block_nor_take_memory() -> None:
    script = (
        "import os; from labeler import native_output\nwith native_output.decoders():\n"
        "    for _ in range(100):\n"
        "        try: os.write(2, b'x' * 10_000)\n"
        "        except PermissionError: pass\n"  # The file may not grow.
        "    print(len(native_output.heard()), len(native_output.heard()))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, capture_output=True, timeout=60)
    first, then = map(int, done.stdout.split())

    assert 0 < first <= 1 << 16
    assert then == 0


def test_where_no_file_may_be_large_nobody_listens_and_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    script = (
        "import os, resource; from labeler import native_output as native\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with native.decoders():\n    os.write(2, b'native'); assert (native.listens(), native.heard()) == (False, '')"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)

    assert capfd.readouterr().err == ""
