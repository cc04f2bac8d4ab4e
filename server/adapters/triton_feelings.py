"""What the emotion model is asked of a call's turns, and how its answers become columns again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from server.adapters import triton_contract as contract
from server.adapters.triton_contract import Scores
from server.adapters.triton_lane import Job
from server.adapters.triton_tensors import Request
from server.pipeline.models import Feelings, ModelInfo, Pcm


@dataclass(frozen=True)
class Asked:
    """Turns of a call: their sound, if there is any, their words, and a number for who speaks."""

    segments: Sequence[Pcm] | None
    texts: Sequence[str]
    speakers: Sequence[int]
    sample_rate_hz: int

    def parts(self, info: ModelInfo) -> tuple[str, ...]:
        """The outputs that ``info`` can give for these turns."""
        sound = (
            () if self.segments is None else ("SCORES", *(("AROUSAL",) if "AROUSAL" in info.offers else ()))
        )
        return (*sound, *(("WORDS",) if {"TEXT", "WORDS"} <= info.offers else ()))

    def job(self, rows: slice, info: ModelInfo, parts: Sequence[str]) -> Job[Mapping[str, Scores]]:
        """The question about some of the turns."""
        texts = self.texts[rows]
        words = (contract.turn_words(texts),) if "WORDS" in parts else ()
        read = contract.read_feelings(len(texts), len(info.labels), parts)
        if self.segments is None:
            return Job(Request(contract.EMOTION, words), read, sum(map(len, texts)))
        who = (contract.turn_speakers(self.speakers[rows]),) if "SPEAKER" in info.offers else ()
        stretches = self.segments[rows]
        request = contract.stretches_request(stretches, self.sample_rate_hz, (*who, *words))
        return Job(request, read, sum(map(len, stretches)))


def spread(turns: int, most: int) -> list[slice]:
    """Rows of each request, ``most`` at most; every n-th turn, so that a speaker's baseline spans a long
    call."""
    requests = -(-turns // most)
    return [slice(first, None, requests) for first in range(requests)]


def gathered(answers: Sequence[Mapping[str, Scores]], turns: int) -> Feelings:
    """The columns of all turns from the answers to ``spread``."""
    columns = {}
    for part, first in answers[0].items():
        columns[part] = np.zeros((turns, first.shape[1]), np.float32)
        for start, answer in enumerate(answers):
            columns[part][start :: len(answers)] = answer[part]
    return Feelings(columns.get("SCORES"), columns.get("WORDS"), columns.get("AROUSAL"))
