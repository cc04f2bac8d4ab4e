"""Make the emotion model: ``python -m training.emotion.run --data DIR --out DIR``.

Reads speech/emodb_2s, text/cped and dialogues under DIR for training, and speech/mandarin_aishell, where
present, to
measure alone; writes sound.npz and words.npz. Everything printed is the log kept beside this file.
"""

import argparse
import csv
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile
import torch

from server.pipeline import emotion
from training.emotion import corpus, fuse, wording
from training.emotion.corpus import EMOTIONS, LABELS, Floats, Ints, Views
from training.emotion.fit import Held, area, figures, fit, leave_one_speaker_out
from training.emotion.served import classifier, voice

SEED = 20261124
PLAIN, NOISY = "A-law", "noisy telephone"
SHOWN = {
    "alone": "each utterance by itself",
    "relative": "relative to the speaker's other utterances, unlabelled",
}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _rounded(found: Mapping[str, float]) -> str:
    return json.dumps({name: round(value, 3) for name, value in found.items()})


def _train(acted: list[corpus.Utterance]) -> Views:
    """Once as it is, three times warped, four times over noisy telephones."""
    rng = np.random.default_rng(SEED)
    noisy = corpus.noisy(rng, warp=0.08, crop_share=0.4)
    return corpus.views(acted, [corpus.plain, *[corpus.warped] * 3, *[noisy] * 4], rng)


def _tests(acted: list[corpus.Utterance]) -> dict[str, Views]:
    rng = np.random.default_rng(SEED + 1)
    noisy = corpus.noisy(rng, warp=0.0, crop_share=0.0)
    return {
        PLAIN: corpus.views(acted, [corpus.plain], rng),
        NOISY: corpus.views(acted, [noisy] * 2, rng),
    }


def _report_sound(name: str, held: Held, test: Views) -> None:
    for way, words_for_it in SHOWN.items():
        scores = getattr(held, way)
        print(f"speaker held out, {name}, {words_for_it}: {_rounded(figures(scores, test.emotions))}")
        sure = scores[:, 0] > 0.7
        print(
            f"  angry above 0.7, of all seven: precision {float((test.emotions[sure] == 0).mean()):.3f}, "
            f"recall {float(sure[test.emotions == 0].mean()):.3f}"
        )


def _lift(test: Views) -> Floats:
    """How far each voice is raised if a speaker's own 50 utterances are the call.

    Without rate and loudness: the corpus has no turns, and was recorded at levels that hide who shouts.
    """
    unknown = np.full(len(test.emotions), np.nan, np.float32)
    quiet = test.arousal.copy()
    quiet[:, emotion.AROUSAL.index("loudness_db")] = np.nan
    return emotion.raised(quiet, unknown, test.speakers.tolist())


def _report_agitation(test: Views) -> None:
    """Agitation needs no training."""
    scores = emotion.agitation(_lift(test))
    aroused = np.isin(test.emotions, [EMOTIONS.index(name) for name in ("anger", "happiness", "fear")])
    found = {"anger_auc": area(scores, test.emotions == 0), "anger_happiness_fear_auc": area(scores, aroused)}
    means = {
        f"mean_{name}": float(scores[test.emotions == index].mean()) for index, name in enumerate(EMOTIONS)
    }
    print(f"agitation, A-law: {_rounded({**found, **means})}")


def _report_mandarin(weights: Mapping[str, Floats], folder: Path) -> None:
    """Read Mandarin is calm: how often does the model, raised on acted German, hear anything else?"""
    rng = np.random.default_rng(SEED)
    line = corpus.noisy(rng, warp=0.0, crop_share=0.0)
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        paths = [folder / row["path"] for row in csv.DictReader(file, delimiter="\t")]
    heard = []
    for path in paths:
        pcm, rate_hz = soundfile.read(path, dtype="int16")
        heard.append(line(corpus.Utterance("", 0, pcm, int(rate_hz)), rng))
    statistics = voice.measure(heard).statistics
    for name, speakers in (
        ("each by itself", np.arange(len(heard))),
        ("as one speaker", np.zeros(len(heard))),
    ):
        scores = classifier.scores(weights, statistics, speakers)
        share = np.bincount(scores.argmax(1), minlength=len(LABELS)) / len(scores)
        said = _rounded(dict(zip(LABELS, share.tolist(), strict=True)))
        sure = float((scores[:, 0] > 0.7).mean())
        print(
            f"read Mandarin, {len(heard)} utterances, {name}, heard as: {said}; angry above 0.7: {sure:.3f}"
        )


