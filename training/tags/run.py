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

COMMENTS = 600
"""Comments of each kind, offensive or not, that train the insult tag."""


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
        micro = measure.micro_f1(flags, own, labels)
        print(f"held-out writers, {name}: macro F1 {macro:.3f}, micro F1 {micro:.3f}")
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
        print(
            f"false alarms, {name} ({len(turns)} turns):",
            json.dumps({k: round(v, 4) for k, v in rates.items()}),
        )


def _material(data: Path, catalogue: Path, harmless: list[Turn], readers: dict[str, str]) -> measure.Material:
    text = data / "text"
    own = list(corpus.dialogues(data / "dialogues"))
    examples = [*corpus.catalogue_examples(catalogue), *corpus.phrases(text / "collection_rasa_yalong")]
    comments = list(corpus.insults(text / "cold/train.csv", COMMENTS))
    print(
        f"turns: own {len(own)}, examples {len(examples)}, harmless {len(harmless)}, comments {len(comments)}"
    )
    taught = features.Misheard(readers, rate=0.1, seed=SEED)
    measured = features.Misheard(readers, rate=0.08, seed=SEED + 1)
    misheard = [taught.turn(turn, weight=0.5) for turn in own]
    noisy = [measured.turn(turn, weight=1.0) for turn in own]
    return measure.Material(own, misheard, noisy, examples, [*harmless, *comments])


def _save(
    layer: Layer, calibration: Calibration, labels: Sequence[str], readers: dict[str, str], out: Path
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    export.save(layer, calibration, labels, out / "weights.onnx")
    (out / "ngrams.txt").write_text("\n".join(layer.features.grams) + "\n", encoding="utf-8")
    syllables = json.dumps(readers, ensure_ascii=False, indent=0)
    (out / "syllables.json").write_text(syllables, encoding="utf-8")
    size = (out / "weights.onnx").stat().st_size
    print(f"weights.onnx {size} bytes, {len(layer.features.grams)} n-grams")


def main() -> None:
    """Measure on held-out writers, then train on all of them and write the model's files."""
    options = _parse()
    catalogue = options.catalogue or options.data.parent / "catalogue.yaml"
    labels = corpus.tag_labels(catalogue)
    readers = features.syllables(turn.text for turn in corpus.dialogues(options.data / "dialogues"))
    harmless, unheard = _split_harmless(corpus.harmless(options.data / "text"))
    material = _material(options.data, catalogue, harmless, readers)
    bags = Bags(features.served(), readers)

    found = measure.held_out(material, labels, bags)
    _report(found, material.own, labels)
    own = material.own
    calibration = calibrate(found.decisions, present(own, labels), allowed(own, labels))
    layer = fit([*own, *material.examples], [*material.misheard, *material.foreign], labels, bags)
    _report_alarms(layer, calibration, unheard, labels, bags)
    _save(layer, calibration, labels, readers, options.out)


if __name__ == "__main__":
    main()
