"""The layer as an ONNX graph: n-gram ids and role in, calibrated scores out; weights stored as int8."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.tags.features import FAMILY_WEIGHTS
from training.tags.fit import SIDES, Calibration, Layer

ROLES = ("agent", "customer", "other")
OPSET = 17


def quantised(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 [K, N] and the scale [N] that brings each column back."""
    scale = np.maximum(np.abs(weights).max(0), 1e-9) / 127
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


def permitted(labels: Sequence[str]) -> NDArray[np.float32]:
    """[roles, N]: 1 where a role may carry a tag; a turn of unknown role may carry any."""
    return np.array(
        [[role == "other" or SIDES[tag[:2]] == role for tag in labels] for role in ROLES], dtype=np.float32
    )


def _constants(
    layer: Layer, calibration: Calibration, labels: Sequence[str]
) -> dict[str, NDArray[np.generic]]:
    """Initializers; row 0 of the tables is the padding and weighs nothing; a family is a range of ids."""
    stored, scale = quantised(layer.weights * calibration.scale)
    letters = np.array([gram[0] for gram in layer.features.grams])
    first = np.searchsorted(letters, list(FAMILY_WEIGHTS)) + 1
    rarity = np.concatenate([[0], layer.features.rarity]).astype(np.float32)[:, None]
    return {
        "weights": np.concatenate([np.zeros((1, len(labels)), np.int8), stored]),
        "scale": scale,
        "zero": np.zeros(len(labels), np.int8),
        "bias": (calibration.scale * (layer.bias - calibration.threshold)).astype(np.float32),
        "rarities": rarity,
        "first": first[None, None].astype(np.int64),
        "beyond": np.append(first[1:], len(letters) + 1)[None, None].astype(np.int64),
        "lengths": np.array(list(FAMILY_WEIGHTS.values()), np.float32)[None],
        "permitted": permitted(labels),
        "tiny": np.array(1e-12, np.float32),
        "places": np.array([1], np.int64),
        "last": np.array([2], np.int64),
        "pad": np.array(0, np.int64),
    }


def _nodes() -> list[onnx.NodeProto]:
    """Vector of rarities, each family scaled to its length, times the weights, plus bias; sigmoid; role."""
    node = helper.make_node
    return [
        node("Gather", ["rarities", "NGRAMS"], ["rarity"]),
        node("Unsqueeze", ["NGRAMS", "last"], ["id"]),
        node("GreaterOrEqual", ["id", "first"], ["from"]),
        node("Less", ["id", "beyond"], ["until"]),
        node("And", ["from", "until"], ["inside"]),
        node("Cast", ["inside"], ["family"], to=TensorProto.FLOAT),
        node("Mul", ["rarity", "family"], ["parts"]),
        node("Mul", ["parts", "parts"], ["square"]),
        node("ReduceSum", ["square", "places"], ["energy"], keepdims=0),
        node("Max", ["energy", "tiny"], ["power"]),
        node("Sqrt", ["power"], ["norm"]),
        node("Div", ["lengths", "norm"], ["factor"]),
        node("Unsqueeze", ["factor", "places"], ["factors"]),
        node("Mul", ["parts", "factors"], ["shares"]),
        node("ReduceSum", ["shares", "last"], ["vector"], keepdims=0),
        node("Unsqueeze", ["vector", "places"], ["row"]),
        node("Gather", ["weights", "NGRAMS"], ["stored"]),
        node("DequantizeLinear", ["stored", "scale", "zero"], ["columns"], axis=2),
        node("MatMul", ["row", "columns"], ["products"]),
        node("Squeeze", ["products", "places"], ["weighed"]),
        node("Add", ["weighed", "bias"], ["logits"]),
        node("Sigmoid", ["logits"], ["certainty"]),
        node("Gather", ["permitted", "ROLE"], ["may"]),
        node("Mul", ["certainty", "may"], ["tagged"]),
        node("Greater", ["NGRAMS", "pad"], ["real"]),
        node("Cast", ["real"], ["reals"], to=TensorProto.FLOAT),
        node("ReduceMax", ["reals"], ["said"], axes=[1], keepdims=1),
        node("Mul", ["tagged", "said"], ["SCORES"]),
    ]


def save(layer: Layer, calibration: Calibration, labels: Sequence[str], path: Path) -> None:
    """Write the graph; inputs NGRAMS int64 [B, F] and ROLE int64 [B], output SCORES [B, N]."""
    stored = [
        numpy_helper.from_array(value, name) for name, value in _constants(layer, calibration, labels).items()
    ]
    graph = helper.make_graph(
        _nodes(),
        "semantic_tags",
        [
            helper.make_tensor_value_info("NGRAMS", TensorProto.INT64, ["B", "F"]),
            helper.make_tensor_value_info("ROLE", TensorProto.INT64, ["B"]),
        ],
        [helper.make_tensor_value_info("SCORES", TensorProto.FLOAT, ["B", len(labels)])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
