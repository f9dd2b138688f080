"""Photos of a web server, by their addresses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import Result
from conftest import Folder

from labeler.tables import reader

pytest.importorskip("obstore")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web(folder: Folder) -> Iterator[str]:
    """The address of a server of three photos."""
    for number, name in enumerate(["a/1.jpg", "a/2.jpg", "b/3.jpg"]):
        folder.noise(name, seed=number)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder.path)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_photos_of_a_web_server_are_labelled_one_by_one(
    web: str, folder: Folder, model: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    there, here = tmp_path / "there.csv", tmp_path / "here.csv"
    options = ("--model", model, "-q", "--workers", "1")
    run("classify", f"{web}/a/1.jpg", f"{web}/b/3.jpg", "--out", there, *options)
    run("classify", folder.path / "a/1.jpg", folder.path / "b/3.jpg", "--out", here, *options)

    assert [row.file for row in reader.read(there)] == ["a/1.jpg", "b/3.jpg"]
    assert [row._replace(version="") for row in reader.read(there)] == [
        row._replace(version="") for row in reader.read(here)
    ]


def test_a_folder_of_a_web_server_cannot_be_listed_and_one_line_says_so(
    web: str, model: Path, tmp_path: Path, run: Callable[..., Result]
) -> None:
    done = run("classify", f"{web}/a", "--out", tmp_path / "labels.csv", "--model", model, "-q")

    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)
    assert f"{web}/a cannot be listed" in done.stderr
