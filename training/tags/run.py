"""Make the tag model: ``python -m training.tags.run --data DIR --out DIR [--catalogue FILE]``.

Reads dialogues/ and text/ under DIR and the catalogue of tags; writes weights.onnx, ngrams.txt and
syllables.json. Everything printed is the log kept beside this file.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.tags import corpus, export, features, measure
from training.tags.corpus import Turn
from training.tags.fit import Bags, Calibration, Layer, allowed, calibrate, fit, present

SEED = 20261124
HARMLESS_TURNS = 1500
"""Harmless turns of each public corpus that train; the rest only measures false alarms."""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--catalogue", type=Path, help="default: catalogue.yaml beside DIR")
    return parser.parse_args()


def _split_harmless(talk: dict[str, list[Turn]]) -> tuple[list[Turn], dict[str, list[Turn]]]:
    """The first turns of each corpus train, the second half measures: no talk is on both sides."""
    train = [turn for turns in talk.values() for turn in turns[: min(HARMLESS_TURNS, len(turns) // 2)]]
    return train, {name: turns[len(turns) // 2 :] for name, turns in talk.items()}


def _report(found: measure.HeldOut, own: Sequence[Turn], labels: Sequence[str]) -> None:
    for name, decisions in (("as written", found.decisions), ("8 % misheard", found.noisy)):
        flags = measure.flagged(found, decisions, own, labels)
        rows = measure.by_tag(flags, own, labels)
        macro = np.mean([row.f1 for row in rows])
        print(f"held-out writers, {name}: macro F1 {macro:.3f}, micro F1 {measure.micro_f1(flags, own, labels):.3f}")
        if name == "as written":
            print(f"{'tag':26}{'turns':>6}{'precision':>11}{'recall':>8}{'F1':>7}")
            for row in rows:
                print(f"{row.tag:26}{row.carried:6}{row.precision:11.2f}{row.recall:8.2f}{row.f1:7.2f}")


def _report_alarms(
    layer: Layer, calibration: Calibration, talk: dict[str, list[Turn]], labels: Sequence[str], bags: Bags
) -> None:
    for name, turns in talk.items():
        decisions = layer.decide([bags.of(turn) for turn in turns])
        rates = measure.false_alarms(turns, decisions, calibration, labels)
        print(f"false alarms, {name} ({len(turns)} turns):", json.dumps({k: round(v, 4) for k, v in rates.items()}))


def main() -> None:
    """Measure on held-out writers, then train on all of them and write the model's files."""
    options = _parse()
    catalogue = options.catalogue or options.data.parent / "catalogue.yaml"
    text = options.data / "text"
    labels = corpus.tag_labels(catalogue)
    own = list(corpus.dialogues(options.data / "dialogues"))
    harmless, unheard = _split_harmless(corpus.harmless(text))
    examples = [*corpus.catalogue_examples(catalogue), *corpus.phrases(text / "collection_rasa_yalong")]
    comments = list(corpus.insults(text / "cold/train.csv", 600))
    print(f"turns: own {len(own)}, examples {len(examples)}, harmless {len(harmless)}, comments {len(comments)}")

    readers = features.syllables(turn.text for turn in own)
    bags = Bags(features.served(), readers)
    mishear = features.Misheard(readers, rate=0.1, seed=SEED)
    misheard = [mishear.turn(turn, weight=0.5) for turn in own]
    mishear_worse = features.Misheard(readers, rate=0.08, seed=SEED + 1)
    noisy = [mishear_worse.turn(turn, weight=1.0) for turn in own]
    other = [*examples, *harmless, *comments]

    found = measure.held_out(own, misheard, noisy, other, labels, bags)
    _report(found, own, labels)
    calibration = calibrate(found.decisions, present(own, labels), allowed(own, labels))
    layer = fit([*own, *misheard, *other], labels, bags)
    _report_alarms(layer, calibration, unheard, labels, bags)

    options.out.mkdir(parents=True, exist_ok=True)
    export.save(layer, calibration, labels, options.out / "weights.onnx")
    (options.out / "ngrams.txt").write_text("\n".join(layer.features.grams) + "\n", encoding="utf-8")
    (options.out / "syllables.json").write_text(json.dumps(readers, ensure_ascii=False, indent=0), encoding="utf-8")
    print(f"weights.onnx {(options.out / 'weights.onnx').stat().st_size} bytes, {len(layer.features.grams)} n-grams")


if __name__ == "__main__":
    main()
