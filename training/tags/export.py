"""The network as two ONNX graphs, a turn alone and a turn among others; weights int8 with a scale a row."""

import lzma
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.tags.batches import SIDES
from training.tags.calibrate import Calibration
from training.tags.letters import ROLES, STRIDE, TURNS_BEFORE
from training.tags.network import Tagger

OPSET = 17
SMALLEST = 1024
"""Weights with fewer values stay float32."""


class _Encoder(nn.Module):
    def __init__(self, network: Tagger) -> None:
        super().__init__()
        self.network = network

    def forward(self, characters: Tensor, sounds: Tensor, roles: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States [U, T / STRIDE, d], what later turns see of them, and vectors."""
        states, real = self.network.encoder(characters, sounds, roles)
        return states, self.network.gists(states, real), self.network.vectors(states, real)


class _Scorer(nn.Module):
    """Calibrated scores; tags that a known role never carries are 0."""

    def __init__(self, network: Tagger, calibration: Calibration, labels: Sequence[str]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", torch.tensor(calibration.scale, dtype=torch.float32))
        self.register_buffer("threshold", torch.tensor(calibration.threshold, dtype=torch.float32))
        self.register_buffer("permitted", torch.from_numpy(permitted(labels)))

    def forward(
        self, states: Tensor, real: Tensor, gists: Tensor, before: Tensor, roles: Tensor, words: Tensor
    ) -> Tensor:
        """Scores [B, N] in 0..1; ``words`` [B, N] are the decisions of the n-grams."""
        logits = self.network.tag(states, real, gists, before) + words
        scores: Tensor = torch.sigmoid(self.get_buffer("scale") * (logits - self.get_buffer("threshold")))
        return scores * self.get_buffer("permitted")[roles]


def permitted(labels: Sequence[str]) -> NDArray[np.float32]:
    """[roles, N]: 1 where a role may carry a tag; a turn of unknown role may carry any."""
    return np.array(
        [[role == "other" or SIDES[tag[:2]] == role for tag in labels] for role in ROLES], np.float32
    )


def save(network: Tagger, calibration: Calibration, labels: Sequence[str], folder: Path) -> None:
    """Write ``encoder.onnx.xz`` and ``tagger.onnx.xz``."""
    network.eval()
    turns = torch.tensor([[2, 3, 4, 5], [2, 3, 0, 0]])
    roles, before = torch.tensor([0, 1]), torch.tensor([[-1] * TURNS_BEFORE, [0] + [-1] * (TURNS_BEFORE - 1)])
    with torch.no_grad():
        states, gists, _ = _Encoder(network)(turns, turns, roles)
    by_turn, by_row = {0: "U", 1: "T"}, {0: "B", 1: "P"}
    _write(
        _Encoder(network),
        {"CHARACTERS": turns, "SOUNDS": turns, "ROLES": roles},
        ["STATES", "GISTS", "VECTORS"],
        {"CHARACTERS": by_turn, "SOUNDS": by_turn, "ROLES": {0: "U"}},
        folder / "encoder.onnx.xz",
    )
    _write(
        _Scorer(network, calibration, labels),
        {
            "STATES": states,
            "REAL": turns[:, ::STRIDE] > 0,
            "GISTS": gists,
            "BEFORE": before,
            "ROLES": roles,
            "WORDS": torch.zeros(2, len(labels)),
        },
        ["SCORES"],
        {
            "STATES": by_row,
            "REAL": by_row,
            "GISTS": {0: "U"},
            "BEFORE": {0: "B"},
            "ROLES": {0: "B"},
            "WORDS": {0: "B"},
        },
        folder / "tagger.onnx.xz",
    )


def _write(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    axes: Mapping[str, Mapping[int, str]],
    path: Path,
) -> None:
    plain = path.with_suffix("")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants that are constants
        torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            str(plain),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )
    model = onnx.load(plain)
    _shrink(model.graph)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(lzma.compress(model.SerializeToString(), preset=9))
    plain.unlink()


def _shrink(graph: Any) -> None:
    """Store large float32 initializers as int8 behind a DequantizeLinear with a scale along one axis."""
    axis_of = _output_axes(graph)
    nodes, kept = [], []
    for stored in graph.initializer:
        values = numpy_helper.to_array(stored)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < SMALLEST:
            kept.append(stored)
            continue
        axis = axis_of.get(stored.name, 0)
        others = tuple(place for place in range(values.ndim) if place != axis)
        scale = np.maximum(np.abs(values).max(others), 1e-9) / 127
        along = scale.reshape([-1 if place == axis else 1 for place in range(values.ndim)])
        names = [f"{stored.name}_{part}" for part in ("int8", "scale", "zero")]
        parts = (np.rint(values / along).astype(np.int8), scale, np.zeros(len(scale), np.int8))
        kept += [numpy_helper.from_array(part, name) for part, name in zip(parts, names, strict=True)]
        nodes.append(helper.make_node("DequantizeLinear", names, [stored.name], axis=axis))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    described = [
        value for value in graph.value_info if value.type.tensor_type.elem_type != TensorProto.UNDEFINED
    ]
    calculations = list(graph.node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend([*nodes, *calculations])
    graph.value_info.extend(described)


def _output_axes(graph: Any) -> dict[str, int]:
    """Axis of each product's weight along which values share no scale: its outputs (a table's rows: 0)."""
    axes: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == "MatMul":
            axes[node.input[1]] = 1
        elif node.op_type == "Gemm":
            axes[node.input[1]] = 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return axes
