"""Character errors of a recogniser: substitutions, deletions and insertions of the shortest edit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from server.evaluation.intervals import Estimate, Floats, estimates, ratio
from server.evaluation.wording import Wording

NAMES = ("cer", "substitution_rate", "deletion_rate", "insertion_rate", "sentence_error_rate")


@dataclass(frozen=True)
class Edit:
    """One recording's reference and hypothesis as compared, and what separates them."""

    where: str
    reference: str
    hypothesis: str
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        return dict(vars(self))


@dataclass(frozen=True)
class SpeechFigures:
    """Rates by name (NAMES), the counts they are made of, and every recording's edit."""

    rates: dict[str, Estimate]
    characters: int
    substitutions: int
    deletions: int
    insertions: int
    swaps: list[tuple[str, str, int]]
    """(said, heard, times) of single characters, commonest first."""
    edits: list[Edit]

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        return {
            **{name: rate.as_dict() for name, rate in self.rates.items()},
            "characters": self.characters, "substitutions": self.substitutions,
            "deletions": self.deletions, "insertions": self.insertions,
            "swaps": [{"said": said, "heard": heard, "times": n} for said, heard, n in self.swaps],
            "recordings": [edit.as_dict() for edit in self.edits],
        }  # fmt: skip


def compare(where: str, said: str, heard: str, wording: Wording) -> Edit:
    """Align one hypothesis with its reference."""
    reference, hypothesis = wording.of(said), wording.of(heard)
    kinds = Counter(op.tag for op in Levenshtein.editops(reference, hypothesis))
    return Edit(where, reference, hypothesis, kinds["replace"], kinds["delete"], kinds["insert"])


def figures(edits: Sequence[Edit], groups: Sequence[str], *, most_swaps: int = 20) -> SpeechFigures:
    """Rates over all recordings: edits of each kind by characters of the references, and recordings with any.

    A rate is not defined when no reference has a character.
    """
    rows = [(e.substitutions, e.deletions, e.insertions, len(e.reference), bool(e.errors), 1) for e in edits]
    counts = np.array(rows, np.float64)
    total = counts.sum(0).astype(int).tolist()
    found = estimates(counts, groups, _rates)
    swaps = Counter(
        (e.reference[op.src_pos], e.hypothesis[op.dest_pos])
        for e in edits
        for op in Levenshtein.editops(e.reference, e.hypothesis)
        if op.tag == "replace"
    )
    return SpeechFigures(
        rates=dict(zip(NAMES, found, strict=True)), characters=total[3],
        substitutions=total[0], deletions=total[1], insertions=total[2],
        swaps=[(said, heard, n) for (said, heard), n in swaps.most_common(most_swaps)], edits=list(edits),
    )  # fmt: skip


def _rates(sums: Floats) -> Floats:
    errors = np.column_stack([sums[:, :3].sum(1), sums[:, :3]])
    return np.column_stack([ratio(errors, sums[:, 3:4]), ratio(sums[:, 4], sums[:, 5])])
