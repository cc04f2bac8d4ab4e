"""What the model looks at, as an ONNX graph: spectra of speech → bands, periods, loudness → statistics.

The graph is the only implementation: training runs it to get its inputs, and it is what the server runs.
"""

import math

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

RATE_HZ = 8000
FRAME, HOP = 256, 160
"""Samples a frame (32 ms) and between frames (20 ms)."""
LOW_HZ, HIGH_HZ = 150.0, 3600.0
"""The band that every telephone channel passes."""
BANDS, PITCHES = 32, 24
PITCH_LOW_HZ, PITCH_HIGH_HZ = 70.0, 450.0
ROWS = BANDS + PITCHES + 1
STATISTICS = 4 * ROWS
"""Mean and spread of each row, and of its change from frame to frame."""
FLOOR = 1e-3
"""Power below the mean level times this is not looked at (30 dB): channel noise."""
OPSET = 17

Floats = NDArray[np.float32]
Constants = dict[str, NDArray[np.generic]]
FIRST_BIN = int(LOW_HZ / RATE_HZ * FRAME)
BINS = int(HIGH_HZ / RATE_HZ * FRAME) + 2 - FIRST_BIN


def _hertz() -> NDArray[np.float64]:
    """Centre frequency of each bin that is looked at."""
    return (FIRST_BIN + np.arange(BINS)) * (RATE_HZ / FRAME)


def fourier_basis() -> Floats:
    """[2 × BINS, 1, FRAME]: Hann-windowed cosines, then sines."""
    phase = 2 * np.pi * _hertz()[:, None] / RATE_HZ * np.arange(FRAME)
    window = np.hanning(FRAME + 1)[:-1]
    turned = np.concatenate([np.cos(phase) * window, np.sin(phase) * window])
    return np.asarray(turned[:, None], np.float32)


