"""Text to tag scores: character and sound n-grams, windows, one ONNX network. Knows nothing of Triton."""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

ROLES = ("agent", "customer", "other")
WINDOW, OVERLAP = 60, 25
"""Characters read at once; a longer text is read in windows and keeps the highest score of each tag."""
LONGEST_PREVIOUS = 60
"""Characters of the turn before that are read: its end, which this turn answers."""
MAX_CHARACTERS = 20_000

FAMILIES = (("p", 2), ("s", 2), ("t", 3))
"""Families of n-grams and their longest: turn before, sounds of this turn, text of this turn."""
PAD = 0
START, END = "^", "$"

_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")

Ids = NDArray[np.int64]
Scores = NDArray[np.float32]


class BadText(ValueError):
    """A request that cannot be scored; the message says why and what to send instead."""


def normalise(text: str) -> str:
    """Letters, digits (as hanzi) and hanzi only, lower case: what a telephone recogniser writes."""
    plain = unicodedata.normalize("NFKC", text).lower().translate(_DIGITS)
    return "".join(char for char in plain if char.isalnum())


def ngrams(text: str, longest: int) -> Iterator[str]:
    """All pieces of 1 to ``longest`` characters, edges marked."""
    edged = START + text + END
    for size in range(1, longest + 1):
        for start in range(len(edged) - size + 1):
            yield edged[start : start + size]


@dataclass(frozen=True)
class Spelling:
    """Writes every hanzi as one fixed homophone, so that a misheard character reads the same."""

    homophones: dict[str, str]

    @classmethod
    def of_syllables(cls, syllables: dict[str, str]) -> "Spelling":
        """Take toneless syllable → all characters read so; the first of them stands for all."""
        return cls({char: readers[0] for readers in syllables.values() for char in readers})

    def features(self, plain: str, previous: str) -> set[str]:
        """Distinct n-grams of a normalised text and of the turn before, each with its family's letter."""
        sounds = "".join(self.homophones.get(char, char) for char in plain)
        sources = {"p": previous[-LONGEST_PREVIOUS:], "s": sounds, "t": plain}
        return {name + gram for name, longest in FAMILIES for gram in ngrams(sources[name], longest)}


def windows(plain: str) -> list[str]:
    """Pieces of at most WINDOW characters, neighbours sharing OVERLAP; one piece for a short text."""
    starts = range(0, max(1, len(plain) - OVERLAP), WINDOW - OVERLAP)
    return [plain[start : start + WINDOW] for start in starts]


def pad(rows: Sequence[Sequence[int]]) -> Ids:
    """[B, F] with PAD behind each row; F is at least 1."""
    padded = np.full((len(rows), max(1, max(map(len, rows), default=1))), PAD, np.int64)
    for place, ids in zip(padded, rows, strict=True):
        place[: len(ids)] = ids
    return padded


class TagClassifier:
    """Scores turns. One thread, no state between calls; a turn's scores do not depend on its batch."""

    def __init__(self, folder: Path) -> None:
        """Load ``weights.onnx``, ``syllables.json`` and ``ngrams.txt`` from a folder."""
        self._spelling = Spelling.of_syllables(
            json.loads((folder / "syllables.json").read_text(encoding="utf-8"))
        )
        known = (folder / "ngrams.txt").read_text(encoding="utf-8").splitlines()
        self._ids = {gram: index for index, gram in enumerate(known, PAD + 1)}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(
            str(folder / "weights.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self.n_labels = int(self._session.get_outputs()[0].shape[1])

    def check(self, text: str, role: str) -> None:
        """Refuse what cannot be scored.

        Raises:
            BadText: an unknown role, or a text beyond MAX_CHARACTERS.
        """
        if role not in ROLES:
            raise BadText(f"ROLE is {role!r}\nhelp: send one of {', '.join(ROLES)}")
        if len(text) > MAX_CHARACTERS:
            raise BadText(f"TEXT has {len(text)} characters\nhelp: send at most {MAX_CHARACTERS} a turn")

    def read(self, text: str, previous: str) -> list[list[int]]:
        """Ids of the known n-grams of each window of a text; none for a text without any letter or digit."""
        plain = normalise(text)
        if not plain:
            return [[]]
        before = normalise(previous[-4 * LONGEST_PREVIOUS :])
        pieces = [self._spelling.features(piece, before) for piece in windows(plain)]
        return [sorted(self._ids[gram] for gram in piece if gram in self._ids) for piece in pieces]

    def scores(self, texts: Sequence[str], roles: Sequence[str], previous: Sequence[str]) -> Scores:
        """Tag scores [B, N] in 0..1 of turns, each with its role and the text of the turn before it.

        Raises:
            BadText: as ``check``, for any of them.
        """
        pieces: list[list[int]] = []
        owners: list[int] = []
        for index, (text, role, before) in enumerate(zip(texts, roles, previous, strict=True)):
            self.check(text, role)
            read = self.read(text, before)
            pieces += read
            owners += [index] * len(read)
        answer = np.zeros((len(texts), self.n_labels), np.float32)
        if pieces:
            indices = np.array([ROLES.index(roles[owner]) for owner in owners], np.int64)
            scored: Scores = self._session.run(["SCORES"], {"NGRAMS": pad(pieces), "ROLE": indices})[0]
            np.maximum.at(answer, owners, scored)
        return answer
