"""Pick the decoder's weights on a development writer whose text the language model has not seen.

`python -m training.asr.tune --data DIR --speech DIR --work DIR --model model_repository/asr`: the
trigram is rebuilt from the other writers and measured on speech of writer 6. Prints the error of each;
the best goes into `Weights` by hand.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import shutil
from pathlib import Path
from typing import Any

from training.asr import language
from training.asr.corpus import Corpus, sentences, writers
from training.asr.evaluate import align, calibration, recogniser, synthesized
from training.asr.vocabulary import load

DEVELOPMENT_WRITER = 6
TEMPERATURES = (0.6, 0.8, 1.0, 1.3, 1.6, 2.0)
GRID: dict[str, tuple[float, ...]] = {
    "syllable": (0.5, 0.6, 0.7, 0.8),
    "language": (0.2, 0.3, 0.4, 0.5),
    "bonus": (1.5, 2.0, 2.5, 3.0),
    "tone_cost": (0.7, 1.0, 1.5, 2.5),
    "reading": (0.15, 0.3, 0.5),
    "speaks": (0.1, 0.2, 0.3),
}


def _error(module: Any, model: Any, rows: list[Any], texts: list[str], alphabet: str, weights: Any) -> float:
    """Character error in % with the given weights."""
    errors = 0
    for (chars, syllables), text in zip(rows, texts, strict=True):
        heard = module.decode(
            chars, syllables, model.readings, model.trigram, model.no_context, weights
        ).chars
        errors += align([alphabet[char - 1] for char in heard], text)[0]
    return 100 * errors / sum(map(len, texts))


def _gap(module: Any, model: Any, rows: list[Any], texts: list[str], alphabet: str, weights: Any) -> float:
    """Expected calibration error of the confidences with the given weights."""
    sure: list[tuple[float, bool]] = []
    for (chars, syllables), text in zip(rows, texts, strict=True):
        units = module.decode(chars, syllables, model.readings, model.trigram, model.no_context, weights)
        _, matched = align([alphabet[char - 1] for char in units.chars], text)
        sure += [(float(value), place >= 0) for value, place in zip(units.confidence, matched, strict=True)]
    return calibration(sure)


def run(data: Path, speech: Path, work: Path, model_folder: Path, count: int) -> None:
    """Coordinate search over GRID, two rounds."""
    vocabulary = load(speech / "vocabulary.json")
    shutil.copytree(model_folder, work, dirs_exist_ok=True)
    others = tuple(writer for writer in writers(data) if writer != DEVELOPMENT_WRITER)
    language.save(work / "1" / "language.npz", Corpus(data, writers=others), vocabulary)
    model, module = recogniser(work), importlib.import_module("ctc_decoder")
    texts = sentences(data, (DEVELOPMENT_WRITER,))
    items = synthesized(vocabulary, texts, count, 201, False, False)
    items += synthesized(vocabulary, texts, count // 2, 202, False, True)
    rows = model.log_probabilities([item.pcm for item in items])
    said, alphabet = [item.text for item in items], "".join(vocabulary.chars)
    best = model.weights
    score = _error(module, model, rows, said, alphabet, best)
    print(f"start {score:.2f} {best}", flush=True)
    for _, (name, values) in itertools.product(range(2), GRID.items()):
        for value in values:
            weights = best._replace(**{name: value})
            error = _error(module, model, rows, said, alphabet, weights)
            if error < score:
                best, score = weights, error
        print(f"{name} {getattr(best, name)}: {score:.2f}", flush=True)
    for temperature in TEMPERATURES:
        weights = best._replace(temperature=temperature)
        gap = _gap(module, model, rows, said, alphabet, weights)
        print(f"temperature {temperature}: calibration gap {gap:.4f}", flush=True)
    print(best)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Path("model_repository/asr"))
    parser.add_argument("--count", type=int, default=160)
    options = parser.parse_args()
    run(options.data, options.speech, options.work, options.model, options.count)
