"""The encoder of NeMo's Conformer and FastConformer with a CTC head, for inference.

Gulati et al. 2020 (the block), Dai et al. 2019 (relative positions), Rekesh et al. 2023 (subsampling by
depthwise convolutions). Batch norm is folded into the convolution before it; query, key and value are one
product. Padding is closed before every convolution and in attention: a row does not hear its companions.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_runtime.gpu.ragged import valid

_CLOSED = -1e4
"""Finite, so that a row of nothing but padding stays a number; far enough in bf16 too."""


@dataclass(frozen=True)
class Shape:
    """Size of the network; the defaults are those of a FastConformer with 110 million parameters."""

    tokens: int
    bins: int = 80
    layers: int = 17
    width: int = 512
    heads: int = 8
    inner: int = 2048
    kernel: int = 9
    channels: int = 256
    halvings: int = 3
    """Strided convolutions in front, each by two: 3 makes 80 ms of 10 ms frames."""
    depthwise: bool = True
    positions: Literal["relative", "none"] = "relative"
    scaled: bool = False
    """Frames times √width before the first layer."""
    conv_norm: Literal["folded", "layer"] = "folded"
    bias: bool = True

    def steps(self, frames: int) -> int:
        """Steps out of so many frames."""
        for _ in range(self.halvings):
            frames = (frames + 1) // 2
        return frames


class Subsampling(nn.Module):
    """[B, T, bins] to [B, S, width] and its rows' steps."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        channels, groups = shape.channels, shape.channels if shape.depthwise else 1
        self.strided = nn.ModuleList(
            nn.Conv2d(1, channels, 3, 2, 1)
            if number == 0
            else nn.Conv2d(channels, channels, 3, 2, 1, groups=groups)
            for number in range(shape.halvings)
        )
        self.mixing = nn.ModuleList(
            nn.Conv2d(channels, channels, 1) if shape.depthwise and number else nn.Identity()
            for number in range(shape.halvings)
        )
        self.out = nn.Linear(channels * shape.steps(shape.bins), shape.width)

    def forward(self, mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Every convolution sees zeros behind a row's end, as it does behind the tensor's."""
        hidden = mel[:, None]
        for strided, mixing in zip(self.strided, self.mixing, strict=True):
            hidden = hidden * valid(frames, hidden.shape[2])[:, None, :, None]
            hidden = functional.relu(mixing(strided(hidden)))
            frames = (frames + 1) // 2
        return self.out(hidden.transpose(1, 2).flatten(2)), frames


class FeedForward(nn.Module):
    """Half-step feed-forward module."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.width)
        self.rise = nn.Linear(shape.width, shape.inner, shape.bias)
        self.fall = nn.Linear(shape.inner, shape.width, shape.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, S, width] to the residual of the same shape."""
        out: Tensor = self.fall(functional.silu(self.rise(self.norm(hidden))))
        return out


class Attention(nn.Module):
    """Attention of all steps to all; relative positions come in as the bias of the fused kernel."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.size = shape.heads, shape.width // shape.heads
        self.norm = nn.LayerNorm(shape.width)
        self.project = nn.Linear(shape.width, 3 * shape.width, shape.bias)
        self.out = nn.Linear(shape.width, shape.width, shape.bias)
        self.relative = shape.positions == "relative"
        if self.relative:
            self.position = nn.Linear(shape.width, shape.width, bias=False)
            self.content_bias = nn.Parameter(torch.zeros(shape.heads, 1, self.size))
            self.position_bias = nn.Parameter(torch.zeros(shape.heads, 1, self.size))

    def forward(self, hidden: Tensor, closed: Tensor, positions: Tensor | None) -> Tensor:
        """``closed`` [B, 1, 1, S] is added to scores; ``positions`` [2S - 1, width] falls from S - 1."""
        batch, count, width = hidden.shape
        parts = self.project(self.norm(hidden)).view(batch, count, 3, self.heads, self.size)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        bias = closed.expand(batch, self.heads, count, count)
        if self.relative:
            places = self.position(positions).view(-1, self.heads, self.size).permute(1, 2, 0)
            # one product a head over all rows: a product for each row would copy the positions for each
            asking = ((query + self.position_bias) * (1 / math.sqrt(self.size))).transpose(0, 1)
            scores = asking.reshape(self.heads, batch * count, self.size) @ places
            bias = _shifted(scores.view(self.heads, batch, count, -1)) + closed
            query = query + self.content_bias
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, count, width))
        return out


def _shifted(scores: Tensor) -> Tensor:
    """Scores [H, B, S, 2S - 1] over distances to [B, H, S, S] over steps, without a copy.

    Row i starts at distance S - 1 - i, so its start moves on by one place less than a row is long.
    """
    heads, batch, count, distances = scores.shape
    by_head, by_row = scores.stride()[:2]
    return scores.as_strided((batch, heads, count, count), (by_row, by_head, distances - 1, 1), count - 1)


class Convolution(nn.Module):
    """Gated depthwise convolution module."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.width)
        self.gate = nn.Linear(shape.width, 2 * shape.width, shape.bias)
        self.depth = nn.Conv1d(
            shape.width, shape.width, shape.kernel, padding=shape.kernel // 2, groups=shape.width
        )
        self.inner = nn.LayerNorm(shape.width) if shape.conv_norm == "layer" else nn.Identity()
        self.out = nn.Linear(shape.width, shape.width, shape.bias)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """[B, S, width] and mask [B, S, 1] to the residual."""
        gated = functional.glu(self.gate(self.norm(hidden)), dim=-1) * mask
        mixed = self.depth(gated.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.out(functional.silu(self.inner(mixed)))
        return out


class Layer(nn.Module):
    """One conformer block."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.before, self.after = FeedForward(shape), FeedForward(shape)
        self.attention = Attention(shape)
        self.convolution = Convolution(shape)
        self.norm = nn.LayerNorm(shape.width)

    def forward(self, hidden: Tensor, mask: Tensor, closed: Tensor, positions: Tensor | None) -> Tensor:
        """[B, S, width] to the same."""
        hidden = hidden + 0.5 * self.before(hidden)
        hidden = hidden + self.attention(hidden, closed, positions)
        hidden = hidden + self.convolution(hidden, mask)
        hidden = hidden + 0.5 * self.after(hidden)
        out: Tensor = self.norm(hidden)
        return out


class Conformer(nn.Module):
    """Frames to logits."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.subsampling = Subsampling(shape)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.head = nn.Linear(shape.width, shape.tokens)

    def forward(self, mel: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, bins] and valid frames [B] to logits [B, S, tokens] and valid steps [B]."""
        hidden, steps = self.subsampling(mel.to(self.head.weight.dtype), frames)
        if self.shape.scaled:
            hidden = hidden * math.sqrt(self.shape.width)
        inside = valid(steps, hidden.shape[1])
        mask = inside[..., None].to(hidden.dtype)
        closed = torch.where(inside, 0.0, _CLOSED).to(hidden.dtype)[:, None, None]
        positions = (
            self._positions(hidden.shape[1]).to(hidden.dtype) if self.shape.positions == "relative" else None
        )
        for layer in self.layers:
            hidden = layer(hidden, mask, closed, positions)
        return self.head(hidden), steps

    def _positions(self, count: int) -> Tensor:
        """Sine and cosine in turn of distances count - 1 … 1 - count, [2 · count - 1, width], in fp32."""
        device, width = self.head.weight.device, self.shape.width
        frequency = torch.exp(torch.arange(0, width, 2, device=device) * -(math.log(10_000.0) / width))
        angle = torch.arange(count - 1, -count, -1, device=device)[:, None] * frequency
        return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)
