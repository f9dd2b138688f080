"""A real bucket on loopback: what is listed, read and written there."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from buckets import Bucket
from obstore.exceptions import GenericError

from labeler import storage
from labeler.errors import InputGoneError, LabelerError
from labeler.storage import connect, remote_listing
from labeler.storage.remote_listing import RemoteListing
from labeler.storage.store import FileError, Store, key

LIMIT = 1 << 20

LEGAL = [
    *(f"{number % 7}/{number % 3}/{number:04}.jpg" for number in range(2500)),
    "top.jpg",
    "ä/ö 😀.jpg",
    "b/a b+c%20d#e?f*g.jpg",
    "b/100%.jpg",
    "~/~.jpg",
]
ILLEGAL = ["b//1.jpg", "b/./2.jpg", "b/../3.jpg", "//4.jpg", "5/5\x01.jpg", "6\n/6.jpg", "b//deep//7.jpg", "z//8.jpg"]


def nothing(_: str) -> bool:
    return False


def walked(store: Store, *folders: str, skips: Callable[[str], bool] = nothing) -> list[str]:
    return list(store.walk(folders or [""], skips))


def test_all_objects_are_walked_in_the_order_of_names(bucket: Bucket) -> None:
    for name in LEGAL:
        bucket.put(name, b"x")

    assert walked(storage.at(bucket.address())) == sorted(LEGAL, key=key)


def test_names_that_obstore_refuses_cost_no_neighbour_its_place(bucket: Bucket) -> None:
    for name in [*LEGAL, *ILLEGAL]:
        bucket.put(name, b"x")

    assert walked(storage.at(bucket.address())) == sorted([*LEGAL, *ILLEGAL], key=key)


@pytest.mark.parametrize("name", [name for name in ILLEGAL if name.isprintable()])
def test_a_name_that_nobody_can_ask_for_never_gets_the_content_of_another(bucket: Bucket, name: str) -> None:
    for decoy in {name.replace("//", "/").lstrip("/"), "b/2.jpg", "3.jpg", "b/3.jpg"}:
        bucket.put(decoy, b"another")
    bucket.put(name, b"its own")

    with pytest.raises(FileError, match="its name has an empty part or one of dots"):
        storage.at(bucket.address()).read(name, LIMIT)


def test_a_name_with_a_control_character_is_read(bucket: Bucket) -> None:
    bucket.put("a\x01.jpg", b"its own")

    assert storage.at(bucket.address()).read("a\x01.jpg", LIMIT).data == b"its own"


def test_sizes_and_versions_are_listed_as_they_are_read(bucket: Bucket) -> None:
    for number in range(5):
        bucket.put(f"a/{number}.jpg", b"x" * number)
    store = storage.at(bucket.address("a"))
    [listed] = list(store.listed([""], nothing))

    assert listed.names == [f"{number}.jpg" for number in range(5)]
    assert listed.sizes == list(range(5))
    assert listed.versions == [store.read(name, LIMIT).version for name in listed.names]
    assert listed.versions == [store.version(name) for name in listed.names]


def test_hidden_objects_and_markers_of_folders_are_left_out(bucket: Bucket) -> None:
    for name in ["a/", "a/1.jpg", "a/.2.jpg", ".a/3.jpg", "a/.b/4.jpg", "a/b./5.jpg", "a/...jpg"]:
        bucket.put(name, b"")

    assert walked(storage.at(bucket.address("a"))) == ["1.jpg", "b./5.jpg"]


def test_a_folder_whose_name_begins_alike_is_another_one(bucket: Bucket) -> None:
    for name in ["ab/1.jpg", "a/1.jpg", "a.jpg"]:
        bucket.put(name, b"")

    assert walked(storage.at(bucket.address()), "a") == ["a/1.jpg"]
    assert walked(storage.at(bucket.address("a"))) == ["1.jpg"]


def test_folders_that_are_skipped_are_not_walked(bucket: Bucket) -> None:
    for name in ["a/1.jpg", "a/b/2.jpg", "a/b/c/3.jpg", "c/4.jpg"]:
        bucket.put(name, b"")
    store = storage.at(bucket.address())

    assert walked(store, skips=lambda folder: folder == "a/b") == ["a/1.jpg", "c/4.jpg"]
    assert walked(store, "a/b", skips=lambda folder: folder == "a/b") == ["a/b/2.jpg", "a/b/c/3.jpg"]


def test_an_object_is_put_whole_or_not_at_all_and_only_once_if_so_asked(bucket: Bucket) -> None:
    store = storage.at(bucket.address("out"))
    store.write("a/1", b"one")
    store.write("a/1", b"two")

    assert not store.write_new("a/1", b"three")
    assert store.write_new("a/2", b"three")
    assert bucket.content("out/a/1") == b"two"
    assert bucket.content("out/a/2") == b"three"


def test_what_is_not_there_or_too_long_cannot_be_read(bucket: Bucket) -> None:
    bucket.put("1.jpg", b"x" * 11)
    store = storage.at(bucket.address())

    with pytest.raises(FileError, match="there is no such object"):
        store.read("2.jpg", LIMIT)
    with pytest.raises(FileError, match=r"11 bytes; the limit is 10") as told:
        store.read("1.jpg", 10)
    assert (told.value.size, told.value.version) == (11, store.version("1.jpg"))
    assert store.version("2.jpg") is None


def test_a_store_travels_to_another_process(bucket: Bucket) -> None:
    bucket.put("a/1.jpg", b"one")
    store = storage.at(bucket.address("a"))
    store.read("1.jpg", LIMIT)

    assert pickle.loads(pickle.dumps(store)).read("1.jpg", LIMIT).data == b"one"


def test_a_bucket_that_is_not_there_cannot_be_listed(bucket: Bucket) -> None:
    store = storage.at(bucket.address().replace("photos", "another"))

    with pytest.raises(LabelerError, match="s3://another cannot be listed") as told:
        walked(store)
    assert not isinstance(told.value, InputGoneError)
    with pytest.raises(LabelerError):
        store.confirm_all()


def test_a_bucket_that_answers_is_confirmed(bucket: Bucket) -> None:
    storage.at(bucket.address()).confirm(["1.jpg"])


def test_locations_are_addresses_with_their_options(bucket: Bucket) -> None:
    store = storage.at(bucket.address("a"))

    assert store.locate("b/1.jpg") == bucket.address("a/b/1.jpg")
    assert store.locate("") == store.address
    assert store.locate(bucket.address("x.jpg")) == bucket.address("x.jpg")


def test_a_store_without_tags_lists_the_version_that_it_reads() -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    columns = {"path": ["a/1.jpg", "a/2.jpg"], "size": [10, 20], "e_tag": [None, '"x"'], "last_modified": [at, at]}
    page = remote_listing._columns(pa.record_batch(columns), "a")

    assert page["version"].to_pylist() == [connect.version(None, 10, at.timestamp()), "x"]


class Unordered(RemoteListing):
    """Lists in the order of a store that has none, and breaks off once."""

    def __init__(self, pages: list[list[str]]) -> None:
        self.offsets: list[str] = []
        self._names = pages

    def _listed(self, _: str, after: str) -> Iterator[pa.RecordBatch]:
        self.offsets.append(after)
        for number, names in enumerate(self._names):
            if number == 2 and len(self.offsets) == 1:
                raise GenericError("Error getting list response body")
            if names := [name for name in names if name > after]:
                moment = pa.array([0] * len(names), pa.timestamp("us"))
                columns = {"path": names, "size": [1] * len(names), "e_tag": names, "last_modified": moment}
                yield pa.record_batch(columns)


@pytest.mark.parametrize(
    ("pages", "again"),
    [([["a", "b"], ["c", "d"], ["e"]], "d"), ([["d", "e"], ["c", "b"], ["a"]], ""), ([["b", "a"], ["c"], ["d"]], "")],
)
def test_a_listing_that_breaks_off_goes_on_where_it_was_or_begins_anew(pages: list[list[str]], again: str) -> None:
    listing = Unordered(pages)
    found = {name for page in listing.pages("") for name in page["name"].to_pylist()}

    assert found == {name for page in pages for name in page}
    assert listing.offsets == ["", again]
