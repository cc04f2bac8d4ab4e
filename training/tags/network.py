"""The encoder: characters and their sounds, turn by turn, then each turn among the turns before it.

It works on overlapping groups of STRIDE characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.tags.letters import STRIDE, TURNS_BEFORE, WINDOW

SUMMARIES = 4
"""Vectors by which a turn is known to the turns behind it."""
VECTOR = 128
"""Width of a turn's vector."""


@dataclass(frozen=True)
class Size:
    """Widths and depths."""

    letters: int = 128
    width: int = 192
    inner: int = 576
    heads: int = 4
    layers: int = 3


class Attention(nn.Module):
    """Queries of one sequence over keys of another."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self._heads = size.heads
        self.query = nn.Linear(size.width, size.width)
        self.key_value = nn.Linear(size.width, 2 * size.width)
        self.out = nn.Linear(size.width, size.width)

    def forward(self, asking: Tensor, key_value: Tensor, allowed: Tensor) -> Tensor:
        """[B, T, d] answers; ``key_value`` [B, S, 2d] is projected already, ``allowed`` [B, S] are real."""
        batch, length, width = asking.shape
        key, value = key_value.chunk(2, dim=-1)
        query, key, value = (self._split(x) for x in (self.query(asking), key, value))
        scores = query @ key.transpose(-1, -2) / (width // self._heads) ** 0.5
        scores = scores.masked_fill(~allowed[:, None, None, :], -1e4)
        mixed = scores.softmax(-1) @ value
        answer: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return answer

    def _split(self, x: Tensor) -> Tensor:
        return x.view(x.shape[0], x.shape[1], self._heads, -1).transpose(1, 2)


class Block(nn.Module):
    """Attention and a hidden layer, each normed before and added after."""

    def __init__(self, size: Size, drop: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size.width)
        self.attention = Attention(size)
        self.inner_norm = nn.LayerNorm(size.width)
        self.inner = nn.Sequential(
            nn.Linear(size.width, size.inner), nn.GELU(), nn.Linear(size.inner, size.width)
        )
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor, allowed: Tensor, key_value: Tensor | None = None) -> Tensor:
        """Self-attention, or over ``key_value`` where given."""
        normed = self.norm(x)
        if key_value is None:
            key_value = self.attention.key_value(normed)
        x = x + self.drop(self.attention(normed, key_value, allowed))
        answer: Tensor = x + self.drop(self.inner(self.inner_norm(x)))
        return answer


class TurnEncoder(nn.Module):
    """Turns alone: ids of characters, sounds and roles to states [U, T / STRIDE, d]."""

    def __init__(self, characters: int, sounds: int, size: Size, drop: float) -> None:
        super().__init__()
        self.characters = nn.Embedding(characters, size.letters, padding_idx=0)
        self.sounds = nn.Embedding(sounds, size.letters, padding_idx=0)
        self.roles = nn.Embedding(3, size.letters)
        self.near = nn.Conv1d(size.letters, size.width, 3, padding=1)
        self.pair = nn.Conv1d(size.width, size.width, 2 * STRIDE, stride=STRIDE, padding=1)
        self.places = nn.Parameter(torch.randn(WINDOW // STRIDE, size.width) * 0.02)
        self.blocks = nn.ModuleList(Block(size, drop) for _ in range(size.layers))
        self.norm = nn.LayerNorm(size.width)
        self.drop = nn.Dropout(drop)

    def forward(self, characters: Tensor, sounds: Tensor, roles: Tensor) -> tuple[Tensor, Tensor]:
        """States and which of them are real [U, T / STRIDE]; T is a multiple of STRIDE."""
        real = characters > 0
        x = self.characters(characters) + self.sounds(sounds) + self.roles(roles)[:, None]
        x = (self.drop(x) * real[..., None]).transpose(1, 2)
        x = functional.gelu(self.near(x)) * real[:, None]
        x = self.pair(x).transpose(1, 2)
        allowed = real[:, ::STRIDE]
        x = self.drop(x + self.places[: x.shape[1]])
        for block in self.blocks:
            x = block(x, allowed)
        return self.norm(x), allowed


class Tagger(nn.Module):
    """Turns among the turns before them: a logit for each tag, and a vector for each turn alone."""

    def __init__(
        self, characters: int, sounds: int, tags: int, *, size: Size, vector: int, drop: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = TurnEncoder(characters, sounds, size, drop)
        self.vector = nn.Linear(size.width, vector)
        self.gist = nn.Linear(size.width, SUMMARIES)
        self.ages = nn.Parameter(torch.randn(TURNS_BEFORE, size.width) * 0.02)
        self.call_block = Block(size, drop)
        self.last_norm = nn.LayerNorm(size.width)
        self.evidence = nn.Linear(size.width, 2 * tags)

    def vectors(self, states: Tensor, real: Tensor) -> Tensor:
        """[U, v] means of the states, projected; not normed."""
        share = real.float() / real.float().sum(1, keepdim=True).clamp(min=1)
        answer: Tensor = self.vector((states * share[..., None]).sum(1))
        return answer

    def gists(self, states: Tensor, real: Tensor) -> Tensor:
        """[U, SUMMARIES, 2d] keys and values of weighted means of the states: what later turns see."""
        heed = self.gist(states).masked_fill(~real[..., None], -1e4).softmax(1)
        seen: Tensor = self.call_block.attention.key_value(heed.transpose(1, 2) @ states)
        return seen

    def tag(self, states: Tensor, real: Tensor, gists: Tensor, before: Tensor) -> Tensor:
        """Logits [B, N] of turns.

        Args:
            states: [B, T, d] of the turns themselves.
            real: [B, T]
            gists: [U, SUMMARIES, 2d] of all turns of their calls.
            before: [B, TURNS_BEFORE] places in 0..U-1 of the turns before each, the last one first, or -1.
        """
        place, known = before.clamp(min=0), before >= 0
        allowed = torch.cat([known.repeat_interleave(SUMMARIES, 1), real], 1)
        project = self.call_block.attention.key_value
        aged = gists[place] + functional.linear(self.ages, project.weight)[:, None]
        own = project(self.call_block.norm(states))
        seen = torch.cat([aged.reshape(states.shape[0], TURNS_BEFORE * SUMMARIES, -1), own], 1)
        x = self.last_norm(self.call_block(states, allowed, seen))
        said, heed = self.evidence(x).chunk(2, dim=-1)
        logits: Tensor = (said * heed.masked_fill(~real[..., None], -1e4).softmax(1)).sum(1)
        return logits
