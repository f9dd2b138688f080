"""ONNX files: what they say, and that they ask for no other file."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from conftest import make_bundle
from onnx import TensorProto, helper

from labeler.errors import ModelError
from labeler.inference import bundle, onnx_metadata, session, yunet

OUTSIDE = r"keeps a part of its network in other files \(external data\)"
PLACES = ["/etc/passwd", "../../secret.bin", "weights.bin", "*/_ORT_MEM_ADDR_/*"]


def move_out(tensor: TensorProto, place: str) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="offset", value="0")
    tensor.external_data.add(key="location", value=place)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "m.onnx")


@pytest.mark.parametrize("place", PLACES)
def test_weights_in_another_file_are_refused_before_the_model_is_loaded(path: Path, place: str) -> None:
    model = onnx.load(path)
    move_out(model.graph.initializer[1], place)
    path.write_bytes(model.SerializeToString())

    for read in (bundle.card, onnx_metadata.check_self_contained, session.load, yunet.YuNet):
        with pytest.raises(ModelError, match=OUTSIDE):
            read(path)


def test_constants_in_graphs_within_graphs_are_looked_at_too(path: Path) -> None:
    model = onnx.load(path)
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.FLOAT, [1], [1.0]))
    branch = helper.make_graph([constant], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    move_out(model.graph.node[-1].attribute[1].g.node[0].attribute[0].t, "/etc/passwd")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match=OUTSIDE):
        bundle.card(path)


@pytest.mark.parametrize(
    "key", [b"\x0a\x88\x00location", b"\x8a\x00\x08location", b"\x8a\x80\x00\x88\x80\x80\x00location"]
)
def test_numbers_that_are_written_longer_than_need_be_hide_nothing(path: Path, key: bytes) -> None:
    path.write_bytes(path.read_bytes() + b"\xba\x3e" + bytes([len(key)]) + key)  # In a field that nobody knows.
    with pytest.raises(ModelError, match=OUTSIDE):
        bundle.card(path)


def test_the_word_by_itself_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", ("location", "other"), training_data="location unknown")

    assert bundle.card(path).class_names == ("location", "other")


@pytest.mark.parametrize("content", [b"\0" * 100_000, b"\x08\x00" * 100_000, b"\x72\x03\x0a\x01a" * 100_000])
def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"not a protobuf message|more than 10,000 fields"):
        onnx_metadata.metadata(tmp_path / "m.onnx")


def test_too_much_metadata_is_refused(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", licence="x" * (1 << 24))
    with pytest.raises(ModelError, match="more than 16,777,216 bytes of metadata"):
        bundle.card(path)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "m.onnx").open("wb") as file:
        file.truncate(onnx_metadata.MAX_BYTES + 1)

    for read in (bundle.card, onnx_metadata.metadata, session.load):
        with pytest.raises(ModelError, match=r"too large for a model|the limit is"):
            read(tmp_path / "m.onnx")
