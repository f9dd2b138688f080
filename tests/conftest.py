"""Shared fixtures and helpers: folders of generated photos, small file systems, and a bundle with fixed weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np
import onnx
import pytest
from buckets import CREDENTIALS, bucket, s3_endpoint  # noqa: F401 - fixtures
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from labeler import storage
from labeler.cli.app import app
from labeler.images.picture import Picture
from labeler.images.read import read

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"
"""Faces, photos and hostile files that are not committed; a test that needs them skips where they are absent."""

CLASS_NAMES = ("angry", "happy", "sad")


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

HEAVY_FIXTURES = frozenset({"tensorflow", "exfat", "wheel"})
"""A test that asks for one of these, itself or by another fixture, is marked as heavy. So is one that calls `kills`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out heavy tests; TensorFlow cannot be loaded")
    parser.addoption("--libraries", action="store_true", help="a test fails where a library is missing; else it skips")


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes that tests start import what the tests import, from any folder."""
    paths = [str(ROOT)]
    if config.getoption("--fast"):
        paths.insert(0, str(ROOT / "tests" / "fast"))
        sys.meta_path.insert(0, NoTensorFlow())  # type: ignore[arg-type]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(CREDENTIALS)  # Now: worker processes have the environment in which the fork server started.


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if (
            isinstance(item, pytest.Function)
            and isinstance(item.function, FunctionType)
            and (HEAVY_FIXTURES.intersection(item.fixturenames) or calls(item.function, "kills"))
        ):
            item.add_marker("heavy")
    if config.getoption("--fast"):
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("heavy")])
        items[:] = [item for item in items if not item.get_closest_marker("heavy")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Let `pytest.importorskip` fail a test under ``--libraries``, unless it gives a reason of its own."""
    try:
        yield
    except pytest.skip.Exception as exc:
        if item.config.getoption("--libraries") and str(exc.msg).startswith("could not import"):
            pytest.fail(str(exc.msg), pytrace=False)
        raise


def calls(function: Any, module: str) -> bool:
    """Say whether a function calls one of a module, itself or by other functions of its own module."""
    pending, seen = [function], {function}
    while pending:
        one = pending.pop()
        used = {other for name in names(one.__code__) if isinstance(other := one.__globals__.get(name), FunctionType)}
        if any(other.__module__ == module for other in used):
            return True
        pending += [other for other in used - seen if other.__module__ == function.__module__]
        seen |= used
    return False


