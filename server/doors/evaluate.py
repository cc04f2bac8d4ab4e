"""`earshot evaluate`: ask the served models about labelled recordings and turns, and count what they say."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from operators.table import Float32
from server.config import Settings
from server.errors import BadInput, EarshotError, TooLarge
from server.evaluation import emotion, speech, tags
from server.evaluation.intervals import LEVEL, RESAMPLES, SEED, group_count
from server.evaluation.labelled import Fault, sift
from server.evaluation.recordings import Recording
from server.evaluation.turns import Turn
from server.evaluation.wording import Wording
from server.pipeline import turns as road_turns
from server.pipeline.call import Audio
from server.pipeline.decode import Decoder
from server.pipeline.models import ModelInfo, Models, Pcm
from server.pipeline.session import LONGEST_EMOTION_MS, cuts_of, sides_of

RECORDINGS_AT_ONCE = 16
TURNS_AT_ONCE = 256
"""Turns between two steps of the progress bar."""
Step = Callable[[int], None]
T = TypeVar("T")


class Figures(Protocol):
    """What every kind of figures can do."""

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""


F = TypeVar("F", bound=Figures)


@dataclass(frozen=True)
class Outcome(Generic[F]):
    """Figures of one model on labelled items, and what they do not cover."""

    model: ModelInfo
    items: int
    figures: F
    faults: Sequence[Fault]
    settings: Mapping[str, Any]
    """What the figures depend on besides model and labels."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Labels that the model does not have, and how often they occur."""
    groups: int = 0
    """How many groups the items make; 0 where none are known."""

    def as_dict(self) -> dict[str, Any]:
        """The shape for JSON."""
        return {
            "model": self.model.name, "version": self.model.version, "items": self.items,
            "groups": self.groups, "settings": dict(self.settings), "left_out": dict(self.left_out),
            "bootstrap": {"resamples": RESAMPLES, "level": LEVEL, "seed": SEED},
            "figures": self.figures.as_dict(), "faults": [fault.as_dict() for fault in self.faults],
        }  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """The models and the decoder that are asked."""

    settings: Settings
    models: Models
    decoder: Decoder

    def audio(self, recording: Recording) -> Audio:
        """The recording as the road would hear it.

        Raises:
            BadInput, TooLarge: it is not there, or cannot be decoded.
        """
        most = self.settings.max_audio_bytes
        try:
            if (size := recording.path.stat().st_size) > most:
                raise TooLarge(
                    f"{recording.path} has {size} bytes, more than {most}", help="cut the recording"
                )
            data = recording.path.read_bytes()
        except OSError as error:
            raise BadInput(f"{recording.path}: {error.strerror}", help="check the path") from None
        rate_hz = int((self.models.asr.parameters or {}).get("sample_rate_hz", "8000"))
        return self.decoder.decode(data, sample_rate_hz=rate_hz, deadline_s=self.settings.deadline_s)


def recogniser(
    bench: Bench, recordings: Sequence[Recording], wording: Wording, step: Step, *, whole: bool = False
) -> Outcome[speech.SpeechFigures]:
    """Character errors on labelled recordings; ``whole`` sends each side of one uncut.

    Raises:
        EarshotError: not one recording could be evaluated.
    """
    answers = _each(recordings, lambda recording: _heard(bench, recording, whole=whole), step)
    pairs, faults = sift(answers)
    edits = [speech.compare(recording.where, recording.label, text, wording) for recording, text in pairs]
    groups = [recording.group for recording, _ in pairs]
    found = speech.figures(edits, groups)
    said = {"comparison": wording.describe(), "segments": "whole" if whole else "as the road cuts them"}
    return Outcome(bench.models.asr, len(edits), found, faults, said, groups=group_count(groups))


def feelings(
    bench: Bench, recordings: Sequence[Recording], rename: Mapping[str, str], step: Step
) -> Outcome[emotion.EmotionFigures]:
    """Emotion figures on labelled recordings; ``rename`` says which label of ours a label of theirs is.

    Raises:
        BadInput: the model has none of the labels.
        EarshotError: not one recording could be evaluated.
    """
    labels = bench.models.emotion.labels
    named = [(recording, rename.get(recording.label, recording.label)) for recording in recordings]
    left_out = Counter(label for _, label in named if label not in labels)
    kept = [(recording, label) for recording, label in named if label in labels]
    if not kept:
        raise BadInput(
            f"the emotion model has none of the labels {', '.join(sorted(left_out))}",
            help=f"it has {', '.join(labels)}; say which is which with --map theirs=ours",
        )
    truth = {recording: labels.index(label) for recording, label in kept}
    step(len(recordings) - len(kept))
    pairs, faults = sift(_each([r for r, _ in kept], lambda recording: _felt(bench, recording), step))
    scores = np.array([row for _, row in pairs], np.float32)
    codes = np.array([truth[recording] for recording, _ in pairs], np.int64)
    groups = [recording.group for recording, _ in pairs]
    found = emotion.figures(scores, codes, labels, groups)
    said = {"map": dict(rename), "longest_ms": LONGEST_EMOTION_MS}
    return Outcome(bench.models.emotion, len(pairs), found, faults, said, left_out, group_count(groups))


