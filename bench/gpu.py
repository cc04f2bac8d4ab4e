"""How much of a GPU the recogniser uses, in one command on a machine with nothing but torch and this project.

    python -m bench.gpu [--quick] [--device cuda|cpu] [--mode eager|graphs|compiled] [--road REPOSITORY]

Two networks with random weights (the work does not depend on them): a FastConformer with 110M parameters and
the starter's. Speech segments are made up, log-normal lengths of 0.4 to 15 s at 8 kHz. *whole*: samples in
host memory to characters with times, by the served engine. *bare*: the encoder alone, over the same batches
of features that already lie on the device. *fifo*: the engine over batches in the order of arrival. The GEMM
rate is measured in the same run. Sides run interleaved; their tokens are proven equal first (in fp32).
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from bench.gpu_cases import FULL, QUICK, RATE_HZ, TINY, Case, large_case, speech_like, starter_case
from model_runtime.audio import Pcm
from model_runtime.gpu import ctc
from model_runtime.gpu.batches import Batch, Plan, useful_share
from model_runtime.gpu.ctc import Heard
from model_runtime.gpu.device import Mode, choose, natural_type
from model_runtime.gpu.engine import Engine
from model_runtime.gpu.ragged import padded
from model_runtime.words import spread

STEP_MS = 80.0
CHECKED = 48


@dataclass(frozen=True)
class Figures:
    """What one case gives; the ratios are medians over rounds."""

    rtfx: float
    flops_over_gemm: float
    bucketed_over_fifo: float
    whole_over_bare: float
    rtfx_bare: float
    rtfx_fifo: float
    useful_frames: float
    same_tokens_as_fifo: float
    gflop_per_audio_s: float
    tokens_per_audio_s: float
    peak_memory_mb: float


def synchronise(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Wall seconds of ``run`` with all it started."""
    synchronise(device)
    begin = perf_counter()
    run()
    synchronise(device)
    return perf_counter() - begin


def gemm_rate(side: int, device: torch.device) -> float:
    """FLOP/s of a square product in the device's natural type: the best of ten runs of some products each."""
    first, second = (torch.randn(side, side, device=device).to(natural_type(device)) for _ in range(2))
    repeats = 20 if device.type == "cuda" else 1

    def run() -> None:
        for _ in range(repeats):
            torch.mm(first, second)

    run()
    return 2 * side**3 * repeats / min(timed(run, device) for _ in range(10))