def mel_weights() -> Floats:
    """[BANDS, BINS] triangles equally spaced in mel, 2595 log10(1 + f / 700) (O'Shaughnessy 1987)."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (LOW_HZ, HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    rising = (_hertz()[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - _hertz()[:, None]) / (edges[2:] - edges[1:-1])
    triangles = np.clip(np.minimum(rising, falling), 0, None)
    return np.asarray((triangles / np.maximum(triangles.sum(0), 1e-6)).T, np.float32)


def pitch_weights() -> Floats:
    """[PITCHES, BINS] cosines that turn power into the autocorrelation at log-spaced periods."""
    pitches = np.geomspace(PITCH_LOW_HZ, PITCH_HIGH_HZ, PITCHES)
    return np.asarray(np.cos(2 * np.pi * _hertz() / pitches[:, None]), np.float32)


def constants() -> Constants:
    """Fixed numbers of the graph by name."""
    return {
        "basis": fourier_basis(), "mel": mel_weights(), "pitch": pitch_weights(),
        "frame": np.array(FRAME, np.int64), "hop": np.array(HOP, np.int64),
        "zero": np.array(0, np.int64), "one": np.array(1, np.int64), "far": np.array([2**31], np.int64),
        "at_0": np.array([0], np.int64), "at_1": np.array([1], np.int64), "at_2": np.array([2], np.int64),
        "less_1": np.array([-1], np.int64),
        "floor": np.array(FLOOR, np.float32), "bins": np.array(BINS, np.float32),
        "silence": np.array(1e-8, np.float32), "tiny": np.array(1e-6, np.float32),
        "loud_bias": np.array(3.0, np.float32), "loud_slope": np.array(2.0, np.float32),
    }  # fmt: skip


def _spectrum() -> list[onnx.NodeProto]:
    """PCM [B, T] → power [B, BINS, F]; LENGTHS [B] → mask [B, 1, F] of whole frames (at least one)."""
    node = helper.make_node
    return [
        node("Unsqueeze", ["PCM", "at_1"], ["signal"]),
        node("Conv", ["signal", "basis"], ["turned"], strides=[HOP]),
        node("Split", ["turned"], ["cosines", "sines"], axis=1),
        node("Mul", ["cosines", "cosines"], ["cosines_2"]),
        node("Mul", ["sines", "sines"], ["sines_2"]),
        node("Add", ["cosines_2", "sines_2"], ["power"]),
        node("Sub", ["LENGTHS", "frame"], ["beyond"]),
        node("Div", ["beyond", "hop"], ["hops"]),
        node("Add", ["hops", "one"], ["whole"]),
        node("Max", ["whole", "one"], ["frames"]),
        node("Unsqueeze", ["frames", "at_1"], ["frames_1"]),
        node("Shape", ["power"], ["columns"], start=2, end=3),
        node("Squeeze", ["columns"], ["column_count"]),
        node("Range", ["zero", "column_count", "one"], ["column"]),
        node("Less", ["column", "frames_1"], ["inside"]),
        node("Cast", ["inside"], ["inside_f"], to=TensorProto.FLOAT),
        node("Unsqueeze", ["inside_f", "at_1"], ["mask"]),
    ]


def _rows() -> list[onnx.NodeProto]:
    """Power → rows [B, ROWS, F] relative to the mean level, and weight [B, 1, F] of the louder frames."""
    node = helper.make_node
    return [
        node("ReduceMean", ["power"], ["total"], axes=[1], keepdims=1),
        node("Mul", ["total", "mask"], ["masked"]),
        node("ReduceSum", ["masked", "at_2"], ["energy"], keepdims=1),
        node("ReduceSum", ["mask", "at_2"], ["count"], keepdims=1),
        node("Div", ["energy", "count"], ["mean_level"]),
        node("Add", ["mean_level", "silence"], ["level"]),
        node("MatMul", ["mel", "power"], ["band_power"]),
        node("Div", ["band_power", "level"], ["band_ratio"]),
        node("Add", ["band_ratio", "floor"], ["band_floored"]),
        node("Log", ["band_floored"], ["bands"]),
        node("Div", ["total", "level"], ["ratio"]),
        node("Add", ["ratio", "floor"], ["floored"]),
        node("Log", ["floored"], ["loudness"]),
        node("MatMul", ["pitch", "power"], ["correlation"]),
        node("Mul", ["level", "floor"], ["noise"]),
        node("Add", ["total", "noise"], ["with_noise"]),
        node("Mul", ["with_noise", "bins"], ["whole_power"]),
        node("Div", ["correlation", "whole_power"], ["periods"]),
        node("Concat", ["bands", "periods", "loudness"], ["rows"], axis=1),
        node("Add", ["loudness", "loud_bias"], ["above"]),
        node("Mul", ["above", "loud_slope"], ["steep"]),
        node("Sigmoid", ["steep"], ["loud"]),
        node("Mul", ["loud", "mask"], ["weight"]),
    ]


def _moments(rows: str, weight: str, prefix: str) -> list[onnx.NodeProto]:
    """Weighted mean and deviation over time: ``{prefix}mean`` and ``{prefix}spread``, [B, ROWS] each."""
    node = helper.make_node
    return [
        node("ReduceSum", [weight, "at_2"], [f"{prefix}sum"], keepdims=1),
        node("Add", [f"{prefix}sum", "tiny"], [f"{prefix}total"]),
        node("Div", [weight, f"{prefix}total"], [f"{prefix}share"]),
        node("Mul", [rows, f"{prefix}share"], [f"{prefix}weighed"]),
        node("ReduceSum", [f"{prefix}weighed", "at_2"], [f"{prefix}mean_1"], keepdims=1),
        node("Sub", [rows, f"{prefix}mean_1"], [f"{prefix}away"]),
        node("Mul", [f"{prefix}away", f"{prefix}away"], [f"{prefix}away_2"]),
        node("Mul", [f"{prefix}away_2", f"{prefix}share"], [f"{prefix}square"]),
        node("ReduceSum", [f"{prefix}square", "at_2"], [f"{prefix}variance"], keepdims=0),
        node("Add", [f"{prefix}variance", "tiny"], [f"{prefix}positive"]),
        node("Sqrt", [f"{prefix}positive"], [f"{prefix}spread"]),
        node("Squeeze", [f"{prefix}mean_1", "at_2"], [f"{prefix}mean"]),
    ]


def _change() -> list[onnx.NodeProto]:
    """Absolute change of each row from frame to frame, weighed where both frames are."""
    node = helper.make_node
    return [
        node("Slice", ["rows", "at_1", "far", "at_2"], ["later"]),
        node("Slice", ["rows", "at_0", "less_1", "at_2"], ["earlier"]),
        node("Sub", ["later", "earlier"], ["step"]),
        node("Abs", ["step"], ["change"]),
        node("Slice", ["weight", "at_1", "far", "at_2"], ["change_weight"]),
    ]


def nodes() -> list[onnx.NodeProto]:
    """PCM and LENGTHS → STATISTICS [B, 4 × ROWS]."""
    joined = ["rows_mean", "rows_spread", "change_mean", "change_spread"]
    return [
        *_spectrum(),
        *_rows(),
        *_moments("rows", "weight", "rows_"),
        *_change(),
        *_moments("change", "change_weight", "change_"),
        helper.make_node("Concat", joined, ["STATISTICS"], axis=1),
    ]


def model(tail: list[onnx.NodeProto], more: Constants, output: str, width: int) -> onnx.ModelProto:
    """A checked model of the front end and its tail; inputs PCM [B, T] in -1..1 and LENGTHS int64 [B]."""
    graph = helper.make_graph(
        [*nodes(), *tail],
        "emotion",
        [
            helper.make_tensor_value_info("PCM", TensorProto.FLOAT, ["B", "T"]),
            helper.make_tensor_value_info("LENGTHS", TensorProto.INT64, ["B"]),
        ],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["B", width])],
        [numpy_helper.from_array(value, name) for name, value in {**constants(), **more}.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    return made
