"""Channels with known truth for bench/speech.py: real recordings placed on a telephone line that we spoil."""

import random
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE_HZ = 8000
CONDITIONS = (
    "clean", "quiet", "dtx", "white20", "white10", "white5", "pink20", "pink10", "hum10", "rising",
    "crosstalk", "clicks", "tones",
)  # fmt: skip
Pcm = NDArray[np.int16]
Signal = NDArray[np.float64]
Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Sample:
    """One channel: where it comes from, its samples at 8 kHz, and when somebody speaks, in ms."""

    name: str
    pcm: Pcm
    spans: Spans


def read(path: Path) -> Pcm:
    """A trusted audio file as 8 kHz mono."""
    resampler = av.AudioResampler("s16p", "mono", RATE_HZ)
    with av.open(str(path)) as file:
        frames = [out for frame in file.decode(audio=0) for out in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames + resampler.resample(None)])


def utterances(folder: Path, count: int, chance: random.Random) -> list[Sample]:
    """Sentences with hand-marked syllables (EMO-DB); Mandarin words and syllables without noise."""
    samples = []
    for path in _some((folder / "emodb_2s" / "flac").glob("*.flac"), count, chance):
        marks = next((folder / "emodb_2s" / "silb").glob(f"{path.stem}*")).read_text("latin-1").split("\n")
        rows = [line.split() for line in marks if line[:1].isdigit()]
        spans = [
            (float(a[0]) * 1000, min(float(b[0]), 2.0) * 1000)
            for a, b in pairwise(rows)
            if len(a) > 1 and a[1] != "." and float(a[0]) < 2.0
        ]
        if spans:
            samples.append(Sample("sentence", read(path), merged(spans, 1)))
    for name, share in (("hsk", 1), ("syllabs", 3)):
        for path in _some((folder / "audio_cmn" / name).glob("*.mp3"), count // share, chance):
            pcm = read(path)
            samples.append(Sample("word", pcm, [_sounding(pcm)]))
    return samples


def _some(paths: Iterable[Path], count: int, chance: random.Random) -> list[Path]:
    found = sorted(paths)
    chance.shuffle(found)
    return found[:count]


def _sounding(pcm: Pcm) -> tuple[float, float]:
    """First and last moment within 35 dB of the peak: the truth of a recording that has no noise."""
    level = np.sqrt((pcm[: len(pcm) // 80 * 80].reshape(-1, 80).astype(float) ** 2).mean(axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (-35 / 20))
    return float(loud[0] * 10), float(loud[-1] * 10 + 10)


def merged(spans: Spans, pause_ms: float) -> Spans:
    """Spans with pauses below ``pause_ms`` closed."""
    out: Spans = []
    for start, end in sorted(spans):
        if out and start - out[-1][1] < pause_ms:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((start, end))
    return out


def built(pool: list[Sample], condition: str, chance: random.Random, minutes: float = 1.0) -> Sample:
    """A minute of utterances 0.35 to 4 s apart through a spoilt line and A-law."""
    count = int(minutes * 60 * RATE_HZ)
    level = 10 ** ((-40 if condition == "quiet" else chance.uniform(-32, -14)) / 20) * 32768
    signal, spans = _talk(pool, count, level, chance)
    line = _noise("pink", count, chance) * max(level * 10 ** (-45 / 20), 4)
    if condition == "dtx":
        line[:] = 0
    elif condition[-1].isdigit():
        kind = condition.rstrip("0123456789")
        line += _noise(kind, count, chance) * level * 10 ** (-float(condition[len(kind) :]) / 20)
    elif condition == "rising":
        time = np.arange(count) / RATE_HZ
        gain_db = 4 * np.sin(2 * np.pi * time / 7) + np.where(time % 20 > 12, 0, -6)
        line += _noise("pink", count, chance) * level * 10 ** ((gain_db - 15) / 20)
    elif condition == "crosstalk":
        line += _talk(pool, count, level * 10 ** (-34 / 20), chance)[0]
    elif condition == "clicks":
        for _ in range(60):
            at, length = chance.randrange(count - 100), chance.randint(4, 80)
            line[at : at + length] += _noise("white", length, chance) * level * 3
    elif condition == "tones":
        line += _tones(count, spans, chance) * level
    return Sample(condition, alaw(signal + line), spans)


def _talk(pool: list[Sample], count: int, level: float, chance: random.Random) -> tuple[Signal, Spans]:
    signal, spans, at = np.zeros(count), list[tuple[float, float]](), int(chance.uniform(0.3, 2) * RATE_HZ)
    while True:
        one = chance.choice(pool)
        first, last = (
            max(0, int(one.spans[0][0] * 8) - 240),
            min(len(one.pcm), int(one.spans[-1][1] * 8) + 480),
        )
        piece = one.pcm[first:last].astype(float)
        if at + len(piece) >= count:
            return signal, spans
        spoken = np.concatenate([one.pcm[int(a * 8) : int(b * 8)] for a, b in one.spans]).astype(float)
        gain = level * 10 ** (chance.uniform(-4, 4) / 20) / (np.sqrt((spoken**2).mean()) + 1e-9)
        edge = np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1])
        signal[at : at + len(piece)] += piece * gain * np.minimum(1, edge / 160)
        spans += [((at - first) / 8 + a, (at - first) / 8 + b) for a, b in one.spans]
        at += len(piece) + int(chance.uniform(0.35, 4) * RATE_HZ)


def _noise(kind: str, count: int, chance: random.Random) -> Signal:
    draw = np.random.default_rng(chance.randrange(1 << 30)).standard_normal(count)
    if kind == "pink":
        spectrum = np.fft.rfft(draw)
        draw = np.fft.irfft(spectrum / np.sqrt(np.arange(len(spectrum)) + 20), count)
    elif kind == "hum":
        time = np.arange(count) / RATE_HZ
        draw = np.sum([np.sin(2 * np.pi * 50 * h * time + h) / h for h in (1, 2, 3, 5, 7)], axis=0)
    return np.asarray(draw / np.sqrt((draw**2).mean()), np.float64)


def _tones(count: int, spans: Spans, chance: random.Random) -> Signal:
    """Ring-back tones of a second and DTMF digits in the pauses."""
    time, out = np.arange(count) / RATE_HZ, np.zeros(count)
    for start in np.arange(0, count / RATE_HZ - 1, 2.5):
        length, pair = chance.choice((1.0, 0.12, 0.2)), chance.choice(((450,), (697, 1209), (852, 1477)))
        if not any(a / 1000 - 0.3 < start + length and b / 1000 + 0.3 > start for a, b in spans):
            here = (time >= start) & (time < start + length)
            out[here] += np.sum([np.sin(2 * np.pi * hz * time[here]) for hz in pair], axis=0)
    return out


def alaw(signal: Signal) -> Pcm:
    """What is left of a signal after A-law (ITU-T G.711)."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    size = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    values = np.sort(np.where(code & 0x80, size, -size))
    edges = (values[1:] + values[:-1] + 1) // 2
    return values[np.searchsorted(edges, np.clip(signal, -32768, 32767), side="right")].astype(np.int16)


def meetings(folder: Path) -> list[Sample]:
    """Extracts of real meetings with RTTM, far from the microphone: harder than a telephone."""
    spans: dict[str, Spans] = {}
    for path in folder.glob("pyannote_debug/*.rttm"):
        for line in path.read_text("utf-8").splitlines():
            word = line.split()
            if word and word[0] == "SPEAKER":
                start_ms = float(word[3]) * 1000
                span = (start_ms, start_ms + float(word[4]) * 1000)
                spans.setdefault(unicodedata.normalize("NFC", word[1]), []).append(span)
    found = [
        (p, spans.get(unicodedata.normalize("NFC", p.stem)))
        for p in sorted(folder.glob("pyannote_debug/*.flac"))
    ]
    return [Sample("meetings", read(path), truth) for path, truth in found if truth]
