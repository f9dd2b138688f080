"""The accuracy of groups: folders, or a column of another table that is joined by the files' names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import blind
import numpy as np
import pytest
from blind import Blind

from labeler.certify import by, certified
from labeler.certify.gathered import Gathered
from labeler.errors import LabelerError
from labeler.tables import arrays
from labeler.tables.cells import inert


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Blind, Gathered]:
    table = blind.write(tmp_path_factory.mktemp("by") / "t.csv")
    table.answer(200)
    found = certified.gather(table.path)
    assert found
    return table, found


def write(path: Path, lines: list[str]) -> str:
    path.write_text("\n".join(["file,camera", *lines, ""]), "utf-8")
    return f"{path}:camera"


def test_folders_are_groups_and_their_cards_are_those_of_the_sample(answered: tuple[Blind, Gathered]) -> None:
    groups, _ = by.certify(answered[1], "folder")

    assert [one.name for one in groups] == list("0123456789")
    assert sum(one.certificate.cards for one in groups) == 200
    assert [one.certificate.model.faces for one in groups] == [40] * 10


def test_a_column_is_joined_by_file_and_files_without_a_value_are_in_no_group(
    answered: tuple[Blind, Gathered], tmp_path: Path
) -> None:
    draw = answered[1].draw
    files = [draw.index.name(row) for row in draw.rows.tolist()]
    lines = [f"{file},{('old', 'new')[at % 2]}" for at, file in enumerate(files[:300])]
    told = write(tmp_path / "c.csv", [*reversed(lines), f"{files[300]},", "elsewhere.jpg,old"])
    names, of_face = by.groups_of(draw, told)
    groups, gap = by.certify(answered[1], told)

    assert names == ["new", "old"]
    assert of_face.tolist() == [1, 0] * 150 + [-1] * 100
    assert [one.certificate.model.faces for one in groups] == [150, 150]
    assert gap
    assert gap.compared == 2


def test_a_name_that_was_copied_from_a_table_is_joined_though_a_spreadsheet_took_it_for_a_formula(
    answered: tuple[Blind, Gathered], tmp_path: Path
) -> None:
    draw = answered[1].draw
    names = arrays.array(["=a.jpg", *draw.index.names.to_pylist()[1:]], draw.index.names.type)
    other = replace(draw, index=replace(draw.index, names=names))
    _, of_face = by.groups_of(other, write(tmp_path / "c.csv", [f"{inert('=a.jpg')},old"]))

    assert of_face.tolist() == [0] + [-1] * 399


def test_a_hundred_folders_are_told_apart_by_the_one_above_them(answered: tuple[Blind, Gathered]) -> None:
    draw = answered[1].draw
    names = tuple(f"{at % 3}/{at}" for at in range(100))
    folder = np.arange(len(draw.index), dtype=np.int32) % 100
    other = replace(draw, index=replace(draw.index, folder=folder, folder_names=names))

    assert by.groups_of(other, "folder")[0] == ["0", "1", "2"]


def test_what_makes_no_groups_is_refused(answered: tuple[Blind, Gathered], tmp_path: Path) -> None:
    draw = answered[1].draw
    files = [draw.index.name(row) for row in draw.rows.tolist()]

    with pytest.raises(LabelerError, match="makes 51 groups"):
        by.groups_of(draw, write(tmp_path / "c.csv", [f"{file},c{at}" for at, file in enumerate(files[:51])]))
    with pytest.raises(LabelerError, match="none of the files"):
        by.groups_of(draw, write(tmp_path / "d.csv", ["elsewhere.jpg,old"]))
    with pytest.raises(LabelerError, match=r"FILE\.csv:COLUMN"):
        by.check("camera")
