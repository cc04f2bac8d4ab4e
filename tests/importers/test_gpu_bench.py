"""bench.gpu on a CPU with tiny shapes; its count of operations is torch's; the starter runs in the engine."""

import importlib
import json
from typing import Any

import numpy as np
import pytest

from tests.importers.conftest import library, speech


@pytest.fixture(scope="module")
def torch() -> Any:
    torch = library("torch")
    torch.set_num_threads(1)
    return torch


def part(name: str) -> Any:
    """A module that needs torch."""
    return importlib.import_module(name)


def test_one_command_prints_a_table_and_json(torch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    part("bench.gpu").main(["--device", "cpu"])
    lines = capsys.readouterr().out.strip().splitlines()
    figures = json.loads(lines[-1])
    for found in (figures, figures["starter"]):
        assert (
            min(found[name] for name in ("rtfx", "flops_over_gemm", "bucketed_over_fifo", "whole_over_bare"))
            > 0
        )
        assert found["same_tokens_as_fifo"] == 1.0 and 0.5 < found["useful_frames"] <= 1.0
        assert found["gflop_per_audio_s"] > 0 and found["peak_memory_mb"] > 0
    assert "CPU, tiny shapes" in figures["device"] and len(lines) > 10


@pytest.mark.parametrize(
    "change", [{}, {"depthwise": False, "halvings": 2}, {"positions": "none", "kernel": 5}], ids=str
)
def test_operations_by_formula_are_those_that_torch_counts(torch: Any, change: dict[str, Any]) -> None:
    flops, conformer = part("bench.gpu_flops"), part("model_runtime.gpu.conformer")
    small = {"tokens": 50, "layers": 2, "width": 32, "heads": 2, "inner": 96, "channels": 8}
    shape = conformer.Shape(**{**small, **change})
    network = conformer.Conformer(shape).eval()

    def run(frames: int) -> None:
        with torch.inference_mode():
            network(torch.zeros(3, frames, shape.bins), torch.tensor([frames] * 3))

    for frames in (160, 203):
        formula = 3 * flops.conformer(shape, frames) + flops.of_positions(shape, frames)
        assert formula == flops.counted(run, frames)


def test_the_large_shape_has_its_name(torch: Any) -> None:
    shape = part("model_runtime.gpu.conformer").Shape(tokens=4336)
    with torch.device("meta"):
        network = part("model_runtime.gpu.conformer").Conformer(shape)
    millions = sum(tensor.numel() for tensor in network.parameters()) / 1e6
    assert 105 < millions < 118
    per_second = part("bench.gpu_flops").conformer(shape, 1_000) / 10 / 1e9
    assert 2.8 < per_second < 3.3, "GFLOP per second of sound: 2.8, and a tenth for relative positions"


def test_a_network_without_a_formula_is_counted(torch: Any) -> None:
    flops, cases = part("bench.gpu_flops"), part("bench.gpu_cases")
    case = cases.starter_case(cases.TINY, torch.device("cpu"))
    run_length = 640
    made = case.network

    def run(frames: int) -> None:
        with torch.inference_mode():
            pcm, count = torch.zeros(1, frames * 80), torch.tensor([frames * 80])
            made.scores(made.recogniser.front(pcm, count), made.recogniser.pitch(pcm, count), count // 80)

    counted = flops.counted(run, run_length)
    front = counted - case.flops(run_length)
    assert abs(front) < 0.02 * counted


def test_the_starter_hears_in_the_engine_what_it_hears_alone(torch: Any) -> None:
    network, on_gpu = part("training.asr.network"), part("training.asr.on_gpu")
    torch.manual_seed(1)
    made = network.Recogniser(network.Shape(60, 30, width=64)).eval()
    pcms = [speech(8_000, seconds)[: round(8_000 * seconds)] for seconds in (0.05, 1.5, 6.0, 2.3)]
    with torch.inference_mode():
        counts = [max(len(pcm), 640) + 1600 for pcm in pcms]
        rows = [
            np.pad(pcm, (0, -(-count // 640) * 640 - len(pcm))).astype(np.float32) / 32768
            for pcm, count in zip(pcms, counts, strict=True)
        ]
        logits = [
            made(torch.from_numpy(r)[None], torch.tensor([c])) for r, c in zip(rows, counts, strict=True)
        ]
        made.chars.weight.mul_(30.0)
        made.chars.bias.copy_(-30.0 * (logits[2][0][0].mean(0) - made.chars.bias))
        alone = [
            made(torch.from_numpy(r)[None], torch.tensor([c])) for r, c in zip(rows, counts, strict=True)
        ]
    engine = part("model_runtime.gpu.engine").Engine(
        on_gpu.StarterNetwork(made, torch.float32), (0,), 61, torch.device("cpu")
    )
    heard = engine.hear(pcms)
    for row, (chars, _, steps) in zip(heard, alone, strict=True):
        best = chars[0, : int(steps[0])].argmax(-1).tolist()
        told = [token for place, token in enumerate(best) if token and token != ([-1, *best])[place]]
        assert row.ids.tolist() == told
    assert len(set(heard[2].ids.tolist())) > 5, "the control: the network says different things"
