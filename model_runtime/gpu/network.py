"""What the engine runs: samples to features in fp32, features to scores in the network's own type."""

from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from model_runtime.gpu.conformer import Conformer, Shape
from model_runtime.gpu.features import LogMel, Resampler
from model_runtime.recogniser import SHORTEST_MS
from model_runtime.spec import Spec

WEIGHTS_FILE = "encoder.pt"
"""``shape`` (the fields of conformer.Shape) and ``state`` (Conformer's tensors, fp32)."""

Features = tuple[Tensor, ...]


class Network(Protocol):
    """A recogniser's network for segments of one sample rate; all shapes follow from rows and width."""

    def frames(self, samples: int) -> int:
        """Feature frames of a segment."""

    def room(self, width: int) -> int:
        """Samples of a row that is ``width`` frames wide."""

    def features(self, pcm: Tensor, samples: Tensor, width: int) -> Features:
        """What ``scores`` takes, out of samples [B, room] in -1..1 and their counts [B]."""

    def scores(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits or log probabilities [B, S, tokens], and the steps [B] that are the segments' own."""


class MelNetwork(nn.Module):
    """Log mel frames and a Conformer."""

    def __init__(self, front: LogMel, conformer: Conformer, rate_hz: int) -> None:
        super().__init__()
        self.front, self.conformer = front, conformer
        self.resampler = Resampler(rate_hz, front.spec.rate_hz)
        self.shortest = front.spec.rate_hz * SHORTEST_MS // 1000

    def frames(self, samples: int) -> int:
        """A segment shorter than SHORTEST_MS is heard with silence behind it."""
        count = -(-samples * self.resampler.up // self.resampler.down)
        return max(count, self.shortest) // self.front.spec.hop

    def room(self, width: int) -> int:
        """One hop more than the frames: the last window reaches beyond its frame."""
        return -(-(width + 1) * self.front.spec.hop * self.resampler.down // self.resampler.up)

    def features(self, pcm: Tensor, samples: Tensor, width: int) -> Features:
        """Log mel frames and their counts."""
        wave = self.resampler(pcm, samples)
        count = self.resampler.counts(samples).clamp_min(self.shortest)
        frames = count // self.front.spec.hop
        return self.front(wave, count, frames, width), frames

    def scores(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and steps."""
        scored: tuple[Tensor, Tensor] = self.conformer(*features)
        return scored


def load(folder: Path, spec: Spec, rate_hz: int, device: torch.device, dtype: torch.dtype) -> MelNetwork:
    """The network of a model folder, on the device, for segments of one rate.

    Raises:
        ValueError: the folder's front end is not made on a GPU.
    """
    if spec.front_end is None:
        raise ValueError("model.json has no front_end: it is not a recogniser's")
    content: dict[str, Any] = torch.load(folder / WEIGHTS_FILE, map_location="cpu", weights_only=True)
    conformer = Conformer(Shape(**content["shape"]))
    conformer.load_state_dict(content["state"])
    network = MelNetwork(LogMel(spec.front_end, folder), conformer.to(dtype), rate_hz)
    network.to(device).eval()
    return network
