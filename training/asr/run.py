"""Everything in one command: text, speech, training, language model, export, canary, figures.

`python -m training.asr.run --data DIR --out DIR` writes the model into `OUT/asr` (a copy of the model
folder of this repository with new weights) and the figures into `OUT/figures.md`. `--model` names
another folder to start from.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from training import canary
from training.asr import evaluate, export, language, speech, train
from training.asr.corpus import Corpus, writers
from training.asr.vocabulary import load
from training.synth import Synthesizer

CANARY_TEXT, CANARY_VOICE, CANARY_RATE, CANARY_PEAK = "您好，请问是王先生吗", "f3", 300, 9000


def canary_speech(path: Path) -> None:
    """Speak the canary's sentence at 8 kHz."""
    with Synthesizer(8000) as synthesizer:
        pcm, _ = synthesizer.say(CANARY_TEXT, voice=CANARY_VOICE, rate=CANARY_RATE)
    scaled = pcm.astype(np.float32) * (CANARY_PEAK / np.abs(pcm).max())
    np.save(path, scaled.astype(np.int16))


def assemble(data: Path, out: Path, source: Path) -> Path:
    """Put language model, graph, alphabet and canary of `out` into `out`/asr and return that folder."""
    model, shards = out / "asr", out / "speech"
    shutil.copytree(source, model, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    vocabulary = load(shards / "vocabulary.json")
    vocabulary.save(model / "1" / "alphabet.json")
    language.save(model / "1" / "language.npz", Corpus(data, writers=writers(data)), vocabulary)
    export.run(out / "checkpoint.pt", model / "1" / "recogniser.onnx.xz")
    canary_speech(model / "1" / "canary_pcm.npy")
    text = json.dumps(canary.canary(model), ensure_ascii=False, indent=1)
    (model / "canary.json").write_text(text + "\n", encoding="utf8")
    return model


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--hours", type=float, default=120, help="hours of speech to make")
    parser.add_argument("--minutes", type=float, default=84, help="minutes of training")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--model", type=Path, default=Path("model_repository/asr"))
    options = parser.parse_args()
    shards = options.out / "speech"
    speech.run(options.data, shards, options.hours, options.workers)
    train.run(shards, options.out, options.minutes)
    model = assemble(options.data, options.out, options.model)
    figures = evaluate.run(options.data, shards, model, 200)
    (options.out / "figures.md").write_text(figures + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
