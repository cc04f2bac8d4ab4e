"""Recordings for tests, as bytes of real files."""

import io
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CALLS = Path(__file__).resolve().parent.parent / "demo" / "calls"


def demo_call(name: str) -> bytes:
    """The recording of a demonstration call."""
    (path,) = (path for path in CALLS.glob(f"{name}.*") if path.suffix in (".opus", ".wav"))
    return path.read_bytes()


def wav(pcm: NDArray[np.int16], rate_hz: int = 8000) -> bytes:
    """[channels, n] int16 as a PCM WAV."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(len(pcm))
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(np.ascontiguousarray(pcm.T).tobytes())
    return out.getvalue()


def silence(seconds: float, channels: int = 2, rate_hz: int = 8000) -> bytes:
    """Digital silence."""
    return wav(np.zeros((channels, round(seconds * rate_hz)), np.int16), rate_hz)
