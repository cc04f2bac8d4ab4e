"""Write a checkpoint as one ONNX graph (PCM in, log probabilities out), weights int8 per channel."""

from __future__ import annotations

import argparse
import lzma
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from training.asr.network import Recogniser
from training.asr.train import restore

SMALLEST = 2048
FRONT = frozenset(
    f"network.{name}" for name in ("front.kernels", "front.filters", "pitch.kernels", "pitch.lags")
)


class _Graph(nn.Module):
    """The network with log softmax on both heads."""

    def __init__(self, network: Recogniser) -> None:
        super().__init__()
        self.network = network

    def forward(self, pcm: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log probabilities [B, frames, classes] of both heads, valid frames [B]."""
        chars, syllables, frames = self.network(pcm, lengths)
        return chars.log_softmax(-1), syllables.log_softmax(-1), frames


def to_onnx(network: Recogniser, path: Path) -> None:
    """Export in float32 with dynamic batch and time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns of constants that are constants
        torch.onnx.export(
            _Graph(network).eval(),
            (torch.zeros(2, 16_000), torch.tensor([16_000, 9000])),
            str(path),
            input_names=["PCM", "LENGTHS"],
            output_names=["CHARS", "SYLLABLES", "FRAMES"],
            opset_version=17,
            dynamic_axes={
                "PCM": {0: "B", 1: "T"},
                "LENGTHS": {0: "B"},
                "CHARS": {0: "B", 1: "F"},
                "SYLLABLES": {0: "B", 1: "F"},
                "FRAMES": {0: "B"},
            },
            dynamo=False,
        )


def _axis(name: str, graph: Any) -> int | None:
    """Output-channel axis of a weight, or None where it is no weight of a product."""
    for node in graph.node:
        if name in node.input:
            if node.op_type == "Conv" and node.input[1] == name:
                return 0
            if node.op_type == "MatMul" and node.input[1] == name:
                return 1
            if node.op_type == "Gemm" and node.input[1] == name:
                return 0 if any(item.name == "transB" and item.i for item in node.attribute) else 1
    return None


def _pack(weight: Any, axis: int) -> tuple[list[Any], Any]:
    """int8 codes, scales and zero points of one weight, and the node that restores it."""
    values = numpy_helper.to_array(weight).astype(np.float32)
    others = tuple(index for index in range(values.ndim) if index != axis)
    scale = np.maximum(np.abs(values).max(axis=others), 1e-8).astype(np.float32) / 127
    shape = [1] * values.ndim
    shape[axis] = -1
    codes = np.clip(np.rint(values / scale.reshape(shape)), -127, 127).astype(np.int8)
    names = [weight.name + end for end in ("_int8", "_scale", "_zero")]
    tensors = [
        numpy_helper.from_array(codes, names[0]),
        numpy_helper.from_array(scale, names[1]),
        helper.make_tensor(names[2], TensorProto.INT8, [len(scale)], [0] * len(scale)),
    ]
    return tensors, helper.make_node("DequantizeLinear", names, [weight.name], axis=axis)


def _halve(weight: Any) -> tuple[Any, Any]:
    """A constant stored as float16, and the node that restores it."""
    half = numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name + "_half")
    return half, helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT)


def quantise(path: Path, halved: frozenset[str] = frozenset()) -> None:
    """Store weights as int8 with a scale an output channel, some as float16; arithmetic stays float32."""
    model = onnx.load(str(path))
    graph = model.graph
    nodes: list[Any] = []
    for weight in list(graph.initializer):
        if weight.name in halved:
            half, node = _halve(weight)
            graph.initializer.remove(weight)
            graph.initializer.append(half)
            nodes.append(node)
            continue
        axis = _axis(weight.name, graph)
        if axis is None or int(np.prod(weight.dims)) < SMALLEST:
            continue
        tensors, node = _pack(weight, axis)
        graph.initializer.remove(weight)
        graph.initializer.extend(tensors)
        nodes.append(node)
    for node in reversed(nodes):
        graph.node.insert(0, node)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def run(checkpoint: Path, path: Path) -> None:
    """Checkpoint to quantised ONNX, packed by xz (``path``); the front end's constants are float16."""
    network, plain = restore(checkpoint), path.with_suffix("")
    to_onnx(network, plain)
    quantise(plain, FRONT)
    path.write_bytes(lzma.compress(plain.read_bytes(), preset=9))
    plain.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    run(options.checkpoint, options.out)