class Bench:
    """One case in one mode."""

    def __init__(
        self, case: Case, segments: Sequence[Pcm], plan: Plan, device: torch.device, mode: Mode
    ) -> None:
        self.case, self.segments, self.device = case, segments, device
        self.engine = Engine(case.network, (case.silent,), case.tokens, device, plan, mode)
        self.frames = self.engine.frames(segments)
        self.bucketed = plan.bucketed(self.frames)
        self.in_order = plan.in_order(self.frames)
        self.texts = [chr(0x4E00 + token) for token in range(case.tokens)]
        self._scores = (
            torch.compile(case.network.scores, dynamic=True) if mode == "compiled" else case.network.scores
        )
        self._resident = [self._features(batch) for batch in self.bucketed]

    def check(self) -> None:
        """In fp32, some segments in a batch and alone give the same tokens.

        Raises:
            SystemExit: they do not.
        """
        exact = Engine(
            self.case.exact, (self.case.silent,), self.case.tokens, self.device, self.engine.plan, "eager"
        )
        some = self.segments[:CHECKED]
        together, alone = exact.hear(some), [exact.hear([segment])[0] for segment in some]
        if same_share(together, alone) < 1.0 - 1.0 / CHECKED:
            raise SystemExit(f"{self.case.name}: a batch is heard otherwise than its segments alone")

    def whole(self) -> list[Heard]:
        """Samples to characters."""
        return self._spelt(self.bucketed)

    def fifo(self) -> list[Heard]:
        """The same in the order of arrival."""
        return self._spelt(self.in_order)

    def bare(self) -> None:
        """The encoder over features that lie on the device."""
        with torch.inference_mode():
            for features in self._resident:
                self._scores(*features)

    def _spelt(self, batches: Sequence[Batch]) -> list[Heard]:
        heard: dict[int, Heard] = {}
        for place, row in self.engine.stream(self.segments, batches):
            heard[place] = row
            spread(ctc.tokens(row, STEP_MS, self.texts), len(self.segments[place]) * 1000 // RATE_HZ)
        return [heard[place] for place in range(len(self.segments))]

    def _features(self, batch: Batch) -> tuple[torch.Tensor, ...]:
        counts = np.zeros(batch.rows, np.int64)
        counts[: len(batch.places)] = [len(self.segments[place]) for place in batch.places]
        pcm = np.concatenate([self.segments[place] for place in batch.places])
        flat, starts, samples = (
            torch.from_numpy(array).to(self.device) for array in (pcm, counts.cumsum() - counts, counts)
        )
        with torch.inference_mode():
            padding = padded(flat, starts, samples, self.case.network.room(batch.width))
            return self.case.network.features(padding, samples, batch.width)


def same_share(some: Sequence[Heard], others: Sequence[Heard]) -> float:
    """Share of segments with the same tokens."""
    same = [np.array_equal(one.ids, other.ids) for one, other in zip(some, others, strict=True)]
    return sum(same) / max(1, len(same))


def measure(bench: Bench, rounds: int, gemm: float) -> Figures:
    """Run the sides in turn."""
    bench.check()
    # twice: the second time captures the graphs of a mode that has them
    for _ in range(2):
        heard, in_order = bench.whole(), bench.fifo()
        bench.bare()
    seconds = [
        [timed(side, bench.device) for side in (bench.whole, bench.fifo, bench.bare)] for _ in range(rounds)
    ]
    whole, fifo, bare = (statistics.median(column) for column in zip(*seconds, strict=True))
    audio_s = sum(map(len, bench.segments)) / RATE_HZ
    work = sum(map(bench.case.flops, bench.frames))
    return Figures(
        rtfx=audio_s / whole,
        flops_over_gemm=work / whole / gemm,
        bucketed_over_fifo=statistics.median(row[1] / row[0] for row in seconds),
        whole_over_bare=statistics.median(row[2] / row[0] for row in seconds),
        rtfx_bare=audio_s / bare,
        rtfx_fifo=audio_s / fifo,
        useful_frames=useful_share(bench.bucketed, bench.frames),
        same_tokens_as_fifo=same_share(heard, in_order),
        gflop_per_audio_s=work / audio_s / 1e9,
        tokens_per_audio_s=sum(len(row.ids) for row in heard) / audio_s,
        peak_memory_mb=_peak_mb(bench.device),
    )


def _peak_mb(device: torch.device) -> float:
    """Most of the device's memory in use at once; on the CPU, of the process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def road(repository: Path) -> dict[str, Any]:
    """Figures of bench.road over another model repository."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.road", "--quick"],
        env={**os.environ, "EARSHOT_MODEL_REPOSITORY": str(repository)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def show(found: dict[str, Figures], gemm: float, title: str) -> None:
    """Print the table for people."""
    table = Table("figure", *found, title=f"{title}; GEMM {gemm / 1e12:.3g} TFLOP/s")
    for name in asdict(next(iter(found.values()))):
        table.add_row(name, *(f"{getattr(figures, name):.4g}" for figures in found.values()))
    Console().print(table)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer segments and rounds")
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="cpu: tiny shapes, proves only that it runs"
    )
    parser.add_argument("--mode", choices=("eager", "graphs", "compiled"), default="graphs")
    parser.add_argument(
        "--road", type=Path, metavar="REPOSITORY", help="also run bench.road on these model folders"
    )
    options = parser.parse_args(arguments)
    device = choose("GPU" if options.device == "cuda" else "CPU", 0)
    size = TINY if device.type == "cpu" else QUICK if options.quick else FULL
    segments = speech_like(size.segments)
    gemm = gemm_rate(size.gemm, device)
    found = {}
    with TemporaryDirectory() as folder:
        for case in (large_case(size, Path(folder), device), starter_case(size, device)):
            found[case.name] = measure(
                Bench(case, segments, size.plan, device, options.mode), size.rounds, gemm
            )
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU, tiny shapes"
    show(found, gemm, name)
    large, starter = (asdict(figures) for figures in found.values())
    told = {"device": name, "mode": options.mode, "torch": torch.__version__, "gemm_tflops": gemm / 1e12}
    more = {"road": road(options.road)} if options.road else {}
    print(json.dumps(told | large | {"starter": starter} | more))


if __name__ == "__main__":
    main()
