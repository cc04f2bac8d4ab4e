"""Two synthetic stretches with known answers: prove that the weights and the runtime belong together."""

import runpy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
RATE_HZ, SECONDS = 8000, 0.5
Arrays = dict[str, NDArray[np.generic]]


def build() -> tuple[Arrays, Arrays]:
    """Inputs by name (a buzz of gliding pitch, and its end alone) and the scores these weights give."""
    time = np.arange(int(RATE_HZ * SECONDS)) / RATE_HZ
    phase = 2 * np.pi * (140 * time + 60 * time**2)
    buzz = sum(np.sin(harmonic * phase) / harmonic for harmonic in range(1, 12))
    pcm = np.rint(4000 * buzz * np.sin(np.pi * time / SECONDS) ** 2).astype(np.int16)
    classifier = runpy.run_path(str(FOLDER / "classifier.py"))["EmotionClassifier"](FOLDER, rate_hz=RATE_HZ)
    stretches = [pcm, pcm[len(pcm) // 2 :]]
    inputs: Arrays = {
        "PCM": np.concatenate(stretches)[None],
        "ENDS": np.cumsum([[len(stretch) for stretch in stretches]], axis=1, dtype=np.int32),
        "SAMPLE_RATE": np.array([[RATE_HZ]], np.int32),
    }
    return inputs, {"SCORES": classifier.scores(stretches)[None]}
