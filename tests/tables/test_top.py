"""Tables of the most probable classes (`--top`): each format, and who reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from odd_rows import record_of, write_finished

import labeler
from labeler.errors import LabelerError
from labeler.records import COLUMNS_AFTER, COLUMNS_BEFORE, Face, Row, Status, columns, top_columns
from labeler.tables import arrow, formats, index, labels, reader, run_record
from labeler.tables.cells import layout_of
from labeler.tables.writer import TableWriter

NAMES = ("tench, Tinca tinca", "n/a", "=1+1", "sad", "007", "it's")
SHARES = [
    (0.5, 0.25, 0.125, 0.0625, 0.0625, 0.0),
    (0.0, 0.0, 0.125, 0.25, 0.125, 0.5),
    (0.3, 0.25, 0.2, 0.125, 0.125, 0.0),
]


def rows_of(top: int, threshold: float = 0.4, kept: tuple[str, ...] = ()) -> list[Row]:
    face = Face(1.0, 2.5, 30.0, 40.0, 0.5)
    whole = [Row(f"{at}.jpg", image_width=8, image_height=8, version="1-1", kept=kept) for at in range(len(SHARES))]
    pairs = zip(whole, SHARES, strict=True)
    found = [row.located(0, face).labelled(shares, NAMES, threshold, top) for row, shares in pairs]
    return [*found, Row("bad.jpg", kept=kept).without_label(Status.UNREADABLE, "it is broken")]


def record(top: int, **changes: object) -> run_record.RunRecord:
    return record_of(NAMES, settings={"threshold": 0.4, "top": top}, **changes)


def write(path: Path, top: int, **changes: object) -> list[Row]:
    rows = rows_of(top, kept=tuple("x" for _ in changes.get("keep", ())))  # type: ignore[attr-defined]
    write_finished(path, record(top, **changes), rows)
    return rows


def test_a_row_names_the_most_probable_classes_beside_its_label() -> None:
    first, _, unsure, failed = rows_of(3)

    assert (first.label, first.score, first.probabilities) == (NAMES[0], 0.5, ())
    assert first.further == ("n/a", 0.25, "=1+1", 0.125)
    assert (unsure.label, unsure.score) == ("uncertain", 0.3)
    assert unsure.further == (NAMES[0], 0.3, "n/a", 0.25)
    assert failed.further == rows_of(1)[0].further == ()


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
@pytest.mark.parametrize("top", [1, 2, 6])
@pytest.mark.parametrize("keep", [(), ("id", "n/a")])
def test_what_is_written_is_read(tmp_path: Path, suffix: str, top: int, keep: tuple[str, ...]) -> None:
    path = tmp_path / f"t{suffix}"
    rows = write(path, top, keep=keep)

    assert sorted(reader.read(path)) == sorted(rows)
    assert reader.columns(path) == (*COLUMNS_BEFORE, *top_columns(top), *COLUMNS_AFTER, *keep)
    assert reader.layout(path) == (NAMES, 2, keep, top)
    assert reader.record(path).top == top


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_without_a_run_record_the_classes_are_those_that_occur(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    rows = write(path, 2)
    path.with_name(f"{path.name}.run.json").unlink()

    assert reader.class_names(path) == tuple(sorted({NAMES[0], "n/a", "it's", "sad"}))
    assert reader.record(path).top == 2
    assert sorted(reader.read(path)) == sorted(rows)


def test_a_csv_of_a_spreadsheet_with_decimal_commas_is_read(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 2)
    quoted = f'"{NAMES[0]}"'
    text = (tmp_path / "t.csv").read_bytes().decode().replace(quoted, "tench Tinca").replace(",", ";").replace(".", ",")
    (tmp_path / "u.csv").write_bytes(text.replace("tench Tinca", quoted).replace(",jpg", ".jpg").encode())

    assert [row[1:] for row in reader.read(tmp_path / "u.csv")] == [row[1:] for row in reader.read(tmp_path / "t.csv")]


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
def test_a_review_sees_second_and_margin_as_far_as_the_table_tells_them(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"all{suffix}", 0)
    write(tmp_path / f"top{suffix}", 3)
    write(tmp_path / f"one{suffix}", 1)
    everything, top, one = (index.load(tmp_path / f"{name}{suffix}") for name in ("all", "top", "one"))

    def seconds(found: index.Index) -> list[str]:
        return [found.labels[code] for code in found.second[found.score > 0]]

    assert seconds(top) == seconds(everything)
    np.testing.assert_allclose(top.second_score, everything.second_score, atol=1e-6)
    np.testing.assert_allclose(top.margin, everything.margin, atol=1e-6)
    assert top.probabilities is None
    assert np.isnan(one.second_score).all()
    assert np.isnan(one.margin).all()
    np.testing.assert_allclose(one.score, everything.score, atol=1e-6)


def test_pandas_gets_names_as_text_and_shares_as_numbers(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 2)
    frame = labeler.read(tmp_path / "t.csv").set_index("file")

    assert frame.loc["1.jpg", "label"] == "it's"
    assert frame.loc["1.jpg", "label_2"] == "sad"
    assert frame["score_2"].dtype == "float64"
    assert frame.loc["bad.jpg", "label_2"] == ""


def test_its_labels_are_a_truth(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 2)
    found = labels.Table(tmp_path / "t.csv")

    assert set(found.class_names) == {NAMES[0], "it's"}
    assert arrow.read(tmp_path / "t.csv")["label_2"].to_pylist() == ["n/a", "sad", NAMES[0], ""]


def test_a_table_is_continued_with_the_same_number_alone(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 3)
    with pytest.raises(LabelerError, match=r"--top was 3, is 2"):
        TableWriter.begin(tmp_path / "t.csv", record(2))
    with pytest.raises(LabelerError, match=r"--top was 3, is 0"):
        TableWriter.begin(tmp_path / "t.csv", record(0))


def test_a_table_of_a_version_without_the_option_is_continued(tmp_path: Path) -> None:
    before = record_of(NAMES, settings={"threshold": 0.4})
    write_finished(tmp_path / "t.csv", before, rows_of(0)[:2])
    with TableWriter.begin(tmp_path / "t.csv", record(0)) as table:
        table.write(rows_of(0)[2:3])
        table.finish({})

    assert list(reader.read(tmp_path / "t.csv")) == rows_of(0)[:3]


def test_a_table_whose_record_says_another_number_is_not_continued(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 3)
    run_record.write(tmp_path / "t.csv", replace(record(2), finished=True), "")
    with pytest.raises(LabelerError, match="it is not the table that its record describes"):
        TableWriter.begin(tmp_path / "t.csv", record(2))


def test_columns_of_classes_that_are_called_like_these_stay_classes() -> None:
    assert layout_of(columns(("label_2", "other"))).class_names == ("label_2", "other")
    assert layout_of(columns((), top=2)).top == 2
    with pytest.raises(ValueError, match="not those of a table"):
        layout_of((*COLUMNS_BEFORE, "label_2", "score_2", "label_2", "score_2", *COLUMNS_AFTER))


def test_a_row_with_a_name_and_no_number_is_damage(tmp_path: Path) -> None:
    write(tmp_path / "t.csv", 2)
    text = (tmp_path / "t.csv").read_text()
    (tmp_path / "t.csv").write_text(text.replace("sad,0.250000", "sad,"))
    with pytest.raises(LabelerError, match="is damaged"):
        list(reader.read(tmp_path / "t.csv"))
