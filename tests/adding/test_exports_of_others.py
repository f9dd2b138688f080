"""What Hugging Face and timm write beside a network is understood."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import original_networks
import pytest
from original_networks import NAMES

from labeler.adding import add
from labeler.adding.said import Channels, Recipe, Said
from labeler.errors import ModelError
from labeler.records import Resize


def recipe(source: Path, options: Said = Said()) -> Recipe:  # noqa: B008 - frozen
    return add.understand(source, add.find(source), options).recipe


def test_an_export_of_transformers_says_all(tmp_path: Path) -> None:
    found = recipe(original_networks.hugging_face(tmp_path))

    assert (found.side, found.class_names, found.channels) == (96, NAMES, Channels.RGB)
    assert (found.scale, found.mean, found.std) == (pytest.approx(1 / 255), (0.5, 0.4, 0.3), (0.5, 0.6, 0.7))
    assert {found.origins[name] for name in ("side", "mean", "std", "scale", "class_names")} == {"file"}


def test_an_export_of_optimum_has_its_network_in_a_folder(tmp_path: Path) -> None:
    original_networks.hugging_face(tmp_path)
    (tmp_path / "onnx").mkdir()
    (tmp_path / "model.onnx").rename(tmp_path / "onnx" / "model.onnx")

    assert recipe(tmp_path).class_names == NAMES


@pytest.mark.parametrize(
    ("said", "view"),
    [
        pytest.param({"size": 96}, (96, Resize.STRETCH, 1.0), id="one number"),
        pytest.param(
            {"size": {"shortest_edge": 128}, "do_center_crop": True, "crop_size": {"height": 96, "width": 96}},
            (96, Resize.CROP, 0.75),
            id="centre crop",
        ),
        pytest.param({"size": {"shortest_edge": 96}}, (96, Resize.CROP, 1.0), id="shorter side"),
        pytest.param({"size": {"shortest_edge": 96}, "crop_pct": 0.875}, (96, Resize.CROP, 0.875), id="ConvNeXt"),
        pytest.param(
            {"size": {"shortest_edge": 384}, "crop_pct": 0.9}, (384, Resize.STRETCH, 1.0), id="large ConvNeXt"
        ),
    ],
)
def test_the_sizes_of_a_preprocessor_become_a_view(
    tmp_path: Path, said: dict[str, Any], view: tuple[int, Resize, float]
) -> None:
    found = recipe(original_networks.hugging_face(tmp_path, **said))

    assert (found.side, found.resize, found.crop_pct) == view


@pytest.mark.parametrize(
    ("said", "pixels"),
    [
        pytest.param({"do_rescale": False, "do_normalize": False}, (0, 255), id="nothing is done"),
        pytest.param({"do_normalize": False}, (0, 1), id="scaled"),
        pytest.param(
            {"do_normalize": False, "rescale_factor": 1 / 127.5, "rescale_offset": True}, (-1, 1), id="offset"
        ),
        pytest.param({"image_mean": 0.5, "image_std": 0.5, "include_top": True}, (-2, 2), id="divided twice"),
    ],
)
def test_the_steps_of_a_preprocessor_are_done(
    tmp_path: Path, said: dict[str, Any], pixels: tuple[float, float]
) -> None:
    found = recipe(original_networks.hugging_face(tmp_path, **said))
    ends = (np.array([0, 255]) * found.scale - found.mean[0]) / found.std[0]

    assert tuple(ends) == pytest.approx(pixels)


def test_a_preprocessor_that_flips_the_channels_makes_them_bgr(tmp_path: Path) -> None:
    assert recipe(original_networks.hugging_face(tmp_path, do_flip_channel_order=True)).channels is Channels.BGR


def test_a_config_alone_says_side_and_names(tmp_path: Path) -> None:
    original_networks.hugging_face(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    found = recipe(tmp_path)

    assert (found.side, found.class_names, found.origins["mean"]) == (96, NAMES, "guess")


def test_an_export_of_timm_says_all(tmp_path: Path) -> None:
    found = recipe(original_networks.timm(tmp_path))

    assert (found.side, found.class_names, found.licence) == (96, NAMES, "apache-2.0")
    assert (found.mean, found.std, found.scale) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255)
    assert (found.resize, found.crop_pct) == (Resize.CROP, 0.875)


def test_the_licence_of_a_model_card_is_kept(tmp_path: Path) -> None:
    original_networks.hugging_face(tmp_path)
    (tmp_path / "README.md").write_text("---\ntags:\n- vision\nlicense: cc-by-4.0\n---\n# A network\n", "utf-8")

    assert recipe(tmp_path).licence == "cc-by-4.0"


def test_an_option_says_more_than_a_file(tmp_path: Path) -> None:
    found = recipe(original_networks.hugging_face(tmp_path), Said(mean=(0.1,), class_names=("a", "b", "c")))

    assert (found.mean, found.class_names, found.origins["mean"]) == ((0.1,), ("a", "b", "c"), "option")


HF: dict[str, tuple[dict[str, Any], str]] = {
    "a gap": ({"id2label": {"0": "a", "1": "b", "3": "c"}}, "id2label with gaps: of 3 names, none is for output 2"),
    "too few names": ({"id2label": {"0": "a", "1": "b"}}, "gives 3 outputs, but there are 2 class names"),
    "no names": ({"id2label": ["a", "b", "c"]}, "does not map numbers to names"),
    "no square": ({"size": {"height": 96, "width": 64}}, "labeler gives square images"),
    "a side of 0": ({"size": 0}, "takes images of side 0; labeler gives 16 to 640"),
    "four channels": ({"num_channels": 4}, "says num_channels 4; labeler gives 1 or 3"),
    "many classes at once": ({"problem_type": "multi_label_classification"}, "needs a network that gives one class"),
    "no mean": ({"image_mean": None}, "not one number or three; or give --mean"),
    "no deviation": ({"image_std": [0.5, 0.0, 0.5]}, "not above 0; correct --std"),
    "infinity": ({"image_mean": [float("nan"), 0.5, 0.5]}, "not one number or three"),
    "no truth": ({"do_normalize": "yes"}, "which is neither true nor false"),
    "no number": ({"rescale_factor": "1/255"}, "which is no number"),
}


@pytest.mark.parametrize(("changes", "message"), HF.values(), ids=HF)
def test_a_file_of_transformers_that_cannot_be_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    original_networks.hugging_face(tmp_path, **changes)
    with pytest.raises(ModelError) as caught:
        recipe(tmp_path)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


TIMM: dict[str, tuple[dict[str, Any], str]] = {
    "another side": ({"input_size": [3, 64, 64]}, "takes images of 96x96, but its files (or --side) say 64"),
    "gray": ({"input_size": [1, 96, 96]}, "takes images of 3 channels, but its files (or --channels) say gray"),
    "no square": ({"input_size": [3, 96, 64]}, "labeler gives square images"),
    "no size": ({"input_size": "96"}, "not [3, height, width]"),
    "an unknown crop": ({"crop_mode": "random"}, "none of center, squash, border"),
    "names that are none": ({"label_names": [1, 2, 3]}, "no list of names"),
    "no share": ({"crop_pct": 1.5}, "crop_pct is 1.5, not above 0 and at most 1"),
}


@pytest.mark.parametrize(("changes", "message"), TIMM.values(), ids=TIMM)
def test_a_file_of_timm_that_cannot_be_is_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    original_networks.timm(tmp_path, **changes)
    with pytest.raises(ModelError) as caught:
        recipe(tmp_path)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"{", b"[]", b"\xff", b"[" * 100_000, b"{" + b" " * (1 << 24) + b"}"],
    ids=["cut", "list", "bytes", "deep", "huge"],
)
def test_broken_json_is_refused(tmp_path: Path, content: bytes) -> None:
    original_networks.timm(tmp_path)
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"config\.json"):
        recipe(tmp_path)


def test_a_preprocessor_that_contradicts_the_graph_is_refused(tmp_path: Path) -> None:
    original_networks.hugging_face(tmp_path)
    original_networks.convolutional(tmp_path / "model.onnx", 64)
    with pytest.raises(ModelError, match=r"takes images of 64x64, but its files \(or --side\) say 96"):
        recipe(tmp_path)


def test_a_folder_without_a_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds none of model\.onnx, onnx/model\.onnx"):
        recipe(tmp_path)


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text(json.dumps({"id2label": {"0": "password"}}), "utf-8")
    folder = original_networks.hugging_face(tmp_path / "export")
    (folder / "config.json").unlink()
    os.symlink(secret, folder / "config.json")
    with pytest.raises(ModelError, match="is a link to a file outside"):
        recipe(folder)


def test_the_links_of_hugging_faces_cache_are_followed(tmp_path: Path) -> None:
    snapshot = original_networks.hugging_face(tmp_path / "models--me--net" / "snapshots" / "1234")
    blobs = tmp_path / "models--me--net" / "blobs"
    blobs.mkdir()
    for file in list(snapshot.iterdir()):
        file.rename(blobs / file.name)
        os.symlink(blobs / file.name, file)

    assert recipe(snapshot).class_names == NAMES
