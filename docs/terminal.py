"""Make docs/terminal.svg: what `make demo` shows, from a real run in a real pseudo-terminal.

Run it in the checkout after `make demo`: .venv/bin/python docs/terminal.py
"""

from __future__ import annotations

import os
import pty
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
COMMAND = ["labeler", "classify", "examples/photos", "--out", "labels.csv"]


def recorded(folder: Path) -> str:
    """Return what the command writes to a terminal, with its colours."""
    pieces: list[bytes] = []

    def read(descriptor: int) -> bytes:
        pieces.append(os.read(descriptor, 1 << 16))
        return pieces[-1]

    out = folder / "labels.csv"
    os.environ["COLUMNS"] = "92"
    pty.spawn([str(Path(sys.executable).with_name(COMMAND[0])), *COMMAND[1:-1], str(out)], read)
    text = b"".join(pieces).decode().replace(str(out), "labels.csv")
    drawn = re.split(r"\x1b\[2K|\x1b\[\?25h", text)  # What the progress bar drew, it wiped.
    return drawn[-1].replace("\r\n", "\n").strip("\r\n")


def main() -> None:
    """Run the command, then draw its screen."""
    with tempfile.TemporaryDirectory() as folder:
        screen = recorded(Path(folder))
    console = Console(record=True, width=92, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text.assemble(("$ ", "bold green"), " ".join(COMMAND)))
    console.print(Text.from_ansi(screen))
    svg = console.export_svg(title="labeler")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # Nothing is fetched.
    (ROOT / "docs" / "terminal.svg").write_text(svg.replace("Fira Code, monospace", "monospace"), "utf-8")


if __name__ == "__main__":
    main()
