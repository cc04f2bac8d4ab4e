"""The recogniser: log-mel front end, 8× subsampling, six conformer layers with local attention, two CTC
heads.

Everything is in the graph, with fixed constants: PCM in, logits out. Padding is masked before every
convolution and in attention, so an utterance in a padded batch gives what it gives alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

Floats = npt.NDArray[np.float32]
SAMPLE_RATE_HZ = 8000
HOP = 80
WINDOW = 200
FFT = 256
MELS = 64
SUBSAMPLING = 8
FLOOR = 1e-6
PREEMPHASIS = 0.97
PITCH_WINDOW = 512
PITCH_FLOOR = 1e-3
PITCH_BINS = range(4, 97)
PITCH_HZ = np.geomspace(50, 450, 48)
Reaches = tuple[tuple[int, int], ...]
ATTENTION: Reaches = ((3, 1), (4, 0), (4, 0), (4, 0), (4, 0), (3, 0))
TAPS: Reaches = ((2, 2),) * 6


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the network."""

    chars: int
    syllables: int
    width: int = 144
    heads: int = 4
    front_channels: int = 16
    chunk: int = 12
    attention: Reaches = ATTENTION
    taps: Reaches = TAPS


def _mel_filters() -> Floats:
    """Triangular filters [FFT // 2 + 1, MELS], linear below 1 kHz and logarithmic above."""
    step = math.log(6.4) / 27
    top = 15 + math.log(SAMPLE_RATE_HZ / 2 / 1000) / step
    mels = np.linspace(0.9, top, MELS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * step))
    hertz = np.linspace(0, SAMPLE_RATE_HZ / 2, FFT // 2 + 1)[:, None]
    rising = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), np.float32)


