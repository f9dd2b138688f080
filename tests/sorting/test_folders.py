"""Each class has a folder of its own, on every disk, and whatever rows come first."""

from __future__ import annotations

import unicodedata
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeler.records import Row, Status, unusable_class_names
from labeler.sorting.folders import Folders, key, plain

ALIKE = ["a:b", "a?b", "a_b", "A_B", "a_b.", "_a_b"]


def folder(label: str, *class_names: str) -> str:
    return Folders(class_names).of(Row("1.jpg", face=0, label=label))


@pytest.mark.parametrize("label", ["happy", "Happy", "joy & fun", "été", "a_b", "笑"])
def test_a_plain_name_is_the_folder(label: str) -> None:
    assert folder(label, "sad", label) == folder(label, "sad") == label


@pytest.mark.parametrize("order", list(permutations(ALIKE[:4])))
def test_the_order_of_the_classes_does_not_matter(order: tuple[str, ...]) -> None:
    folders = [folder(label, *order) for label in ALIKE[:4]]

    assert folders == [folder(label, *ALIKE[:4]) for label in ALIKE[:4]]
    assert (len(set(map(str.lower, folders))), folders[2], folders[3]) == (4, folders[2], "A_B")


@pytest.mark.parametrize(
    "names",
    [
        ALIKE,
        ["Happy", "happy", "HAPPY"],
        [unicodedata.normalize("NFC", "été"), unicodedata.normalize("NFD", "été"), "ÉTÉ"],
        ["straße", "STRASSE"],
        ["Failed", "failed.", "NO_FACE", "uncertain:", "Uncertain"],
        ["con", "CON", "_con", "_CON"],
        ["é" * 90 + "a", "é" * 90 + "b", "é" * 63],
        ["a:b", "a?b", "a_b-7ad3b6f6", "a_b-7AD3B6F6"],
    ],
)
def test_no_two_classes_share_a_folder_on_any_disk(names: list[str]) -> None:
    folders = Folders(names)
    found = [folders.of(Row("1.jpg", face=0, label=name)) for name in names]
    own = [folders.of(Row("1.jpg", status=status)) for status in (Status.UNREADABLE, Status.NO_FACE)]

    assert len(set(map(key, [*found, *own, "uncertain"]))) == len(names) + 3
    assert all(plain(name) == name for name in found)


@given(st.lists(st.text("aAbB_:?. éÉe\u0301\u00df", min_size=1, max_size=4), unique=True, max_size=30))
def test_no_two_classes_share_a_folder_whatever_they_are_called(names: list[str]) -> None:
    names = sorted(set(names) - set(unusable_class_names(names)))
    found = {folder(name, *names) for name in names}

    assert len(set(map(key, found))) == len(names)


@pytest.mark.parametrize("label", ["failed", "no_face", "Happy", "a:b", "a?b", "a_b", "UNCERTAIN"])
def test_a_label_that_no_class_has_shares_no_folder(label: str) -> None:
    others = {"failed", "no_face", "uncertain", "happy", *(folder(other, "happy") for other in ("x:b", "a|b"))}

    assert key(folder(label, "happy")) not in map(key, others)


def test_a_label_that_no_class_has_goes_to_the_same_folder_whatever_rows_came_before() -> None:
    folders = Folders(["happy"])
    labels = ["a:b", "a?b", "a_b"]
    found = [folders.of(Row("1.jpg", face=0, label=label)) for label in labels]

    assert found == [folder(label, "happy") for label in labels]
    assert len(set(found)) == 3


def test_uncertain_is_a_folder() -> None:
    assert folder("uncertain", "happy") == "uncertain"


def test_a_row_that_did_not_fail_goes_by_its_label() -> None:
    assert folder("happy", "happy", "sad") == "happy"
