"""Make networks as others write them - small, with fixed random weights - and the folders that they are exported to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

NAMES = ("angry", "happy", "sad")

OPSET, IR_VERSION = 17, 8


def weights(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return random weights that keep the size of what they are multiplied with."""
    return np.random.default_rng(seed).normal(0, 1.5 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)


def saved(
    path: Path,
    nodes: list[onnx.NodeProto],
    shape: list[int | str | None],
    constants: dict[str, Any],
    *,
    outputs: dict[str, list[int | str | None]] | None = None,
    kind: int = TensorProto.FLOAT,
    extra: list[onnx.ValueInfoProto] | None = None,
    opset: int = OPSET,
) -> Path:
    """Write a network that takes `images`, and gives `scores` unless ``outputs`` names others."""
    given = outputs or {"scores": ["batch", len(NAMES)]}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("images", kind, shape), *(extra or [])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, one) for name, one in given.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION), path)
    return path


def convolutional(
    path: Path, side: int | str = 96, *, batch: int | str = "batch", planes: int | str = 3, classes: int = 3
) -> Path:
    """Write a convolutional network for planes of colour that gives logits."""
    channels = planes if isinstance(planes, int) else 3
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["features"], strides=[4, 4]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("GlobalAveragePool", ["positive"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["scores"]),
    ]
    constants = {"kernel": weights(8, channels, 5, 5), "head": weights(8, classes, seed=1) * 8}
    return saved(path, nodes, [batch, planes, side, side], constants, outputs={"scores": [batch, classes]})


def gray(path: Path, side: int = 48, *, opset: int = OPSET) -> Path:
    """Write a dense network for gray images, channels last, that ends in a softmax."""
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("MatMul", ["flat", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    return saved(path, nodes, ["batch", side, side, 1], {"head": weights(side * side, 3) * 4}, opset=opset)


def transformer(path: Path, side: int = 32, *, batch: int | str = "batch", patch: int = 8) -> Path:
    """Write a network of patches, attention and layer normalisation, which ends in a softmax.

    Its Reshape has the batch as a constant where that is fixed.
    """
    tokens, width = (side // patch) ** 2, 16
    first = batch if isinstance(batch, int) else -1
    nodes = [
        helper.make_node("Conv", ["images", "patches"], ["planes"], strides=[patch, patch]),
        helper.make_node("Reshape", ["planes", "shape"], ["rows"]),
        helper.make_node("Transpose", ["rows"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("LayerNormalization", ["tokens", "gain", "shift"], ["even"], axis=-1),
        helper.make_node("Transpose", ["even"], ["keys"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["even", "keys"], ["alike"]),
        helper.make_node("Softmax", ["alike"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "even"], ["mixed"]),
        helper.make_node("ReduceMean", ["mixed"], ["mean"], axes=[1], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=-1),
    ]
    constants = {
        "patches": weights(width, 3, patch, patch),
        "shape": np.array([first, width, tokens], np.int64),
        "gain": np.ones(width, np.float32),
        "shift": np.zeros(width, np.float32),
        "head": weights(width, 3, seed=1) * 4,
    }
    return saved(path, nodes, [batch, 3, side, side], constants, outputs={"scores": [batch, 3]})


def hugging_face(folder: Path, **changes: object) -> Path:
    """Write the files of an export by transformers or optimum, whose network says no sides itself."""
    convolutional(folder / "model.onnx", "height", planes="num_channels")
    config = {
        "model_type": "vit",
        "image_size": 96,
        "num_channels": 3,
        "id2label": {str(number): name for number, name in enumerate(NAMES)},
    }
    processor = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": 96, "width": 96},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.4, 0.3],
        "image_std": [0.5, 0.6, 0.7],
    }
    of_config = {"id2label", "num_channels", "problem_type"}
    config |= {key: value for key, value in changes.items() if key in of_config}
    processor |= {key: value for key, value in changes.items() if key not in of_config}
    (folder / "config.json").write_text(json.dumps(config), "utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor), "utf-8")
    return folder


def timm(folder: Path, **changes: object) -> Path:
    """Write the files of an export by timm."""
    convolutional(folder / "model.onnx", 96)
    about = {
        "input_size": [3, 96, 96],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "crop_pct": 0.875,
        "crop_mode": "center",
        "num_classes": 3,
        "label_names": list(NAMES),
        "license": "apache-2.0",
    }
    content = {"architecture": "small_net", "num_classes": 3, "pretrained_cfg": about | changes}
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    return folder
