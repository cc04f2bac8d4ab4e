"""What bench.gpu runs: two networks with random weights, and made-up segments."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bench import gpu_flops
from bench.gpu_flops import Flops
from model_runtime.audio import Pcm
from model_runtime.gpu.batches import Plan
from model_runtime.gpu.conformer import Conformer, Shape
from model_runtime.gpu.device import natural_type
from model_runtime.gpu.features import LogMel
from model_runtime.gpu.network import MelNetwork, Network
from model_runtime.spec import FrontEnd
from server.importers.filters import slaney_filters, write_arrays
from training.asr.network import HOP, SUBSAMPLING, Recogniser
from training.asr.network import Shape as StarterShape
from training.asr.on_gpu import BLANK, StarterNetwork

RATE_HZ = 8_000
NEMO = FrontEnd(
    16_000, 512, 160, 512, "centred", 1.0, "add", 2.0**-24, preemphasis=0.97, preemphasis_over="signal",
    normalise="bins_sample",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How much is run."""

    large: Shape
    starter: StarterShape
    segments: int
    rounds: int
    gemm: int
    plan: Plan


FULL = Size(Shape(tokens=4336), StarterShape(4336, 1300), 20_000, 5, 8192, Plan())
QUICK = Size(FULL.large, FULL.starter, 4_000, 3, 8192, Plan())
TINY = Size(
    Shape(tokens=50, layers=1, width=32, heads=2, inner=64, channels=8),
    StarterShape(50, 20, width=32),
    segments=24,
    rounds=1,
    gemm=256,
    plan=Plan(most_frames=4_000),
)


@dataclass(frozen=True)
class Case:
    """A network, on its device."""

    name: str
    network: Network
    exact: Network
    """The same in fp32."""
    silent: int
    tokens: int
    flops: Flops


def speech_like(count: int) -> list[Pcm]:
    """Segments of log-normal length, median 2.7 s, cut out of one noise that swells and fades."""
    rng = np.random.default_rng(5)
    lengths = (np.clip(rng.lognormal(1.0, 0.75, count), 0.4, 15.0) * RATE_HZ).astype(int)
    time = np.arange(60 * RATE_HZ)
    noise = (rng.normal(0, 900, len(time)) * (1.2 + np.sin(time / 1500))).astype(np.int16)
    starts = rng.integers(0, len(noise) - lengths)
    return [noise[start : start + length] for start, length in zip(starts, lengths, strict=True)]


def large_case(size: Size, folder: Path, device: torch.device) -> Case:
    """The FastConformer, fed at 8 kHz and resampled on the device to 16 kHz."""
    write_arrays(folder, np.pad(np.hanning(400), 56), slaney_filters(size.large.bins, 512, 16_000))
    torch.manual_seed(0)
    exact = Conformer(size.large).eval()
    rounded = Conformer(size.large).eval()
    rounded.load_state_dict(exact.state_dict())
    exact_network, network = (
        MelNetwork(LogMel(NEMO, folder), made, RATE_HZ).to(device)
        for made in (exact, rounded.to(natural_type(device)))
    )
    blank = size.large.tokens - 1
    flops = lambda frames: float(gpu_flops.conformer(size.large, frames))  # noqa: E731
    return Case("FastConformer", network, exact_network, blank, size.large.tokens, flops)


def starter_case(size: Size, device: torch.device) -> Case:
    """The starter's encoder and character head."""
    torch.manual_seed(0)
    made = Recogniser(size.starter).eval()

    def run(frames: int) -> None:
        with torch.inference_mode():
            pcm, counts = torch.zeros(1, frames * HOP), torch.tensor([frames * HOP])
            made.encode(made.front(pcm, counts), made.pitch(pcm, counts), counts // HOP)

    head = 2 * size.starter.width * (size.starter.chars + 1) / SUBSAMPLING
    encoder = gpu_flops.fitted(run)
    made_here = made.to(device)
    exact, network = (StarterNetwork(made_here, dtype) for dtype in (torch.float32, natural_type(device)))
    return Case(
        "starter",
        network,
        exact,
        BLANK,
        size.starter.chars + 1,
        lambda frames: encoder(frames) + head * frames,
    )
