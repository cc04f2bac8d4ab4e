"""The recogniser's known question: a synthesized utterance, and what the recogniser itself answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
if str(HERE) not in sys.path:
    sys.path.insert(0, str(HERE))

from recogniser import SAMPLE_RATE_HZ, Recogniser  # noqa: E402

TEXT = "您好请问是王先生吗"
TOLERANCES = {"START_MS": 40.0, "END_MS": 40.0, "CONFIDENCE": 0.05}


def build() -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Inputs and outputs as Triton sees them: [1, samples], [1, 1] and [1, units]."""
    pcm: NDArray[np.int16] = np.load(HERE / "canary_pcm.npy")
    units = Recogniser().recognise([pcm])[0]
    if "".join(units.characters) != TEXT:
        raise ValueError(f"heard {''.join(units.characters)!r}, said {TEXT!r}: this model is not fit to ship")
    inputs: dict[str, NDArray[Any]] = {
        "PCM": pcm[None],
        "SAMPLE_RATE": np.array([[SAMPLE_RATE_HZ]], np.int32),
    }
    outputs: dict[str, NDArray[Any]] = {
        "UNITS": np.array([units.characters], dtype=np.object_),
        "START_MS": units.start_ms[None],
        "END_MS": units.end_ms[None],
        "CONFIDENCE": units.confidence[None],
    }
    return inputs, outputs