def _words(data: Path, out: Path) -> tuple[Floats, Ints]:
    """Fit and write the word model; scores and emotion of held-out television lines."""
    lines = wording.joined(
        wording.television(data / "text/cped/first_half.csv"), wording.calls(data / "dialogues")
    )
    scores = wording.held_out(lines, out / "words.npz")
    named = lines.named >= 0
    found = figures(scores[named], lines.named[named])
    print(f"words, show held out, {int(named.sum())} lines: {_rounded(found)}")
    written = np.char.startswith(lines.groups, "writer")
    angry = lines.labels == 0
    found = {
        "auc": area(scores[written, 0], angry[written]),
        "above_half_of_calm": float((scores[written & ~angry, 0] > 0.5).mean()),
        "above_half_of_threats_and_insults": float((scores[written & angry, 0] > 0.5).mean()),
    }
    print(f"words, writer held out, angry in {int(written.sum())} turns of written calls: {_rounded(found)}")
    np.savez_compressed(out / "words.npz", **wording.fit(lines))  # type: ignore[arg-type]
    return scores[named], lines.named[named]


def _fused(sound: Floats, words: Floats | None, lift: Floats) -> Floats:
    scores = emotion.fuse(LABELS, sound, words, lift)
    return sound if scores is None else scores


def _report_raised(held: Mapping[str, Held], tests: Mapping[str, Views]) -> None:
    """Sound fused with how far the voice is raised, as a turn without words would be."""
    for name, test in tests.items():
        lift = np.tile(_lift(tests[PLAIN]), int(test.copies.max()) + 1)
        fused = _fused(held[name].relative, None, lift)
        print(f"speaker held out, {name}, sound and raised voice: {_rounded(figures(fused, test.emotions))}")


def _report_fusion(sound: Floats, tests: Mapping[str, Views], read: tuple[Floats, Ints]) -> None:
    """Weights and gain of the fusion on noisy sound paired with television lines.

    How far a voice is raised is taken from the same utterance over plain A-law: a call has one line.
    """
    noisy, copies = tests[NOISY], int(tests[NOISY].copies.max()) + 1
    four = noisy.emotions < len(LABELS)
    lift = np.tile(_lift(tests[PLAIN]), copies)
    found = fuse.pairs((sound[four], lift[four], noisy.emotions[four]), read, np.random.default_rng(SEED))
    print(f"fusion, weights of sound, words and a raised voice: {fuse.weights(found)}")
    for name, scores in (
        ("sound", found.sound),
        ("words", found.words),
        ("fused", _fused(found.sound, found.words, found.lift)),
    ):
        print(f"  pairs, {name}: {_rounded(figures(scores, found.labels))}")


def main() -> None:
    """Measure with each speaker held out, then train on all and write the model."""
    options = _parse()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    read = _words(options.data, options.out)
    acted = corpus.utterances(options.data / "speech/emodb_2s")
    print(f"utterances {len(acted)}, speakers {len({utterance.speaker for utterance in acted})}")
    train, tests = _train(acted), _tests(acted)
    _report_agitation(tests[PLAIN])
    held = leave_one_speaker_out(train, tests, SEED)
    for name, test in tests.items():
        _report_sound(name, held[name], test)
    _report_raised(held, tests)
    _report_fusion(held[NOISY].relative, tests, read)
    weights = fit(train, SEED)
    np.savez(options.out / "sound.npz", **{name: value.astype(np.float16) for name, value in weights.items()})
    mandarin = options.data / "speech/mandarin_aishell"
    if mandarin.is_dir():
        _report_mandarin(weights, mandarin)
    for name in ("sound.npz", "words.npz"):
        print(f"{name} {(options.out / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
