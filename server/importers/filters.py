"""Windows and mel filter banks, written beside a network so that the runtime needs no formula for them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_runtime.spec import ARRAYS_FILE

Array = NDArray[np.float64]


def kaldi_window(kind: str, samples: int) -> Array:
    """Kaldi's windows: symmetric, but for ``hann``, which is periodic in kaldi-native-fbank."""
    turn = 2 * np.pi * np.arange(samples) / (samples if kind == "hann" else samples - 1)
    if kind == "hamming":
        hamming: Array = 0.54 - 0.46 * np.cos(turn)
        return hamming
    bell: Array = 0.5 - 0.5 * np.cos(turn)
    return bell**0.85 if kind == "povey" else bell


def kaldi_filters(bins: int, n_fft: int, rate_hz: int, low_hz: float, high_hz: float) -> Array:
    """Triangles [bins, n_fft / 2 + 1] even and straight in Kaldi's mel; ``high_hz`` ≤ 0 counts from Nyquist.

    Source: Kaldi, feat/mel-computations.
    """

    def mel(hz: Array) -> Array:
        steps: Array = 1127.0 * np.log1p(hz / 700.0)
        return steps

    low, high = mel(np.array([low_hz, high_hz if high_hz > 0 else rate_hz / 2 + high_hz]))
    edges = np.linspace(float(low), float(high), bins + 2)
    filters = _triangles(edges, mel(np.arange(n_fft // 2 + 1) * rate_hz / n_fft))
    filters[:, -1] = 0.0
    return filters


def slaney_filters(bins: int, n_fft: int, rate_hz: int) -> Array:
    """Triangles [bins, n_fft / 2 + 1] of area one from 0 Hz to Nyquist, even in Slaney's mel, straight in Hz.

    Source: Slaney, Auditory Toolbox (1998): linear to 1 kHz, 27 steps for a factor of 6.4 above.
    """
    steps = np.linspace(0.0, 15.0 + np.log(rate_hz / 2000.0) * 27.0 / np.log(6.4), bins + 2)
    edges = np.where(steps < 15.0, steps * 200.0 / 3.0, 1000.0 * np.exp((steps - 15.0) * np.log(6.4) / 27.0))
    filters = _triangles(edges, np.arange(n_fft // 2 + 1) * rate_hz / n_fft)
    areas: Array = filters * (2.0 / (edges[2:] - edges[:-2]))[:, None]
    return areas


def _triangles(edges: Array, lines: Array) -> Array:
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (lines - left) / (centre - left), (right - lines) / (right - centre)
    slopes: Array = np.maximum(0.0, np.minimum(rising, falling))
    return slopes


def write_arrays(folder: Path, window: Array, filters: Array, **more: NDArray[np.float32]) -> None:
    """Write ``frontend.npz``."""
    np.savez_compressed(folder / ARRAYS_FILE, window=window, filters=filters, **more)
