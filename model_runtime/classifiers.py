"""Imported classifiers without Triton: stretches of sound, or turns of text, to scores of labels."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_runtime import audio
from model_runtime.audio import BadInput, Pcm, Samples
from model_runtime.logmel import LogMel
from model_runtime.network import Encoder, groups, session
from model_runtime.reading import probabilities
from model_runtime.recogniser import NETWORK_FILE, prepared
from model_runtime.spec import Classifier, Spec, Text, Waveform

TOKENIZER_FILE = "tokenizer.json"
MAX_CHARACTERS = 20_000
_MOST_SAMPLES_AT_ONCE = 1_600_000
_MOST_TOKENS_AT_ONCE = 8_192
_DEVIATION_GUARD = 1e-7

Scores = NDArray[np.float32]


def activated(logits: Scores, how: Classifier) -> Scores:
    """Scores [B, labels] in 0..1 of logits [B, columns]."""
    picked = np.ascontiguousarray(logits[:, list(how.picks)], np.float32)
    if how.activation == "sigmoid":
        answer: Scores = (1.0 / (1.0 + np.exp(-picked))).astype(np.float32)
        return answer
    return probabilities(picked).astype(np.float32)


class SoundClassifier:
    """Scores stretches of sound; a score does not depend on its companions."""

    def __init__(self, folder: Path) -> None:
        self.spec = Spec.load(folder)
        if self.spec.classifier is None:
            raise ValueError("model.json has no classifier: it is not a classifier's")
        self._how = self.spec.classifier
        self.n_labels = len(self._how.picks)
        self._network: WaveNetwork | HeadNetwork
        if self.spec.waveform is not None:
            self._network = WaveNetwork(self.spec.waveform, folder)
        else:
            self._network = HeadNetwork(self.spec, folder)

    def cut(self, pcm: Pcm, ends: NDArray[np.int32], rate_hz: int) -> list[Pcm]:
        """The stretches that were joined.

        Raises:
            BadInput: the ends do not part the samples, or a stretch cannot be scored.
        """
        edges = [0, *ends.tolist()]
        if edges[-1] != len(pcm) or any(last <= first for first, last in pairwise(edges)):
            raise BadInput(
                f"ENDS {ends.tolist()} do not part {len(pcm)} samples\n"
                "help: send rising ends, the last one the number of samples"
            )
        for first, last in pairwise(edges):
            audio.check(last - first, rate_hz, self.spec.max_seconds)
        return [pcm[first:last] for first, last in pairwise(edges)]

    def scores(self, stretches: Sequence[Pcm], rate_hz: int) -> Scores:
        """Scores [B, labels] in 0..1."""
        samples = [prepared(pcm, rate_hz, self._network.rate_hz) for pcm in stretches]
        return activated(self._network(samples), self._how)


class WaveNetwork:
    """A network over samples (wav2vec2 and its kin)."""

    def __init__(self, spec: Waveform, folder: Path) -> None:
        self._spec = spec
        self._session = session(folder / NETWORK_FILE)
        self.rate_hz = spec.rate_hz

    def __call__(self, segments: Sequence[Samples]) -> Scores:
        """Logits [B, columns]."""
        waves = [self._prepared(samples) for samples in segments]
        lengths = [len(wave) for wave in waves]
        parted = (
            groups(lengths, _MOST_SAMPLES_AT_ONCE) if self._spec.mask else [[i] for i in range(len(waves))]
        )
        rows: dict[int, Scores] = {}
        for places in parted:
            rows |= zip(places, self.run([waves[place] for place in places]), strict=True)
        return np.stack([rows[place] for place in range(len(waves))])

    def run(self, waves: Sequence[Samples]) -> Scores:
        """Logits of one padded batch."""
        longest = max(map(len, waves))
        batch, mask = np.zeros((len(waves), longest), np.float32), np.zeros((len(waves), longest), np.int64)
        for row, marks, wave in zip(batch, mask, waves, strict=True):
            row[: len(wave)], marks[: len(wave)] = wave, 1
        feed: dict[str, Any] = {"input_values": batch} | ({self._spec.mask: mask} if self._spec.mask else {})
        logits: Scores = self._session.run(None, feed)[0]
        return logits

    def _prepared(self, samples: Samples) -> Samples:
        if not self._spec.normalise:
            return samples
        answer: Samples = (samples - samples.mean()) / np.sqrt(samples.var() + _DEVIATION_GUARD)
        return answer


class HeadNetwork:
    """A recogniser's network of which one step tells a class (SenseVoice's emotion)."""

    def __init__(self, spec: Spec, folder: Path) -> None:
        if spec.front_end is None or spec.network is None or spec.classifier is None:
            raise ValueError("model.json lacks front_end, network or classifier")
        self._mel = LogMel(spec.front_end, folder)
        self._encoder = Encoder(spec.network, folder / NETWORK_FILE)
        self._step = spec.classifier.step
        self.rate_hz = spec.front_end.rate_hz

    def __call__(self, segments: Sequence[Samples]) -> Scores:
        """Logits [B, tokens] of the step."""
        answers = self._encoder([self._mel(samples) for samples in segments])
        return np.stack([answer.scores[self._step] for answer in answers])


class TextClassifier:
    """Scores turns of text; a score does not depend on its companions."""

    def __init__(self, folder: Path) -> None:
        spec = Spec.load(folder)
        if spec.text is None or spec.classifier is None:
            raise ValueError("model.json has no text or no classifier: it is not a text classifier's")
        self._text, self._how = spec.text, spec.classifier
        self._session = session(folder / NETWORK_FILE)
        self._tokenizer = _tokenizer(folder / TOKENIZER_FILE, spec.text)
        self.n_labels = len(self._how.picks)

    def scores(self, texts: Sequence[str], before: Sequence[str]) -> Scores:
        """Scores [B, labels] in 0..1 of turns, given the turn before each; nothing said scores 0.

        Raises:
            BadInput: a text beyond MAX_CHARACTERS.
        """
        longest = max(map(len, texts), default=0)
        if longest > MAX_CHARACTERS:
            raise BadInput(f"TEXT has {longest} characters\nhelp: send at most {MAX_CHARACTERS} a turn")
        answer = np.zeros((len(texts), self.n_labels), np.float32)
        said = [place for place, text in enumerate(texts) if text.strip()]
        asked = [(before[place], texts[place]) if self._text.pair else texts[place] for place in said]
        encoded = self._tokenizer.encode_batch(asked) if asked else []
        for places in groups([len(row.ids) for row in encoded], _MOST_TOKENS_AT_ONCE):
            logits = self._run([encoded[place] for place in places])
            answer[[said[place] for place in places]] = activated(logits, self._how)
        return answer

    def _run(self, rows: Sequence[Any]) -> Scores:
        longest = max(len(row.ids) for row in rows)
        columns = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
        feed = {}
        for name in self._text.inputs:
            batch = np.full((len(rows), longest), self._text.pad if name == "input_ids" else 0, np.int64)
            for place, row in zip(batch, rows, strict=True):
                place[: len(row.ids)] = getattr(row, columns[name])
            feed[name] = batch
        logits: Scores = self._session.run(None, feed)[0]
        return logits


def _tokenizer(path: Path, spec: Text) -> Any:
    # only imported text classifiers need this library
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(spec.longest, strategy="longest_first")
    return tokenizer
