"""Stores of fsspec; the one in memory stands for all."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from conftest import Folder

from labeler import pipeline, storage
from labeler.errors import InputGoneError, LabelerError
from labeler.records import Row, Settings, Status
from labeler.storage.store import FileError, key
from labeler.tables import reader

fsspec = pytest.importorskip("fsspec")
MemoryFileSystem = fsspec.get_filesystem_class("memory")

LIMIT = 1 << 20
NAMES = ["a.jpg", "b/1.jpg", "b/c/2.jpg", "b c/3.jpg", "ä/ö.jpg"]


@pytest.fixture
def memory() -> Iterator[str]:
    """The address of an empty store in the memory of this process."""
    yield "memory://photos/all"
    fsspec.filesystem("memory").store.clear()


def put(name: str, content: bytes) -> None:
    fsspec.filesystem("memory").pipe_file(f"/photos/all/{name}", content)


def nothing(_: str) -> bool:
    return False


def test_files_are_walked_in_the_order_of_names_without_hidden_ones(memory: str) -> None:
    for name in [*NAMES, ".x.jpg", "b/.y/1.jpg"]:
        put(name, b"x")
    store = storage.at(memory)

    assert list(store.walk([""], nothing)) == sorted(NAMES, key=key)
    assert list(store.walk(["b"], nothing)) == ["b/1.jpg", "b/c/2.jpg"]


def test_sizes_and_versions_are_listed_as_they_are_read(memory: str) -> None:
    for name in NAMES:
        put(name, name.encode())
    store = pickle.loads(pickle.dumps(storage.at(memory)))
    for listed in store.listed([""], nothing):
        assert listed.sizes == [len(name.encode()) for name in listed.names]
        assert listed.versions == [store.read(name, LIMIT).version for name in listed.names]
        assert listed.versions == [store.version(name) for name in listed.names]


def test_a_file_is_written_and_only_once_if_so_asked(memory: str) -> None:
    store = storage.at(memory)
    store.write("a/1", b"one")
    store.write("a/1", b"two")

    assert not store.write_new("a/1", b"three")
    assert store.write_new("a/2", b"three")
    assert [store.read(name, LIMIT).data for name in ("a/1", "a/2")] == [b"two", b"three"]
    assert list(store.walk([""], nothing)) == ["a/1", "a/2"]


def test_what_is_not_there_or_too_long_cannot_be_read(memory: str) -> None:
    put("1.jpg", b"x" * 11)
    store = storage.at(memory)

    with pytest.raises(FileError, match="there is no such file"):
        store.read("2.jpg", LIMIT)
    with pytest.raises(FileError, match=r"11 bytes; the limit is 10"):
        store.read("1.jpg", 10)
    assert store.version("2.jpg") is None
    store.confirm(["2.jpg"])


def test_photos_in_memory_give_the_rows_of_the_folder(memory: str, folder: Folder, model: Path, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        put(name, folder.noise(name, seed=number).read_bytes())
    folder.file("b/4.jpg", b"words")
    put("b/4.jpg", b"words")
    job = pipeline.Job(
        inputs=(memory,),
        out=tmp_path / "labels.csv",
        settings=Settings(model=str(model)),
        executor=pipeline.InProcess(),
    )
    pipeline.classify(job)

    assert without_versions(reader.read(job.out)) == without_versions(
        pipeline.label([folder.path], Settings(model=str(model)))
    )
    assert {row.status for row in reader.read(job.out)} == {Status.OK, Status.UNSUPPORTED}


def without_versions(rows: Iterator[Row]) -> list[Row]:
    return [row._replace(version="") for row in rows]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("nonsense://photos/all", "Protocol not known: nonsense"),
        ("oci://photos/all", "needs another package: .*ocifs"),
        ("memory://photos?endpoint=http://x", "memory:// takes no endpoint"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line(
    address: str, told: str, tmp_path: Path, model: Path, run: Callable[..., Result]
) -> None:
    with pytest.raises(LabelerError, match=told):
        storage.at(address).confirm_all()
    done = run("classify", address, "--out", tmp_path / "labels.csv", "--model", model, "-q")
    assert (done.exit_code, len(done.stderr.splitlines())) == (2, 1)


class Broken(MemoryFileSystem):  # type: ignore[misc]
    """A file system whose library fails in its own way."""

    protocol = "broken"

    def _fails(self, *_: object, **__: object) -> None:
        raise RuntimeError("the line is cut")

    ls = info = cat_file = pipe_file = _fails

    def open(self, *_: object, **__: object) -> None:
        """Refuse the mode."""
        raise NotImplementedError


def test_a_file_system_that_fails_is_told_in_one_line() -> None:
    fsspec.register_implementation("broken", Broken, clobber=True)
    store = storage.at("broken://photos/all")

    with pytest.raises(FileError, match="the line is cut"):
        store.read("1.jpg", LIMIT)
    assert store.version("1.jpg") == ""
    for ask in (lambda: list(store.walk([""], nothing)), store.confirm_all):
        with pytest.raises(InputGoneError, match=r"broken://photos/all cannot be reached: the line is cut"):
            ask()
    with pytest.raises(OSError, match="the line is cut"):
        store.write("a/1", b"one")
    with pytest.raises(LabelerError, match="broken:// cannot create a file only where there is none"):
        store.write_new("a/1", b"one")


def test_names_are_located_below_the_address() -> None:
    store = storage.at("memory://photos/all")

    assert store.locate("a/1.jpg") == "memory://photos/all/a/1.jpg"
    assert store.locate("") == store.locate(store.address) == "memory://photos/all"
