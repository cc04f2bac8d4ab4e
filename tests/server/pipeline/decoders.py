"""What the tests of the decoder share."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest

from server.config import Settings, load
from server.errors import MEDIA_CODES, BadMedia
from server.pipeline.call import Audio
from server.pipeline.decode import Decoder
from tests.server.pipeline.media_files import (
    Pcm,
    tone,
)

DEADLINE_S = 60.0


def settings(**overrides: object) -> Settings:
    return load(decode_workers=1, **overrides)


def two_tones(rate_hz: int, seconds: float = 2.0) -> Pcm:
    return np.stack(
        [tone(440, rate_hz=rate_hz, seconds=seconds), tone(1000, rate_hz=rate_hz, seconds=seconds)]
    )


def take(decoder: Decoder, data: bytes, rate_hz: int = 8000) -> Audio:
    return decoder.decode(data, sample_rate_hz=rate_hz, deadline_s=DEADLINE_S)


def code_of(decoder: Decoder, data: bytes) -> str:
    with pytest.raises(BadMedia, match="help: ") as caught:
        take(decoder, data)
    assert caught.value.code in MEDIA_CODES
    return caught.value.code


def child_pids(parent: int | str = "self") -> set[int]:
    """Decoder children of a process, from /proc."""
    pids = set()
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            number = int(entry.name)
            owner = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            ours = owner == (os.getpid() if parent == "self" else parent)
            if ours and b"decode_child" in (entry / "cmdline").read_bytes():
                pids.add(number)
    return pids


def only_new_child(before: set[int]) -> int:
    (pid,) = child_pids() - before
    return pid
