"""Make the emotion model: ``python -m training.emotion.run --data DIR --out DIR``.

Reads speech/emodb_2s under DIR for training and speech/mandarin_aishell, where present, to measure alone;
writes weights.onnx. Everything printed is the log kept beside this file.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import soundfile

from training.emotion import corpus
from training.emotion.fit import FrontEnd, Layer, figures, fit, leave_one_speaker_out, views
from training.synth.channel import Channel

SEED = 20261124
COPIES = 8
"""Telephone versions of each training utterance."""


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def _rounded(found: dict[str, float]) -> str:
    return json.dumps({name: round(value, 3) for name, value in found.items()})


def _report_mandarin(layer: Layer, folder: Path) -> None:
    """Read Mandarin is calm: how often does the model, raised on acted German, hear anything else?"""
    channel, front = Channel(np.random.default_rng(SEED)), FrontEnd()
    statistics = []
    with (folder / "labels.tsv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            pcm, rate_hz = soundfile.read(folder / row["path"], dtype="int16")
            read = corpus.Utterance("", 0, pcm, int(rate_hz))
            statistics.append(front.statistics(corpus.over_telephone(read, channel)))
    scores = layer.scores(np.array(statistics))
    share = np.bincount(scores.argmax(1), minlength=len(corpus.LABELS)) / len(scores)
    heard = _rounded(dict(zip(corpus.LABELS, share.tolist(), strict=True)))
    print(f"read Mandarin over the telephone, {len(scores)} utterances, label heard: {heard}")
    print(f"  angry above 0.7: {float((scores[:, 0] > 0.7).mean()):.3f}")


def main() -> None:
    """Measure with each speaker held out, then train on all and write the model."""
    options = _parse()
    acted = corpus.utterances(options.data / "speech/emodb_2s")
    print(f"utterances {len(acted)}, speakers {len({utterance.speaker for utterance in acted})}")
    train = views(acted, copies=COPIES, seed=SEED, crop_share=0.4, warp=0.08)
    for name, crop_share in (("whole utterances (1 to 2 s)", 0.0), ("crops of 0.5 s and more", 1.0)):
        test = views(acted, copies=3, seed=SEED + 1, crop_share=crop_share, warp=0.0)
        held = leave_one_speaker_out(train, test)
        print(f"speaker held out, telephone, {name}: {_rounded(figures(held, test.labels))}")
        sure = held[:, 0] > 0.7
        print(
            f"  angry above 0.7: precision {float((test.labels[sure] == 0).mean()):.3f}, "
            f"recall {float(sure[test.labels == 0].mean()):.3f}"
        )
    layer = fit(train)
    mandarin = options.data / "speech/mandarin_aishell"
    if mandarin.is_dir():
        _report_mandarin(layer, mandarin)
    options.out.mkdir(parents=True, exist_ok=True)
    layer.save(options.out / "weights.onnx")
    print(f"weights.onnx {(options.out / 'weights.onnx').stat().st_size} bytes")


if __name__ == "__main__":
    main()
