"""Log-mel frames as NeMo, Kaldi, FunASR and Whisper make them: one road, told apart by the spec's numbers."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_runtime.audio import Samples
from model_runtime.spec import ARRAYS_FILE, FrontEnd

Frames = NDArray[np.float32]
Doubles = NDArray[np.float64]

_NEMO_DEVIATION_GUARD = 1e-5
_WHISPER_RANGE = 8.0


class LogMel:
    """Makes frames of one segment at a time; knows no state between segments."""

    def __init__(self, spec: FrontEnd, folder: Path) -> None:
        """Load window and filters from ``folder``."""
        self._spec = spec
        with np.load(folder / ARRAYS_FILE) as arrays:
            self._window = arrays["window"].astype(np.float64)
            self._filters = np.ascontiguousarray(arrays["filters"].T, np.float64)
            self._shift, self._factor = (
                arrays[name].astype(np.float32) if name in arrays.files else np.zeros(0, np.float32)
                for name in ("shift", "factor")
            )

    def __call__(self, samples: Samples) -> Frames:
        """Frames [T, bins · stack] of samples in -1..1 at the model's rate."""
        spec = self._spec
        signal = samples.astype(np.float64) * spec.full_scale
        wanted = round(spec.seconds * spec.rate_hz)
        if wanted:
            signal = np.pad(signal[:wanted], (0, max(0, wanted - len(signal))))
        energies = self._spectrum(self._windows(signal)) @ self._filters
        return self._stacked(self._normalised(self._logarithm(energies)).astype(np.float32))

    def _windows(self, signal: Doubles) -> Doubles:
        spec = self._spec
        if spec.preemphasis and spec.preemphasis_over == "signal":
            signal = np.concatenate([signal[:1], signal[1:] - spec.preemphasis * signal[:-1]])
        frames = _cut(signal, spec)
        if spec.remove_mean:
            frames = frames - frames.mean(1, keepdims=True)
        if spec.preemphasis and spec.preemphasis_over == "frame":
            before = np.concatenate([frames[:, :1], frames[:, :-1]], 1)
            frames = frames - spec.preemphasis * before
        windows: Doubles = frames * self._window
        return windows

    def _spectrum(self, frames: Doubles) -> Doubles:
        power: Doubles = np.abs(np.fft.rfft(frames, self._spec.n_fft, axis=1)) ** self._spec.power
        return power

    def _logarithm(self, energies: Doubles) -> Doubles:
        guard = self._spec.guard
        loudness: Doubles
        if self._spec.log == "add":
            loudness = np.log(energies + guard)
        elif self._spec.log == "floor":
            loudness = np.log(np.maximum(energies, guard))
        else:
            loudness = np.log10(np.maximum(energies, guard))
            loudness = (np.maximum(loudness, loudness.max() - _WHISPER_RANGE) + 4.0) / 4.0
        return loudness

    def _normalised(self, mel: Doubles) -> Doubles:
        kind = self._spec.normalise
        if kind in ("none", "fixed") or not len(mel):
            return mel
        axis = None if kind == "all_sample" else 0
        count = mel.size if axis is None else len(mel)
        lost = 0 if kind == "bins_population" or count == 1 else 1
        deviation = mel.std(axis, ddof=lost, keepdims=True)
        answer: Doubles = (mel - mel.mean(axis, keepdims=True)) / (deviation + _NEMO_DEVIATION_GUARD)
        return answer

    def _stacked(self, mel: Frames) -> Frames:
        spec = self._spec
        if spec.stack > 1 or spec.skip > 1:
            mel = _stack(mel, spec.stack, spec.skip, padded=spec.stack_padded)
        return (mel + self._shift) * self._factor if spec.normalise == "fixed" else mel


def _cut(signal: Doubles, spec: FrontEnd) -> Doubles:
    """Frames [T, frame] as ``spec.framing`` says."""
    if spec.framing == "whole":
        padded, count = signal, max(0, 1 + (len(signal) - spec.frame) // spec.hop)
    elif spec.framing == "mirrored":
        count = (len(signal) + spec.hop // 2) // spec.hop
        reach = spec.frame // 2 - spec.hop // 2
        padded = np.pad(signal, (reach, spec.frame + spec.hop), "symmetric")
    else:
        count, reach = len(signal) // spec.hop, spec.frame // 2
        padded = np.pad(signal, reach, "reflect" if spec.framing == "reflected" else "constant")
    if not count:
        return np.zeros((0, spec.frame))
    return np.lib.stride_tricks.sliding_window_view(padded, spec.frame)[: count * spec.hop : spec.hop][:count]


def _stack(mel: Frames, stack: int, skip: int, *, padded: bool) -> Frames:
    """[T, bins] → [T / skip, stack · bins]; padded: ceil, the edge frames repeated."""
    count = -(-len(mel) // skip) if padded else max(0, (len(mel) - stack) // skip + 1)
    first = (stack - 1) // 2 if padded else 0
    places = np.arange(count)[:, None] * skip + np.arange(stack)[None, :] - first
    return mel[np.clip(places, 0, len(mel) - 1)].reshape(count, -1)
