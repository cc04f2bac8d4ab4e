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

SHORT_STEPS, SHORT_SAMPLES = 500, 2.6 * 8000
CHAR_SHARE = 0.45
WARM_UP_STEPS = 300
HOLD = 0.35


def normalise(network: Recogniser, pool: Pool) -> None:
    """Set the front end's fixed mean and scale from 40 batches."""
    rows = []
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


def losses(network: Recogniser, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """CTC of characters and syllables, framewise of characters and syllables."""
    with torch.no_grad():
        mel = _mask_spans(network.front(batch.pcm, batch.lengths), batch.lengths, rng)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden, frames = network.encode(mel, batch.lengths // HOP)
        outputs = network.chars(hidden), network.syllables(hidden)
    result = []
    for logits, labels, targets in ((outputs[0], batch.chars, batch.frame_chars),
                                    (outputs[1], batch.syllables, batch.frame_syllables)):
        log_probs = logits.float().log_softmax(-1)
        ctc = functional.ctc_loss(log_probs.transpose(0, 1), labels, frames, batch.counts, zero_infinity=True)
        count = log_probs.shape[1]
        result += [ctc, _framewise(log_probs, targets[:, :count], batch.frame_weights[:, :count])]
    return result[0], result[2], result[1], result[3]


def _rate(progress: float, step: int, peak: float) -> float:
    """Warm-up, constant, cosine to zero."""
    fall = 1.0 if progress < HOLD else 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - HOLD) / (1 - HOLD))))
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
    return network.eval()


def _optimiser(network: Recogniser, peak: float) -> torch.optim.AdamW:
    matrices = [weight for weight in network.parameters() if weight.ndim > 1]
    vectors = [weight for weight in network.parameters() if weight.ndim <= 1]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 1e-2}, {"params": vectors, "weight_decay": 0.0}],
                             peak, betas=(0.9, 0.98), fused=True)


def run(speech: Path, out: Path, minutes: float, peak: float = 2e-3, seconds: float = 80.0, first_shard: int = 0,
        seed: int = 1) -> Recogniser:
    """Train for `minutes` with batches of `seconds` of audio; a checkpoint every 200 steps in `out`."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    vocabulary = load(speech / "vocabulary.json")
    network, pool = Recogniser(Shape(len(vocabulary.chars), len(vocabulary.syllables))), Pool(speech, seed, first_shard)
    normalise(network, pool)
    optimiser, rng = _optimiser(network, peak), np.random.default_rng(seed)
    print(f"{sum(weight.numel() for weight in network.parameters()) / 1e6:.2f} M parameters", flush=True)
    recent: deque[list[float]] = deque(maxlen=100)
    start, heard, step = time.monotonic(), 0.0, 0
    while (elapsed := time.monotonic() - start) < minutes * 60:
        progress = elapsed / (minutes * 60)
        for group in optimiser.param_groups:
            group["lr"] = _rate(progress, step, peak)
        short = step < SHORT_STEPS
        batch = pool.draw(int(seconds * (4000 if short else 8000)), int(SHORT_SAMPLES if short else 160_000))
        parts = losses(network, batch, rng)
        help_weight = max(0.25, 3.0 * (1 - progress / 0.4))
        loss = CHAR_SHARE * (parts[0] + help_weight * parts[2]) + (1 - CHAR_SHARE) * (parts[1] + help_weight * parts[3])
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        if bool(torch.isfinite(norm)):
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        step += 1
        heard += float(batch.lengths.sum()) / 8000
        recent.append([part.item() for part in parts] + [float(norm)])
        if step % 100 == 0:
            means = " ".join(f"{value:.3f}" for value in np.mean(recent, axis=0))
            print(f"step {step} {elapsed / 60:.1f} min, heard {heard / 3600:.1f} h of {pool.hours:.0f} h, "
                  f"{heard / elapsed:.0f}x real time, ctc char/syl, frame char/syl, norm: {means}", flush=True)
        if step % 200 == 0:
            pool.scan()
            save(network, out / "checkpoint.pt")
    save(network, out / "checkpoint.pt")
    return network.eval()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--first-shard", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    run(options.speech, options.out, options.minutes, first_shard=options.first_shard)