def _dft_kernels() -> Floats:
    """Pre-emphasis, Hann window and DFT as convolution kernels [2 * (FFT // 2 + 1), 1, WINDOW + 1]."""
    time = np.arange(WINDOW)
    angle = 2 * np.pi * np.arange(FFT // 2 + 1)[:, None] * time / FFT
    window = np.hanning(WINDOW + 1)[:WINDOW]
    basis = np.concatenate([np.cos(angle), np.sin(angle)]) * window
    kernels = np.zeros((len(basis), WINDOW + 1))
    kernels[:, 1:] = basis
    kernels[:, :-1] -= PREEMPHASIS * basis
    return kernels[:, None].astype(np.float32)


def _pitch_kernels() -> Floats:
    """Hann window and DFT at low frequencies as convolution kernels [2 * bins, 1, PITCH_WINDOW]."""
    angle = 2 * np.pi * np.array(PITCH_BINS)[:, None] * np.arange(PITCH_WINDOW) / PITCH_WINDOW
    kernels = np.concatenate([np.cos(angle), np.sin(angle)]) * np.hanning(PITCH_WINDOW + 1)[:PITCH_WINDOW]
    return np.asarray(kernels[:, None], np.float32)


def _lags() -> Floats:
    """Power of the low bins to autocorrelation at the lags of PITCH_HZ, [bins, lags]."""
    hertz = np.array(PITCH_BINS)[:, None] * SAMPLE_RATE_HZ / PITCH_WINDOW
    return np.cos(2 * np.pi * hertz / PITCH_HZ[None]).astype(np.float32)


def _mask(lengths: Tensor, count: int) -> Tensor:
    """[B, count] with 1.0 where valid."""
    return (torch.arange(count, device=lengths.device)[None] < lengths[:, None]).float()


class FrontEnd(nn.Module):
    """PCM [B, T] in [-1, 1] to normalised log mel [B, MELS, T // HOP]."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", torch.from_numpy(_dft_kernels()))
        self.register_buffer("filters", torch.from_numpy(_mel_filters()))
        self.register_buffer("mean", torch.zeros(MELS))
        self.register_buffer("scale", torch.ones(MELS))

    def log_mel(self, pcm: Tensor, lengths: Tensor) -> Tensor:
        """Log mel energies [B, F, MELS], F = T // HOP."""
        pcm = pcm * _mask(lengths, pcm.shape[1])
        side = (WINDOW - HOP) // 2
        padded = functional.pad(pcm, (side + 1, side))
        spectrum = functional.conv1d(padded[:, None], self.kernels, stride=HOP)
        real, imaginary = spectrum.split(FFT // 2 + 1, dim=1)
        power = (real * real + imaginary * imaginary).transpose(1, 2)
        return torch.log(torch.matmul(power, self.filters) + FLOOR)

    def forward(self, pcm: Tensor, lengths: Tensor) -> Tensor:
        """Normalised with the constants found before training."""
        return ((self.log_mel(pcm, lengths) - self.mean) * self.scale).transpose(1, 2)


class Pitch(nn.Module):
    """PCM [B, T] in [-1, 1] to normalised autocorrelation [B, lags, T // (2 * HOP)]: the voice's period."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernels", torch.from_numpy(_pitch_kernels()))
        self.register_buffer("lags", torch.from_numpy(_lags()))

    def forward(self, pcm: Tensor, lengths: Tensor) -> Tensor:
        """Values in [-1, 1]; near 0 in silence."""
        pcm = pcm * _mask(lengths, pcm.shape[1])
        side = (PITCH_WINDOW - 2 * HOP) // 2
        spectrum = functional.conv1d(
            functional.pad(pcm, (side, side + HOP))[:, None], self.kernels, stride=2 * HOP
        )
        real, imaginary = spectrum.split(len(PITCH_BINS), dim=1)
        power = (real * real + imaginary * imaginary).transpose(1, 2)
        shared = torch.matmul(power, self.lags) / (power.sum(-1, keepdim=True) + PITCH_FLOOR)
        return shared.transpose(1, 2)


class Subsampling(nn.Module):
    """Log mel [B, MELS, F] to [B, ceil(F / 8), width]: 2-D convolution, then two strided 1-D convolutions."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, channels, 3, stride=2, padding=1)
        self.second = nn.Conv1d(channels * MELS // 2, width, 3, stride=2, padding=1)
        self.third = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.melody = nn.Conv1d(len(PITCH_HZ), len(PITCH_HZ), 3, padding=1)
        self.tone = nn.Conv1d(len(PITCH_HZ), width, 3, stride=2, padding=1, bias=False)
        nn.init.zeros_(self.tone.weight)
        self.norm = nn.LayerNorm(width)

    def forward(self, mel: Tensor, pitch: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Also returns the new lengths [B]."""
        mel = mel * _mask(lengths, mel.shape[2])[:, None]
        hidden = functional.relu(self.first(mel[:, None])).flatten(1, 2)
        lengths = (lengths + 1) // 2
        mask = _mask(lengths, hidden.shape[2])[:, None]
        melody = functional.relu(self.melody(pitch * mask)) * mask
        hidden = functional.silu(self.second(hidden * mask) + self.tone(melody))
        lengths = (lengths + 1) // 2
        hidden = functional.silu(self.third(hidden * _mask(lengths, hidden.shape[2])[:, None]))
        return self.norm(hidden.transpose(1, 2)), (lengths + 1) // 2


class FeedForward(nn.Module):
    """Half-step feed-forward module."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.rise = nn.Linear(width, 4 * width)
        self.fall = nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, T, width] to the residual of the same shape."""
        out: Tensor = self.fall(functional.silu(self.rise(self.norm(hidden))))
        return out


class Attention(nn.Module):
    """Multi-head attention with rotary positions; `bias` [B, 1, T, T] closes what must not be seen."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, hidden: Tensor, bias: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """[B, T, width] to the residual of the same shape; cosine and sine are [T, width // heads // 2]."""
        batch, count, width = hidden.shape
        parts = self.project(self.norm(hidden)).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        query, key = _rotate(query, cosine, sine), _rotate(key, cosine, sine)
        scores = torch.matmul(query, key.transpose(2, 3)) / math.sqrt(width // self.heads) + bias
        mixed = torch.matmul(scores.softmax(-1), value)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        return out


def _rotate(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position: [B, H, T, D]."""
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], dim=-1)


class Convolution(nn.Module):
    """Gated depthwise convolution module."""

    def __init__(self, width: int, reach: tuple[int, int]) -> None:
        super().__init__()
        self.reach = reach
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Linear(width, 2 * width)
        self.depth = nn.Conv1d(width, width, sum(reach) + 1, groups=width)
        self.inner = nn.LayerNorm(width)
        self.out = nn.Linear(width, width)

    def forward(self, hidden: Tensor, mask: Tensor, room: Tensor | None) -> Tensor:
        """[B, T, width] and mask [B, T] to the residual [B, T, width]; `room`: frames left in the chunk."""
        gated = functional.glu(self.gate(self.norm(hidden)), dim=-1) * mask[..., None]
        if room is None:
            mixed = self.depth(functional.pad(gated.transpose(1, 2), self.reach)).transpose(1, 2)
        else:
            count = gated.shape[1]
            padded = functional.pad(gated, (0, 0, *self.reach))
            mixed = self.depth.bias
            for tap in range(sum(self.reach) + 1):
                piece = padded[:, tap : tap + count] * self.depth.weight[:, 0, tap]
                ahead = tap - self.reach[0]
                mixed = mixed + (piece * (room >= ahead)[:, None] if ahead > 0 else piece)
        out: Tensor = self.out(functional.silu(self.inner(mixed)))
        return out


class Layer(nn.Module):
    """One conformer layer."""

    def __init__(self, shape: Shape, number: int) -> None:
        super().__init__()
        self.before = FeedForward(shape.width)
        self.attention = Attention(shape.width, shape.heads)
        self.convolution = Convolution(shape.width, shape.taps[number])
        self.after = FeedForward(shape.width)
        self.norm = nn.LayerNorm(shape.width)

    def forward(
        self, hidden: Tensor, mask: Tensor, bias: Tensor, cosine: Tensor, sine: Tensor, room: Tensor | None
    ) -> Tensor:
        """[B, T, width] to the same."""
        hidden = hidden + 0.5 * self.before(hidden)
        hidden = hidden + self.attention(hidden, bias, cosine, sine)
        hidden = hidden + self.convolution(hidden, mask, room)
        hidden = hidden + 0.5 * self.after(hidden)
        out: Tensor = self.norm(hidden)
        return out


class Recogniser(nn.Module):
    """PCM [B, T] in [-1, 1] at 8 kHz and LENGTHS [B] to both heads' logits [B, frames, classes]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.front = FrontEnd()
        self.pitch = Pitch()
        self.subsampling = Subsampling(shape.width, shape.front_channels)
        self.layers = nn.ModuleList(Layer(shape, number) for number in range(len(shape.attention)))
        self.chars = nn.Linear(shape.width, shape.chars + 1)
        self.syllables = nn.Linear(shape.width, shape.syllables + 1)
        half = shape.width // shape.heads // 2
        self.register_buffer("frequencies", 1.0 / 100.0 ** (torch.arange(half) / half), persistent=False)

    def encode(self, mel: Tensor, pitch: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised log mel [B, MELS, F] and frame counts [B] to hidden [B, T, width] and counts [B]."""
        hidden, lengths = self.subsampling(mel, pitch, lengths)
        mask = _mask(lengths, hidden.shape[1])
        frame = torch.arange(hidden.shape[1], device=hidden.device)
        angle = frame.float()[:, None] * self.frequencies
        chunk = self.shape.chunk
        first = frame // chunk * chunk
        room = None if chunk == 1 else first + chunk - 1 - frame
        for layer, (left, right) in zip(self.layers, self.shape.attention, strict=True):
            near = (frame[None] >= frame[:, None] - left) & (
                frame[None] <= first[:, None] + chunk - 1 + right
            )
            bias = (near.float()[None] * mask[:, None] - 1.0)[:, None] * 1e4
            hidden = layer(hidden, mask, bias, angle.cos(), angle.sin(), room)
        return hidden, lengths

    def forward(self, pcm: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of both heads and valid output frames [B]."""
        mel, pitch = self.front(pcm, lengths), self.pitch(pcm, lengths)
        hidden, frames = self.encode(mel, pitch, lengths // HOP)
        return self.chars(hidden), self.syllables(hidden), frames