def names(code: CodeType) -> set[str]:
    """Return the names that some code uses, in its inner functions too."""
    return set(code.co_names).union(*(names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def pytest_collection_finish() -> None:
    NoTensorFlow.collecting = False


class NoTensorFlow:
    """Leaves out a module of tests that imports TensorFlow, and fails a test that loads it all the same."""

    collecting = True

    def find_spec(self, name: str, *_: object) -> None:
        if name in {"tensorflow", "keras"}:
            if NoTensorFlow.collecting:
                raise pytest.skip.Exception("imports TensorFlow", allow_module_level=True)
            pytest.fail(f"a fast test loads {name}: it should ask for the fixture `tensorflow`")


@pytest.fixture(scope="session")
def tensorflow() -> None:
    """Say that a test loads TensorFlow, here or in a process that it starts."""
    pytest.importorskip("tensorflow")


@pytest.fixture(scope="session", autouse=True)
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what programs that are killed leave in the system's folder for programs that run out of the user's own."""
    folder = tmp_path_factory.mktemp("runtime")
    folder.chmod(0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(folder)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser: the system's, nothing is downloaded. Closed after each module: its event loop would stay otherwise."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def content_of(path: Path) -> bytes:
    """Return the content of a file of a running process; nothing once the file is put in place or the process gone."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def read_image(path: Path | str, shorter: int, longer: int, max_pixels: int) -> Picture:
    """Read and decode a file; for the sides and the limit see `decode`."""
    return read(storage.at(""), str(path), shorter, longer, max_pixels)[0]


class Folder:
    """A folder of photos, each of one colour unless a test paints it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def picture(
        self, name: str, colour: tuple[int, int, int] = (200, 30, 30), side: int = 48, **options: object
    ) -> Path:
        path = self._place(name)
        Image.new("RGB", (side, side), colour).save(path, **options)  # type: ignore[arg-type]
        return path

    def noise(self, name: str, seed: int, side: int = 48) -> Path:
        path = self._place(name)
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, quality=95)
        return path

    def damaged(self, name: str, seed: int = 1, side: int = 48, **options: object) -> Path:
        """Write a JPEG that ends properly, but whose lower half is lost."""
        path = self._place(name)
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).convert(str(options.pop("mode", "RGB")))
        image.save(path, "JPEG", quality=95, **options)  # type: ignore[arg-type]
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2] + b"\xff\xd9")
        return path

    def file(self, name: str, content: bytes = b"not a picture") -> Path:
        path = self._place(name)
        path.write_bytes(content)
        return path

    def _place(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


MEMORY = Path("/dev/shm")
MEMORY_BYTES = 1 << 28
"""Least free memory to use it for files; a container may have 64 MB."""


@pytest.fixture
def tmp_path(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return an empty folder; for the tests of tables, which are killed and synced thousands of times, in memory.

    On a disk, four fifths of their time is waiting for fsync. Its order and place are what tests/storage looks at.
    """
    in_memory = "tables" in request.path.parts and os.access(MEMORY, os.W_OK)
    if not in_memory or shutil.disk_usage(MEMORY).free < MEMORY_BYTES:
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="labeler-", dir=MEMORY) as folder:
        yield Path(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder `photos`."""
    path = tmp_path / "photos"
    path.mkdir()
    return Folder(path)


def small_tmpfs(place: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of a given size; unmount it when the iteration continues."""
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], capture_output=True).returncode:
        pytest.skip("this user may not mount a tmpfs")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[Path]:
    """A mounted exFAT file system: case-insensitive (`a.jpg` is `A.jpg`), no `:` in names, no links."""
    programs = ("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")
    if missing := [name for name in programs if not shutil.which(name)]:
        pytest.skip(f"no {', '.join(missing)}: apt-get install exfatprogs exfat-fuse")
    image, place = tmp_path / "exfat.img", tmp_path / "exfat"
    place.mkdir()
    image.touch()
    os.truncate(image, 64 << 20)
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    attached = subprocess.run(["losetup", "--find", "--show", image], capture_output=True, text=True)
    device = attached.stdout.strip()
    if attached.returncode or subprocess.run(["mount.exfat-fuse", device, place], capture_output=True).returncode:
        if device:
            subprocess.run(["losetup", "--detach", device], check=True)
        pytest.skip("this user may not mount exFAT")
    yield place
    subprocess.run(["umount", place], check=True)
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle with fixed random weights: `angry`, `happy`, `sad`."""
    return make_bundle(tmp_path_factory.mktemp("model") / "model.onnx")


def make_bundle(
    path: Path,
    class_names: tuple[str, ...] | None = CLASS_NAMES,
    *,
    side: int = 64,
    seed: int = 7,
    face: bool = False,
    **metadata: object,
) -> Path:
    """Write a bundle: uint8 images, scaled inside the graph, one dense layer, softmax.

    With ``face`` it has a second output of that name: the brightness of the image, by a dense layer of its own.
    """
    count = len(class_names or CLASS_NAMES)
    weights = np.random.default_rng(seed).normal(0, 0.05, (side * side * 3, count)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["floats", "scale"], ["scaled"]),
        helper.make_node("Flatten", ["scaled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", count])]
    constants = {"scale": np.float32(1 / 255), "weights": weights}
    if face:
        nodes.append(helper.make_node("MatMul", ["flat", "shares"], ["bright"]))
        nodes.append(helper.make_node("Clip", ["bright", "none", "whole"], ["face"]))
        outputs.append(helper.make_tensor_value_info("face", TensorProto.FLOAT, ["batch", 1]))
        shares = np.full((side * side * 3, 1), 1 / (side * side * 3), np.float32)
        constants |= {"shares": shares, "none": np.float32(0), "whole": np.float32(1)}
    graph = helper.make_graph(
        nodes,
        "labeler",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["batch", side, side, 3])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    properties = {key: value if isinstance(value, str) else json.dumps(value) for key, value in metadata.items()}
    if class_names is not None:
        properties["class_names"] = json.dumps(class_names)
    helper.set_model_props(proto, properties)
    onnx.save(proto, path)
    return path


@pytest.fixture
def run() -> Callable[..., Result]:
    """Run the command line in this process: run("classify", folder, ...)."""
    return lambda *arguments: CliRunner().invoke(
        app, [os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments]
    )
