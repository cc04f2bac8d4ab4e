"""Batches of training audio from the shards, all kept in memory as A-law bytes."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from training.asr.disturb import VOICES, Disturber
from training.synth import alaw_decode

Array = npt.NDArray[Any]
FRAME_SAMPLES = 640
SPEECH_WEIGHT, BLANK_WEIGHT = 1.0, 0.3


@dataclass(slots=True)
class Batch:
    """PCM [B, T], lengths [B], frame targets and weights [B, F], labels and their counts [B]."""

    pcm: Tensor
    lengths: Tensor
    frame_chars: Tensor
    frame_syllables: Tensor
    frame_weights: Tensor
    chars: Tensor
    syllables: Tensor
    counts: Tensor


@dataclass(slots=True)
class Segment:
    """One segment as stored: A-law bytes [n], class numbers [u], times [u, 2] in ms."""

    audio: Array
    chars: Array
    syllables: Array
    times_ms: Array


def read_shard(path: Path) -> list[Segment]:
    """The segments of one shard."""
    with np.load(path) as file:
        audio, chars, syllables, times = file["audio"], file["chars"], file["syllables"], file["times_ms"]
        ends, units = file["ends"], file["unit_ends"]
    starts, firsts = np.concatenate([[0], ends[:-1]]), np.concatenate([[0], units[:-1]])
    return [
        Segment(audio[a:b], chars[c:d], syllables[c:d], times[c:d])
        for a, b, c, d in zip(starts, ends, firsts, units, strict=True)
    ]


def _decoded(segment: Segment) -> Array:
    return alaw_decode(segment.audio).astype(np.float32) / np.float32(32768)


class Pool:
    """All shards of a folder; `scan` picks up new ones while they are still being made."""

    def __init__(self, folder: Path, seed: int, first_shard: int = 0) -> None:
        self._folder, self._first = folder, first_shard
        self.rng, self.noise = random.Random(seed), np.random.default_rng(seed)
        self._disturb = Disturber(self.noise)
        self._seen: set[Path] = set()
        self.segments: list[Segment] = []
        self._order = self._lengths = np.zeros(0, np.int64)
        self.scan()

    def scan(self) -> None:
        """Load shards that appeared since the last scan."""
        for path in sorted(self._folder.glob("shard????.npz"))[self._first :]:
            if path not in self._seen:
                self._seen.add(path)
                self.segments.extend(read_shard(path))
        lengths = np.array([len(segment.audio) for segment in self.segments])
        self._order = np.argsort(lengths, kind="stable")
        self._lengths = lengths[self._order]

    @property
    def hours(self) -> float:
        """Audio in memory."""
        return float(self._lengths.sum()) / 8000 / 3600

    def draw(self, samples: int, longest: int) -> Batch:
        """A batch of about `samples` samples, of segments of similar length up to `longest`."""
        limit = int(np.searchsorted(self._lengths, longest))
        position = int(limit * self.rng.random() ** 0.6)
        chosen: list[Segment] = []
        while position < limit:
            length = self._lengths[position]
            if length * (len(chosen) + 1) > samples and chosen:
                break
            chosen.append(self.segments[self._order[position]])
            position += self.rng.choice((1, 1, 2, 3))
        return self.collate(chosen) if chosen else self.draw(samples, longest)

    def collate(self, chosen: list[Segment]) -> Batch:
        """Pad, decode and augment."""
        lengths = np.array([len(segment.audio) for segment in chosen])
        width = int(-(-lengths.max() // FRAME_SAMPLES) * FRAME_SAMPLES)
        pcm = np.zeros((len(chosen), width), np.float32)
        frames = width // FRAME_SAMPLES
        targets = np.zeros((2, len(chosen), frames), np.int64)
        weights = np.zeros((len(chosen), frames), np.float32)
        for row, segment in enumerate(chosen):
            pcm[row, : lengths[row]] = self._signal(segment)
            self._frame_targets(segment, targets[:, row], weights[row], int(lengths[row]) // FRAME_SAMPLES)
        return Batch(
            torch.from_numpy(pcm),
            torch.from_numpy(lengths),
            torch.from_numpy(targets[0]),
            torch.from_numpy(targets[1]),
            torch.from_numpy(weights),
            torch.from_numpy(np.concatenate([segment.chars for segment in chosen]).astype(np.int64)),
            torch.from_numpy(np.concatenate([segment.syllables for segment in chosen]).astype(np.int64)),
            torch.tensor([len(segment.chars) for segment in chosen]),
        )

    def _signal(self, segment: Segment) -> Array:
        """Decode, disturb, change the level by up to ±8 dB and sometimes add faint white noise."""
        signal = _decoded(segment)
        others: list[Array] = []
        if len(segment.chars) and self.rng.random() < VOICES:
            others = [_decoded(self.rng.choice(self.segments)) for _ in range(self.rng.choice((1, 1, 2, 4)))]
        if len(segment.chars):
            signal = self._disturb(signal, others)
        signal = signal * np.float32(10 ** (self.rng.uniform(-8, 8) / 20))
        if self.rng.random() < 0.5:
            level = np.float32(10 ** (self.rng.uniform(-95, -60) / 20))
            signal += self.noise.standard_normal(len(signal), np.float32) * level
        return np.clip(signal, -1, 1)

    @staticmethod
    def _frame_targets(segment: Segment, targets: Array, weights: Array, frames: int) -> None:
        """Mark the frame at 60 % of each syllable; blank elsewhere with a lower weight."""
        if len(segment.times_ms) and segment.times_ms.min() < 0:
            return
        weights[:frames] = BLANK_WEIGHT
        last = -1
        centres = segment.times_ms[:, 0] * 0.4 + segment.times_ms[:, 1] * 0.6
        for centre_ms, char, syllable in zip(centres, segment.chars, segment.syllables, strict=True):
            frame = max(last + 1, round(float(centre_ms) * 8 / FRAME_SAMPLES - 0.5))
            if frame >= frames:
                break
            targets[0, frame], targets[1, frame], weights[frame], last = char, syllable, SPEECH_WEIGHT, frame
