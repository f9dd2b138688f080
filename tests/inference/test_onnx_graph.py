"""Embeddings are read from a bundle without the package `onnx`, which only the extras that train install."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from any_networks import quantised
from conftest import ROOT, make_bundle

from labeler.errors import ModelError
from labeler.inference import onnx_graph


def test_the_last_of_some_layers_is_found(model: Path) -> None:
    assert onnx_graph.last_input(model, {"MatMul", "Flatten"}) == ("flat", "MatMul", False)
    assert onnx_graph.last_input(model, {"Flatten"}) == ("scaled", "Flatten", False)
    assert onnx_graph.last_input(model, {"Conv"}) == ("", "", False)


def test_what_only_another_output_needs_is_passed_over(tmp_path: Path) -> None:
    path = make_bundle(tmp_path / "m.onnx", face=True)
    model = onnx.load(path)
    next(node for node in model.graph.node if "bright" in node.output).input[0] = "other"
    model.graph.node.insert(3, onnx.helper.make_node("Neg", ["flat"], ["other"]))
    onnx.save(model, path)

    assert onnx_graph.last_input(path, {"MatMul"}).name == "flat"


def test_the_last_layer_of_a_graph_with_thousands_of_nodes_is_found(model: Path, tmp_path: Path) -> None:
    deep = onnx.load(model)
    names = ["scaled", *(f"deeper_{number}" for number in range(12_000))]
    nodes = [onnx.helper.make_node("Neg", [given], [made]) for given, made in itertools.pairwise(names)]
    others = list(deep.graph.node)
    others[2].input[0] = names[-1]
    del deep.graph.node[:]
    deep.graph.node.extend([*others[:2], *nodes, *others[2:]])
    onnx.save(deep, tmp_path / "deep.onnx")

    assert onnx_graph.last_input(tmp_path / "deep.onnx", {"MatMul"}).name == "flat"
    assert onnx_graph.last_input(tmp_path / "deep.onnx", {"Flatten"}).name == "deeper_11999"


@pytest.mark.parametrize(("made", "mixes"), [({"dynamic": True}, True), ({}, False)])
def test_a_network_that_finds_scales_when_it_is_run_mixes_images(
    tmp_path: Path, made: dict[str, bool], *, mixes: bool
) -> None:
    assert onnx_graph.mixes_images(quantised(tmp_path / "m.onnx", **made)) is mixes


@pytest.mark.parametrize("name", ["flat", "n" * 300])
def test_a_model_gets_one_more_output(model: Path, name: str) -> None:
    found = onnx.load_from_string(onnx_graph.with_output(model.read_bytes(), name))

    assert [output.name for output in found.graph.output] == ["probabilities", name]


def test_a_file_cut_short_is_refused(model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    for length in range(0, model.stat().st_size, 997):
        cut.write_bytes(model.read_bytes()[:length])
        with pytest.raises(ModelError):
            onnx_graph.last_input(cut, {"MatMul"})


def test_embeddings_need_no_package_onnx(model: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "sys.modules['onnx'] = None\n"
        "from labeler.inference import embeddings\n"
        f"seen = embeddings.network(Path({str(model)!r}))(np.full((2, 64, 64, 3), 51, np.uint8))\n"
        f"np.save({str(tmp_path / 'seen.npy')!r}, seen)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)

    assert np.allclose(np.load(tmp_path / "seen.npy"), np.full((2, 64 * 64 * 3), 0.2), atol=1e-6)
