"""The starter recogniser behind the engine of model_runtime/gpu: encoder and the character head's best path.

The served starter reads both heads with a language model on the CPU; this is the encoder's side of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from training.asr.network import HOP, SAMPLE_RATE_HZ, Recogniser

SHORTEST_SAMPLES, PADDING_SAMPLES = 640, 1600
"""As the served recogniser pads."""
BLANK = 0


class StarterNetwork(nn.Module):
    """model_runtime.gpu.network.Network over the starter; bf16 by autocast, features in fp32."""

    rate_hz = SAMPLE_RATE_HZ

    def __init__(self, recogniser: Recogniser, dtype: torch.dtype) -> None:
        super().__init__()
        self.recogniser, self.dtype = recogniser, dtype

    def frames(self, samples: int) -> int:
        """Frames with the silence behind a segment."""
        return -(-(max(samples, SHORTEST_SAMPLES) + PADDING_SAMPLES) // HOP)

    def room(self, width: int) -> int:
        """Samples of a row."""
        return width * HOP

    def features(self, pcm: Tensor, samples: Tensor, width: int) -> tuple[Tensor, ...]:
        """Log mel, pitch and frame counts."""
        counts = samples.clamp_min(SHORTEST_SAMPLES) + PADDING_SAMPLES
        return self.recogniser.front(pcm, counts), self.recogniser.pitch(pcm, counts), counts // HOP

    def scores(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of characters and steps."""
        device = features[0].device.type
        with torch.autocast(device, self.dtype, enabled=self.dtype != torch.float32):
            hidden, steps = self.recogniser.encode(*features)
            return self.recogniser.chars(hidden), steps
