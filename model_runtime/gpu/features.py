"""Resampling and log-mel frames on the device, in fp32: the figures of audio.resample and logmel.LogMel."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_runtime import audio, logmel
from model_runtime.gpu.ragged import valid
from model_runtime.spec import ARRAYS_FILE, FrontEnd


class Resampler(nn.Module):
    """Another rate: one convolution with a filter for each phase."""

    def __init__(self, rate_hz: int, wanted_hz: int) -> None:
        super().__init__()
        divisor = math.gcd(rate_hz, wanted_hz)
        self.up, self.down = wanted_hz // divisor, rate_hz // divisor
        self.reach, kernels = 0, np.ones((1, 1), np.float32)
        if self.up != self.down:
            taps, self.reach = audio._phases(self.up, self.down)
            # phase p reads from p · down / up on: its filter is moved there, so that all share one stride
            moves = [phase * self.down // self.up for phase in range(self.up)]
            kernels = np.zeros((self.up, taps.shape[1] + max(moves)), np.float32)
            for phase, move in enumerate(moves):
                kernels[phase, move : move + taps.shape[1]] = taps[phase * self.down % self.up]
        self.register_buffer("kernels", torch.from_numpy(kernels)[:, None])

    def counts(self, samples: Tensor) -> Tensor:
        """Samples at the wanted rate."""
        return (samples * self.up + self.down - 1) // self.down

    def forward(self, pcm: Tensor, samples: Tensor) -> Tensor:
        """[B, W], zero behind its rows' samples, to [B, ⌈W / down⌉ · up], zero behind ``counts``."""
        if self.up == self.down:
            return pcm
        blocks = -(-pcm.shape[1] // self.down)
        right = max(0, (blocks - 1) * self.down + self.kernels.shape[2] - self.reach - pcm.shape[1])
        phases = functional.conv1d(
            functional.pad(pcm, (self.reach, right))[:, None], self.kernels, stride=self.down
        )
        wave = phases[:, :, :blocks].transpose(1, 2).flatten(1)
        return torch.where(valid(self.counts(samples), wave.shape[1]), wave, 0.0)


class LogMel(nn.Module):
    """Frames around multiples of the hop, over zeros: NeMo's."""

    def __init__(self, spec: FrontEnd, folder: Path) -> None:
        super().__init__()
        strange = {
            "framing": spec.framing != "centred",
            "log": spec.log not in ("add", "floor"),
            "normalise": spec.normalise not in ("none", "bins_sample", "bins_population", "all_sample"),
            "preemphasis_over": spec.preemphasis > 0 and spec.preemphasis_over != "signal",
            "stack, skip, remove_mean or seconds": (spec.stack, spec.skip) != (1, 1)
            or spec.remove_mean
            or spec.seconds > 0,
        }
        if any(strange.values()):
            names = ", ".join(name for name, found in strange.items() if found)
            raise ValueError(
                f"a front end with this {names} is not made on a GPU\n"
                "help: serve this model on the CPU; only NeMo's features are made on a GPU"
            )
        self.spec = spec
        with np.load(folder / ARRAYS_FILE) as arrays:
            self.register_buffer("window", torch.from_numpy(arrays["window"].astype(np.float32)))
            self.register_buffer("filters", torch.from_numpy(arrays["filters"].T.astype(np.float32)))

    def forward(self, pcm: Tensor, samples: Tensor, frames: Tensor, width: int) -> Tensor:
        """[B, W] in -1..1 with valid samples and frames [B] to [B, width, bins], zero behind the frames."""
        spec = self.spec
        signal = pcm * spec.full_scale
        if spec.preemphasis:
            signal = signal - spec.preemphasis * functional.pad(signal, (1, -1))
            # the first sample of padding would hear the last one of speech
            signal = torch.where(valid(samples, signal.shape[1]), signal, 0.0)
        reach = spec.frame // 2
        need = (width - 1) * spec.hop + spec.frame - reach - signal.shape[1]
        cut = functional.pad(signal, (reach, max(0, need))).unfold(1, spec.frame, spec.hop)[:, :width]
        spectrum = torch.fft.rfft(cut * self.window, spec.n_fft)
        power = torch.view_as_real(spectrum).square().sum(-1)
        energies = (power if spec.power == 2.0 else power ** (spec.power / 2.0)) @ self.filters
        return self._normalised(self._logarithm(energies), frames)

    def _logarithm(self, energies: Tensor) -> Tensor:
        """Counted from the guard's where that cancels out: fp32 keeps small energies apart there."""
        spec = self.spec
        if spec.log == "floor":
            return energies.clamp_min(spec.guard).log()
        above = torch.log1p(energies / spec.guard)
        return above + math.log(spec.guard) if spec.normalise == "none" else above

    def _normalised(self, mel: Tensor, frames: Tensor) -> Tensor:
        kind, inside = self.spec.normalise, valid(frames, mel.shape[1])[..., None]
        if kind == "none":
            return torch.where(inside, mel, 0.0)
        axes = (1, 2) if kind == "all_sample" else (1,)
        count = frames.clamp_min(1)[:, None, None] * (mel.shape[2] if kind == "all_sample" else 1)
        centred = mel - torch.where(inside, mel, 0.0).sum(axes, keepdim=True) / count
        centred = torch.where(inside, centred, 0.0)
        # a single frame has no sample deviation
        freedom = count if kind == "bins_population" else torch.where(count > 1, count - 1, 1)
        deviation = (centred.square().sum(axes, keepdim=True) / freedom).sqrt()
        return centred / (deviation + logmel._NEMO_DEVIATION_GUARD)
