"""Train the recogniser on the shards for a given number of minutes on one core.

`python -m training.asr.train --speech DIR --out DIR --minutes 80`
"""

from __future__ import annotations

import argparse
import math
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.asr.dataset import Batch, Pool
from training.asr.network import HOP, Recogniser, Shape
from training.asr.vocabulary import load

BATCH_SAMPLES = 80 * 8000
SHORT_STEPS, SHORT_SAMPLES, LONG_SAMPLES = 500, 20_800, 160_000
PEAK_RATE, TUNING_RATE = 2e-3, 1.2e-3
CHAR_SHARE = 0.45
WARM_UP_STEPS = 300
HOLD = 0.35


def normalise(network: Recogniser, pool: Pool) -> None:
    """Set the front end's fixed mean and scale from 40 batches."""
    rows: list[Tensor] = []
    with torch.no_grad():
        for _ in range(40):
            batch = pool.draw(480_000, 160_000)
            mel = network.front.log_mel(batch.pcm, batch.lengths)
            rows.extend(mel[row, : int(length) // HOP] for row, length in enumerate(batch.lengths))
    frames = torch.cat(rows)
    network.front.mean.copy_(frames.mean(0))
    network.front.scale.copy_(1 / frames.std(0))


def _mask_spans(mel: Tensor, lengths: Tensor, rng: np.random.Generator) -> Tensor:
    """SpecAugment: two frequency bands and a short time span a second or two, [B, MELS, F]."""
    keep = np.ones(mel.shape, np.float32)
    for row, length in enumerate((lengths // HOP).tolist()):
        for _ in range(2):
            width = rng.integers(0, 9)
            start = rng.integers(0, mel.shape[1] - width)
            keep[row, start : start + width] = 0
        for _ in range(max(1, length // 220)):
            width = rng.integers(0, min(12, max(1, length // 10)) + 1)
            start = rng.integers(0, max(1, length - width))
            keep[row, :, start : start + width] = 0
    return mel * torch.from_numpy(keep)


def _framewise(log_probs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Weighted cross-entropy at the marked frames."""
    picked = log_probs.gather(2, targets[..., None])[..., 0]
    return -(picked * weights).sum() / weights.sum().clamp_min(1.0)


def losses(
    network: Recogniser, batch: Batch, rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """CTC of characters and syllables, framewise of characters and syllables."""
    with torch.no_grad():
        mel = _mask_spans(network.front(batch.pcm, batch.lengths), batch.lengths, rng)
        pitch = network.pitch(batch.pcm, batch.lengths)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, frames = network.encode(mel, pitch, batch.lengths // HOP)
        outputs = network.chars(hidden), network.syllables(hidden)
    result = []
    for logits, labels, targets in (
        (outputs[0], batch.chars, batch.frame_chars),
        (outputs[1], batch.syllables, batch.frame_syllables),
    ):
        log_probs = logits.float().log_softmax(-1)
        ctc = functional.ctc_loss(log_probs.transpose(0, 1), labels, frames, batch.counts, zero_infinity=True)
        count = log_probs.shape[1]
        result += [ctc, _framewise(log_probs, targets[:, :count], batch.frame_weights[:, :count])]
    return result[0], result[2], result[1], result[3]


def adopt(network: Recogniser, path: Path) -> None:
    """Start from another checkpoint: weights of the same name; wider depthwise kernels lose their ends."""
    weights = torch.load(path, weights_only=True)["weights"]
    for name, own in network.state_dict().items():
        if name in weights and weights[name].shape != own.shape:
            layer = int(name.split(".")[1])
            middle = weights[name].shape[2] // 2
            left, right = network.shape.taps[layer]
            weights[name] = weights[name][:, :, middle - left : middle + right + 1]
    network.load_state_dict(weights, strict=False)


def _rate(progress: float, step: int, peak: float) -> float:
    """Warm-up, constant, cosine to zero."""
    fall = (
        1.0 if progress < HOLD else 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - HOLD) / (1 - HOLD))))
    )
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * (fall + 0.004)


def save(network: Recogniser, path: Path) -> None:
    """Checkpoint: shape and weights."""
    torch.save({"shape": asdict(network.shape), "weights": network.state_dict()}, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").rename(path)


def restore(path: Path) -> Recogniser:
    """Network of a checkpoint, ready to measure."""
    saved = torch.load(path, weights_only=True)
    network = Recogniser(Shape(**saved["shape"]))
    network.load_state_dict(saved["weights"])
    network.eval()
    return network


def _optimiser(network: Recogniser) -> torch.optim.AdamW:
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 1e-2}, {"params": vectors, "weight_decay": 0.0}],
        PEAK_RATE,
        betas=(0.9, 0.98),
        fused=True,
    )


class Trainer:
    """Network, data, optimiser and the log of one run."""

    def __init__(self, speech: Path, out: Path, first_shard: int, seed: int, start: Path | None) -> None:
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        vocabulary = load(speech / "vocabulary.json")
        self.out, self.pool = out, Pool(speech, seed, first_shard)
        self.network = Recogniser(Shape(len(vocabulary.chars), len(vocabulary.syllables)))
        self.fresh, self.peak = start is None, PEAK_RATE if start is None else TUNING_RATE
        if start is None:
            normalise(self.network, self.pool)
        else:
            adopt(self.network, start)
        self.optimiser, self.rng = _optimiser(self.network), np.random.default_rng(seed)
        self.step, self.heard_s = 0, 0.0
        self.recent: deque[list[float]] = deque(maxlen=100)

    def advance(self, progress: float) -> None:
        """One step; `progress` runs from 0 to 1 over the run."""
        for group in self.optimiser.param_groups:
            group["lr"] = _rate(progress, self.step, self.peak)
        if self.fresh and self.step < SHORT_STEPS:
            batch = self.pool.draw(BATCH_SAMPLES // 2, SHORT_SAMPLES)
        else:
            batch = self.pool.draw(BATCH_SAMPLES, LONG_SAMPLES)
        parts = losses(self.network, batch, self.rng)
        guide = max(0.25, 3.0 * (1 - progress / 0.4)) if self.fresh else 0.25
        chars, syllables = parts[0] + guide * parts[2], parts[1] + guide * parts[3]
        loss = CHAR_SHARE * chars + (1 - CHAR_SHARE) * syllables
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        if bool(torch.isfinite(norm)):
            self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.heard_s += float(batch.lengths.sum()) / 8000
        self.recent.append([part.item() for part in parts] + [float(norm)])

    def report(self, elapsed_s: float) -> None:
        """Print what was heard and the mean losses; now and then look for new shards and save."""
        means = " ".join(f"{value:.3f}" for value in np.mean(self.recent, axis=0))
        print(
            f"step {self.step} {elapsed_s / 60:.1f} min, heard {self.heard_s / 3600:.1f} h of "
            f"{self.pool.hours:.0f} h, {self.heard_s / elapsed_s:.0f}x real time, "
            f"ctc char/syl, frame char/syl, norm: {means}",
            flush=True,
        )
        if self.step % 200 == 0:
            self.pool.scan()
            save(self.network, self.out / "checkpoint.pt")


def run(
    speech: Path, out: Path, minutes: float, first_shard: int = 0, start: Path | None = None, seed: int = 1
) -> None:
    """Train for `minutes` on the shards in `speech`, from `start` if given, into `out`/checkpoint.pt."""
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(speech, out, first_shard, seed, start)
    begin = time.monotonic()
    while (elapsed_s := time.monotonic() - begin) < minutes * 60:
        trainer.advance(elapsed_s / (minutes * 60))
        if trainer.step % 100 == 0:
            trainer.report(elapsed_s)
    save(trainer.network, out / "checkpoint.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--start", type=Path, help="checkpoint to go on from")
    options = parser.parse_args()
    run(options.speech, options.out, options.minutes, options.first_shard, options.start)
