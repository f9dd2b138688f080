"""A network that labeler cannot use is refused in one line that says why, and what to do."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import original_networks
import pytest
from onnx import TensorProto, helper
from original_networks import NAMES, convolutional, gray, saved, weights

from labeler.adding import add
from labeler.adding.said import Channels, Layout, Said
from labeler.errors import ModelError


def two_inputs(path: Path) -> None:
    second = helper.make_tensor_value_info("text", TensorProto.INT64, ["batch", 7])
    nodes = [helper.make_node("Flatten", ["images"], ["scores"])]
    saved(path, nodes, ["batch", 3, 32, 32], {}, extra=[second])


def no_images(path: Path) -> None:
    saved(path, [helper.make_node("Identity", ["images"], ["scores"])], ["batch", 3], {})


def no_classification(path: Path) -> None:
    nodes = [helper.make_node("Relu", ["images"], ["scores"])]
    saved(path, nodes, ["batch", 3, 32, 32], {}, outputs={"scores": ["batch", 3, 32, 32]})


def two_classifications(path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "first"], ["age"]),
        helper.make_node("MatMul", ["flat", "second"], ["mood"]),
    ]
    constants = {"first": weights(3072, 3), "second": weights(3072, 3)}
    saved(path, nodes, ["batch", 32, 32, 3], constants, outputs={"age": ["batch", 3], "mood": ["batch", 3]})


def not_finite(path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    saved(path, nodes, ["batch", 32, 32, 3], {"head": np.full((3072, 3), np.nan, np.float32)})


def sigmoids(path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
    ]
    saved(path, nodes, ["batch", 32, 32, 3], {"head": weights(3072, 3)})


def rectangle(path: Path) -> None:
    saved(path, [helper.make_node("Flatten", ["images"], ["scores"])], ["batch", 3, 32, 48], {})


def any_layout(path: Path) -> None:
    saved(path, [helper.make_node("Flatten", ["images"], ["scores"])], ["batch", None, None, None], {})


def four_channels(path: Path) -> None:
    saved(path, [helper.make_node("Flatten", ["images"], ["scores"])], ["batch", 4, 32, 32], {})


def doubles(path: Path) -> None:
    saved(
        path, [helper.make_node("Flatten", ["images"], ["scores"])], ["batch", 3, 32, 32], {}, kind=TensorProto.DOUBLE
    )


def unknown_type(path: Path) -> None:
    saved(path, [helper.make_node("Flatten", ["images"], ["scores"])], ["batch", 3, 32, 32], {}, kind=54)


def old(path: Path) -> None:
    saved(path, [helper.make_node("Flatten", ["images"], ["scores"])], ["batch", 3, 32, 32], {}, opset=6)


def external(path: Path) -> None:
    convolutional(path, 32)
    network = onnx.load(path)
    for tensor in network.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, "/etc/passwd", 0, 10)
        tensor.ClearField("raw_data")
    path.write_bytes(network.SerializeToString())


def huge(path: Path) -> None:
    path.touch()
    os.truncate(path, 2 << 30)


def no_text(path: Path) -> None:
    gray(path)
    path.write_bytes(path.read_bytes().replace(b"images", b"image\xff"))


def text(path: Path) -> None:
    path.write_text("no network\n", "utf-8")


NAMED = Said(class_names=NAMES)
LOGITS = Said(class_names=NAMES, logits=True)
PROBABILITIES = Said(class_names=NAMES, logits=False)

REFUSED: dict[str, tuple[Callable[[Path], object], Said, str]] = {
    "two inputs": (two_inputs, NAMED, "takes 2 inputs (images, text), not one image"),
    "no images": (no_images, NAMED, "its input 'images' is float [?, 3]; expected"),
    "doubles": (doubles, NAMED, "its input 'images' is double [?, 3, 32, 32]; expected"),
    "any side": (lambda path: convolutional(path, "any"), NAMED, "no file says which; give --side 224"),
    "any layout": (any_layout, NAMED, "takes [?, ?, ?, ?]: give --layout nhwc or nchw"),
    "a side of 0": (lambda path: convolutional(path, 0), NAMED, "takes images of side 0; labeler gives 16 to 640"),
    "a large side": (lambda path: convolutional(path, 641), NAMED, "takes images of side 641; labeler gives"),
    "no square": (rectangle, NAMED, "takes images of 32x48; labeler gives square ones"),
    "four channels": (four_channels, NAMED, "takes [?, 4, 32, 32]; labeler gives images of 1 (gray) or 3"),
    "no classification": (no_classification, NAMED, "does not classify: it gives scores [3, 32, 32]"),
    "two classifications": (two_classifications, NAMED, "has several outputs that can be the classes: age [3], mood"),
    "NaN weights": (not_finite, NAMED, "gives numbers that are not finite"),
    "no probabilities": (lambda path: convolutional(path, 32), PROBABILITIES, "gives no probabilities: numbers from"),
    "no logits": (gray, LOGITS, "ends in Softmax, so it gives no logits"),
    "sigmoids": (sigmoids, NAMED, "ends in a sigmoid for each class"),
    "other names": (gray, Said(class_names=("a", "b")), "gives 3 outputs, but there are 2 class names"),
    "reserved names": (gray, Said(class_names=("a", "file", "b")), "class names that are reserved"),
    "another side": (gray, Said(class_names=NAMES, side=64), "takes images of 48x48, but its files (or --side) say 64"),
    "another layout": (gray, Said(class_names=NAMES, layout=Layout.NCHW), "which is not nchw; leave --layout out"),
    "other channels": (gray, Said(class_names=NAMES, channels=Channels.RGB), "(or --channels) say rgb"),
    "three means": (
        gray,
        Said(class_names=NAMES, mean=(0.1, 0.2, 0.3)),
        "takes images of 1 channel, but its mean has 3",
    ),
    "no deviation": (gray, Said(class_names=NAMES, std=(0.0,)), "a standard deviation is 0, not above 0"),
    "a huge scale": (gray, Said(class_names=NAMES, scale=1e300), "scale or mean is above 1e+06"),
    "an unknown type": (unknown_type, NAMED, "its input 'images' is unknown [?, 3, 32, 32]; expected"),
    "old operators": (old, NAMED, "is of ONNX opset 6; export it with opset 7 or later"),
    "external data": (external, NAMED, "keeps a part of its network in other files"),
    "2 GB": (huge, NAMED, "is too large for a model"),
    "a name that is no text": (no_text, NAMED, "is not an ONNX model that can be loaded: a name in it is no text"),
    "no ONNX file": (text, NAMED, "is not an ONNX model that can be loaded"),
}


@pytest.mark.parametrize(("write", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, write: Callable[[Path], object], options: Said, message: str
) -> None:
    path = tmp_path / "net.onnx"
    write(path)
    with pytest.raises(ModelError) as caught:
        add.understand(path, add.find(path), options)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_class_names_it_says_how_many_to_give(tmp_path: Path) -> None:
    path = original_networks.gray(tmp_path / "net.onnx")
    understood = add.understand(path, add.find(path), Said())
    with pytest.raises(ModelError, match=r"give --class-names a,b,.* 3 names in the order of its outputs"):
        add.add(understood, "mine", tmp_path / "mine.onnx")

    assert not (tmp_path / "mine.onnx").exists()


@pytest.mark.parametrize(
    ("name", "advice"),
    [("net.tflite", "tf2onnx.convert --tflite"), ("net.pt", "torch.onnx.export"), ("model.json", "give the folder")],
)
def test_a_network_of_another_format_is_refused_with_what_to_do(tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b"weights")
    with pytest.raises(ModelError, match=advice):
        add.find(tmp_path / name)
