"""Emotion of turns: sound and words fused, and agitation relative to the same speaker's own baseline.

Pure functions over columns, one row a turn. They take any turns of a call: those so far while it goes on
(the last row
is then the newest turn), all of them at its end, when every turn is seen against the whole call.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from operators.table import ROLES
from server.pipeline.call import Turn
from server.pipeline.models import Feelings, ModelInfo

AGITATED = "agitated"
"""The label that is measured, not learned."""
SOUND_WEIGHT, WORDS_WEIGHT = 0.6, 0.75
"""Of the log scores. Fitted by training.emotion.run on acted German sound paired with lines of Mandarin
television of the same emotion, scored by models that never met the speaker or the show: 1.26 and 0.73. The
sound's is halved here, since it was learned from another language and acting: a judgement, not a fit."""
SPREAD = {"loudness_db": 3.5, "pitch_st": 1.8, "pitch_spread_st": 2.5, "tilt_db": 3.0, "rate": 1.2}
"""How far a calm speaker's turns usually lie apart, in each measure's unit (rate: characters a second)."""
WEIGHT = {"loudness_db": 0.3, "pitch_st": 0.3, "pitch_spread_st": 0.1, "tilt_db": 0.2, "rate": 0.1}
"""What each measure counts: raised voices are louder, higher and brighter, less surely wider and faster."""
AROUSAL = ("loudness_db", "pitch_st", "pitch_spread_st", "tilt_db", "voiced_share")
"""Columns of the model's AROUSAL."""
LIFTED = {"angry": 0.8, "happy": 0.4, "sad": -0.4}
"""What a voice raised by one deviation adds to a label's log score; fitted with the two above: angry 0.84."""
FAINTEST = 1e-3
"""Added to scores before their logarithm: no one of them is certain."""
PITCHED_FROM = 0.1
"""Share of voiced frames below which a turn's pitch is not known."""
PRIOR_TURNS = 4.0
"""What SPREAD weighs against a speaker's own spread, in turns."""
FARTHEST = 4.0
"""Deviations beyond which one measure counts no more."""
HALF_AT, STEEPNESS = 1.2, 1.8
"""Mean deviation at which agitation is 0.5, and how fast it rises there. Ours: a calm turn has about 0.1."""

Floats = NDArray[np.float32]


def labels(info: ModelInfo) -> tuple[str, ...]:
    """The emotion labels of turns: the model's, and agitation where the model measures arousal."""
    return (*info.labels, *((AGITATED,) if "AROUSAL" in info.offers else ()))


def of_turns(turns: Sequence[Turn], info: ModelInfo, felt: Feelings) -> Sequence[Mapping[str, float]]:
    """Label → score of each turn; agitation is left out where there is no sound to measure."""
    lift = None
    if felt.arousal is not None:
        lift = raised(felt.arousal, rates(turns), [turn.role for turn in turns])
    fused = fuse(info.labels, felt.sound, felt.words, lift)
    if fused is None:
        return [{} for _ in turns]
    scores: list[dict[str, float]] = [dict(zip(info.labels, row, strict=True)) for row in fused.tolist()]
    if lift is not None:
        for row, value in zip(scores, agitation(lift).tolist(), strict=True):
            if not math.isnan(value):
                row[AGITATED] = value
    return scores


def speakers(turns: Sequence[Turn]) -> list[int]:
    """A number a turn, equal where one person speaks; turns of the role ``other`` may be anyone's."""
    return [-1 - row if turn.role == "other" else ROLES.index(turn.role) for row, turn in enumerate(turns)]


def fuse(
    labels: Sequence[str], sound: Floats | None, words: Floats | None, lift: Floats | None = None
) -> Floats | None:
    """Scores [T, K], adding up to 1, of what is heard and what is said; None where nothing is known.

    A product of experts: the weighted sum of log scores, as if they erred independently, and of ``lift`` [T]
    (see ``raised``) for the labels that a raised voice speaks for or against. Words alone stay as they are.
    """
    if sound is None:
        return words
    logits = SOUND_WEIGHT * np.log(sound + FAINTEST)
    if words is not None:
        logits = logits + WORDS_WEIGHT * np.log(words + FAINTEST)
    if lift is not None:
        logits = logits + np.outer(np.nan_to_num(lift), [LIFTED.get(label, 0.0) for label in labels])
    elif words is None:
        return sound
    shares = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True), np.float32)


def rates(turns: Sequence[Turn]) -> Floats:
    """[T] characters a second; NaN for turns below a second, whose rate says nothing."""
    spans = np.array([(turn.end_ms or 0) - (turn.start_ms or 0) for turn in turns], np.float32)
    sizes = np.array([len(turn.text) for turn in turns], np.float32)
    return np.where(spans >= 1000, sizes * 1000 / np.maximum(spans, 1), np.nan).astype(np.float32)


def agitation(lift: Floats) -> Floats:
    """Agitation [T] in 0..1 of ``raised``."""
    return np.asarray(1 / (1 + np.exp(-STEEPNESS * (lift - HALF_AT))), np.float32)


def raised(arousal: Floats, rate: Floats, roles: Sequence[str]) -> Floats:
    """How far each turn's voice lies above its speaker's usual one [T], from AROUSAL [T, 5] and rate [T].

    Loudness, pitch, its spread, tilt and rate in robust deviations from the role's own median, weighed
    together without those that are not known (NaN). What a channel does to all turns of a role alike does not
    count. A role's first turn has no baseline yet: 0. NaN for the role ``other``: it may be several people.
    """
    measures = dict(zip(AROUSAL, arousal.T.astype(np.float64), strict=True))
    pitched = measures.pop("voiced_share") >= PITCHED_FROM
    for name in ("pitch_st", "pitch_spread_st"):
        measures[name] = np.where(pitched, measures[name], np.nan)
    columns = np.stack([*measures.values(), rate.astype(np.float64)], 1)
    usual = np.array([SPREAD[name] for name in (*measures, "rate")])
    weight = np.array([WEIGHT[name] for name in (*measures, "rate")])
    roles_of, deviations = np.array(roles), np.zeros_like(columns)
    for role in dict.fromkeys(roles):
        mine = roles_of == role
        deviations[mine] = _deviations(columns[mine], usual)
    known = ~np.isnan(deviations)
    mean = np.where(known, deviations, 0) @ weight / np.maximum(known @ weight, 1e-9)
    return np.asarray(np.where(roles_of == "other", np.nan, mean), np.float32)


def _deviations(rows: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Robust deviations [n, F] from the rows' median, by a spread that leans on ``usual`` while rows are
    few."""
    count = (~np.isnan(rows)).sum(0)
    middle = _median(rows)
    own = 1.4826 * _median(np.abs(rows - middle))
    spread = np.sqrt((count * own**2 + PRIOR_TURNS * usual**2) / (count + PRIOR_TURNS))
    deviations: NDArray[np.float64] = np.clip((rows - middle) / spread, -FARTHEST, FARTHEST)
    return deviations


def _median(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of each column without NaN, 0 where a column has nothing else."""
    ordered = np.sort(rows, axis=0)
    count = (~np.isnan(rows)).sum(0)
    column = np.arange(rows.shape[1])
    low, high = (
        ordered[np.maximum(count - 1, 0) // 2, column],
        ordered[np.minimum(count // 2, len(rows) - 1), column],
    )
    middle: NDArray[np.float64] = np.where(count > 0, (low + high) / 2, 0)
    return middle