def tagger(
    bench: Bench, turns: Sequence[Turn], thresholds: Mapping[str, float], step: Step
) -> Outcome[tags.AllTags]:
    """Tag figures on labelled turns; ``thresholds`` by tag, the one of ``""`` for all others.

    Raises:
        BadInput: a threshold is of no tag, or the model has none of the tags that the turns carry.
        EarshotError: the model does not answer.
    """
    models, labels = bench.models, bench.models.tags.labels
    unknown = sorted(set(thresholds) - {"", *labels})
    if unknown:
        raise BadInput(f"the tag model has no tag {unknown[0]!r}", help=f"it has {', '.join(labels)}")
    left_out = Counter(tag for turn in turns for tag in turn.tags if tag not in labels)
    if left_out and not any(tag in labels for turn in turns for tag in turn.tags):
        raise BadInput(
            f"the tag model has none of the tags {', '.join(sorted(left_out))}",
            help=f"it has {', '.join(labels)}",
        )
    answers = []
    for first in range(0, len(turns), TURNS_AT_ONCE):
        some = turns[first : first + TURNS_AT_ONCE]
        texts, roles, before = [t.text for t in some], [t.role for t in some], [t.previous for t in some]
        answers.append(models.tag_turns(texts, roles, before, deadline_s=bench.settings.deadline_s))
        step(len(some))
    carried = np.array([[label in turn.tags for label in labels] for turn in turns], np.bool_)
    levels = [thresholds.get(label, thresholds.get("", 0.5)) for label in labels]
    groups = [turn.group for turn in turns]
    found = tags.figures(np.concatenate(answers), carried, labels, levels, groups)
    said = {"thresholds": dict(thresholds)}
    return Outcome(models.tags, len(turns), found, (), said, left_out, group_count(groups))


def _each(
    recordings: Sequence[Recording], ask: Callable[[Recording], T], step: Step
) -> list[tuple[Recording, T] | Fault]:
    """An answer or a fault of each recording, in order.

    Raises:
        EarshotError: the first fault, when every recording has one.
    """
    errors: list[EarshotError] = []

    def one(recording: Recording) -> tuple[Recording, T] | Fault:
        try:
            return recording, ask(recording)
        except EarshotError as error:
            errors.append(error)
            return Fault(recording.where, f"{recording.path.name}: {error.what}", error.help)
        finally:
            step(1)

    with ThreadPoolExecutor(RECORDINGS_AT_ONCE, "evaluate") as threads:
        answers = list(threads.map(one, recordings))
    if len(errors) == len(recordings):
        raise errors[0]
    return answers


def _heard(bench: Bench, recording: Recording, *, whole: bool) -> str:
    """What the recogniser makes of a recording: the road's turns, in the order they begin."""
    audio, agent = bench.audio(recording), bench.settings.agent_channel
    sides, _ = sides_of(audio, agent)
    _check_side(recording, tuple(sides))
    cuts = [(role, 0, pcm) for role, pcm in sides.items()] if whole else cuts_of(audio, agent)
    cuts = [cut for cut in cuts if recording.role in ("", cut[0]) and len(cut[2])]
    if not cuts:
        return ""
    answers = bench.models.transcribe([pcm for _, _, pcm in cuts], deadline_s=bench.settings.deadline_s)
    heard = [
        road_turns.Heard(role, list(sides).index(role), start_ms, units)
        for (role, start_ms, _), units in zip(cuts, answers, strict=True)
    ]
    return "".join(turn.text for turn in road_turns.build(heard))


def _felt(bench: Bench, recording: Recording) -> Float32:
    """[K] scores of a recording's first seconds, as many as the road sends of a turn."""
    audio = bench.audio(recording)
    sides, _ = sides_of(audio, bench.settings.agent_channel)
    _check_side(recording, tuple(sides))
    if len(sides) > 1 and not recording.role:
        raise BadInput(
            "two channels, and no word on which one is labelled", help="add a column role: agent or customer"
        )
    pcm: Pcm = sides[recording.role or next(iter(sides))]
    longest = LONGEST_EMOTION_MS * audio.sample_rate_hz // 1000
    scores: Float32 = bench.models.emotions([pcm[:longest]], deadline_s=bench.settings.deadline_s)[0]
    return scores


def _check_side(recording: Recording, sides: Sequence[str]) -> None:
    if recording.role and recording.role not in sides:
        raise BadInput(
            f"role {recording.role}, but one channel cannot tell the sides apart",
            help="leave the role empty for recordings with one channel",
        )
