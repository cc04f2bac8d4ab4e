"""The recogniser's two alphabets: characters and tonal syllables. Index 0 of either is the CTC blank."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from pypinyin import Style, lazy_pinyin

from training.asr.corpus import Corpus
from training.synth import read

SIZE = 3000


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Characters and syllables; `char_id` and `syllable_id` start at 1."""

    chars: tuple[str, ...]
    syllables: tuple[str, ...]

    def char_ids(self) -> dict[str, int]:
        """Character to class number."""
        return {char: index + 1 for index, char in enumerate(self.chars)}

    def syllable_ids(self) -> dict[str, int]:
        """Syllable to class number."""
        return {syllable: index + 1 for index, syllable in enumerate(self.syllables)}

    def save(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(
            json.dumps({"chars": "".join(self.chars), "syllables": list(self.syllables)}, ensure_ascii=False),
            encoding="utf8",
        )


def load(path: Path) -> Vocabulary:
    """Read what `save` wrote."""
    data = json.loads(path.read_text(encoding="utf8"))
    return Vocabulary(tuple(data["chars"]), tuple(data["syllables"]))


def build(corpus: Corpus, seed: int = 5) -> Vocabulary:
    """The most useful characters and every syllable they take by themselves or in 25,000 drawn sentences."""
    chars = corpus.characters(SIZE)
    found = {
        syllable.replace("ü", "v")
        for char in chars
        for syllable in lazy_pinyin(char, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
    }
    rng = random.Random(seed)
    for _ in range(25_000):
        reading = read(corpus.draw(rng))
        if reading is not None:
            found.update(reading.syllables)
    return Vocabulary(tuple(chars), tuple(sorted(syllable for syllable in found if syllable[-1] in "12345")))
