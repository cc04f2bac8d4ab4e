"""Turns to tag scores and vectors: windows, n-grams, the network in two graphs. Knows nothing of Triton."""

import lzma
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime
from numpy.typing import NDArray

FOLDER = Path(__file__).resolve().parent
if str(FOLDER) not in sys.path:  # the server's child has it, a test that loads this file by path has not
    sys.path.insert(0, str(FOLDER))

from ngram_scorer import NgramScorer, Spelling  # noqa: E402
from turn_reader import PAD, ROLES, STRIDE, TURNS_BEFORE, Alphabet, Ids, Said, earlier, normalise, windows  # noqa: E402

MAX_CHARACTERS = 20_000
AT_ONCE = 16
"""Turns a run of a graph: neighbours in length, so that little is computed behind their ends."""
NOBODY = -1

Floats = NDArray[np.float32]


class BadText(ValueError):
    """A request that cannot be scored; the message says why and what to send instead."""


class Answer(NamedTuple):
    """Tag scores [B, N] in 0..1 and unit vectors [B, V] of turns; zeros where nothing was said."""

    scores: Floats
    vectors: Floats


class TagClassifier:
    """Scores turns. One thread, no state between calls; a turn's scores do not depend on its batch."""

    def __init__(self, folder: Path) -> None:
        """Load ``encoder.onnx.xz``, ``tagger.onnx.xz``, ``ngrams.npz``, ``alphabet.json`` from a folder."""
        self._alphabet = Alphabet.load(folder / "alphabet.json")
        self._ngrams = NgramScorer(folder / "ngrams.npz", Spelling(self._alphabet.syllables))
        self._encoder, self._tagger = (_session(folder / f"{name}.onnx.xz") for name in ("encoder", "tagger"))
        self.n_labels = int(self._tagger.get_outputs()[0].shape[1])
        self.n_vector = int(self._encoder.get_outputs()[2].shape[1])

    def check(self, text: str, role: str) -> None:
        """Refuse what cannot be scored.

        Raises:
            BadText: an unknown role, or a text beyond MAX_CHARACTERS.
        """
        if role not in ROLES:
            raise BadText(f"ROLE is {role!r}\nhelp: send one of {', '.join(ROLES)}")
        if len(text) > MAX_CHARACTERS:
            raise BadText(f"TEXT has {len(text)} characters\nhelp: send at most {MAX_CHARACTERS} a turn")

    def scores(self, texts: Sequence[str], roles: Sequence[str], previous: Sequence[str]) -> Floats:
        """Tag scores [B, N] of turns; as ``answer``."""
        return self.answer(texts, roles, previous).scores

    def answer(self, texts: Sequence[str], roles: Sequence[str], previous: Sequence[str]) -> Answer:
        """Scores and vectors of turns, each with its role and the turns before it (see ``earlier``).

        Raises:
            BadText: as ``check``, for any of them.
        """
        places: dict[Said, int] = {}
        rows: list[list[int]] = []
        words: list[Floats] = []
        owners: list[int] = []
        for index, (text, role, before) in enumerate(zip(texts, roles, previous, strict=True)):
            self.check(text, role)
            plain, side = normalise(text), ROLES.index(role)
            if not plain:
                continue
            told = earlier(before, side)
            past = [places.setdefault(said, len(places)) for said in told]
            past += [NOBODY] * (TURNS_BEFORE - len(past))
            for piece in windows(plain):
                words.append(self._ngrams.decide(piece, told[0].plain if told else ""))
                rows.append([places.setdefault(Said(piece, side), len(places)), *past])
                owners.append(index)
        answer = Answer(*(np.zeros((len(texts), n), np.float32) for n in (self.n_labels, self.n_vector)))
        if rows:
            scored, vectors = self._run(list(places), np.array(rows, np.int64), np.stack(words))
            np.maximum.at(answer.scores, owners, scored)
            np.add.at(answer.vectors, owners, vectors)
            length = np.linalg.norm(answer.vectors, axis=1, keepdims=True)
            np.divide(answer.vectors, length, out=answer.vectors, where=length > 0)
        return answer

    def _run(self, turns: list[Said], rows: Ids, words: Floats) -> tuple[Floats, Floats]:
        """Scores and vectors of ``rows`` [R, 1 + TURNS_BEFORE]: places of a turn and of those before it.

        ``words`` [R, N] are the n-grams' decisions.
        """
        states: list[Floats] = [np.empty(0, np.float32)] * len(turns)
        gists: list[Floats] = [np.empty(0, np.float32)] * len(turns)
        vectors = np.zeros((len(turns), self.n_vector), np.float32)
        for some in _by_length([len(turn.plain) for turn in turns]):
            characters, sounds = self._alphabet.rows([turns[place].plain for place in some])
            roles = np.array([turns[place].role for place in some], np.int64)
            inputs = {"CHARACTERS": characters, "SOUNDS": sounds, "ROLES": roles}
            found, gist, vectors[some] = self._encoder.run(None, inputs)
            real = characters[:, ::STRIDE] != PAD
            for row, place in enumerate(some):
                states[place], gists[place] = found[row, : real[row].sum()], gist[row]
        scores = np.zeros((len(rows), self.n_labels), np.float32)
        for some in _by_length([len(states[place]) for place in rows[:, 0]]):
            own = rows[some, 0]
            padded = _padded([states[place] for place in own])
            inputs = {
                "STATES": padded,
                "REAL": np.arange(padded.shape[1]) < np.array([[len(states[place])] for place in own]),
                "GISTS": np.stack(gists),
                "BEFORE": rows[some, 1:],
                "WORDS": words[some],
                "ROLES": np.array([turns[place].role for place in own], np.int64),
            }
            scores[some] = self._tagger.run(None, inputs)[0]
        return scores, vectors[rows[:, 0]]


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # weights become float32 at load
    network = lzma.decompress(path.read_bytes())
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])


def _by_length(lengths: Sequence[int]) -> list[list[int]]:
    """Places in groups of at most AT_ONCE, shortest first."""
    order = [int(place) for place in np.argsort(lengths, kind="stable")]
    return [order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)]


def _padded(rows: list[Floats]) -> Floats:
    """[B, T, d] with zeros behind each row."""
    padded = np.zeros((len(rows), max(map(len, rows)), rows[0].shape[1]), np.float32)
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded
