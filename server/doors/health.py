"""Health that means something: SERVING after a known call went down the whole road, while models answer."""

import asyncio
import base64
import io
import json
import wave
from collections.abc import Callable
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as health_aio

from server.errors import BadModel
from server.pipeline.session import Road

SERVICES = ("", "earshot.v1.Inspection")
LIKENESS = 0.5
"""Least agreement of the canary call's text: speech detection trims it, so the last bit may differ."""


def canary_call(model_repository: Path) -> tuple[bytes, str] | None:
    """A two-channel WAV with the recogniser's canary on the agent's side, and its text; None without one."""
    path = model_repository / "asr" / "canary.json"
    if not path.is_file():
        return None
    case = json.loads(path.read_text())
    pcm = np.frombuffer(base64.b64decode(case["inputs"]["PCM"]["data"]), np.int16)
    rate = int(np.frombuffer(base64.b64decode(case["inputs"]["SAMPLE_RATE"]["data"]), np.int32)[0])
    quiet = np.zeros(rate // 2, np.int16)
    agent = np.concatenate([quiet, pcm, quiet])
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.stack([agent, np.zeros_like(agent)], axis=1).tobytes())
    return out.getvalue(), "".join(case["outputs"]["UNITS"]["data"])


def prove(road: Road) -> None:
    """Send the canary call down the whole road.

    Raises:
        BadModel: the road does not hear what it must hear.
        EarshotError: any stage failed.
    """
    known = canary_call(road.settings.model_repository)
    if known is None:
        return
    data, text = known
    result = road.inspect_audio(data, call_id="canary", meta={}).result
    heard = "".join(turn["text"] for turn in result["turns"] if turn["role"] == "agent")
    if SequenceMatcher(None, heard, text, autojunk=False).ratio() < LIKENESS:
        raise BadModel(
            f"the canary call says {text!r} and the road heard {heard!r}",
            help="run `earshot doctor`; if you replaced the recogniser, write its canary anew",
        )


class Health:
    """The standard health service, fed by the canary call and the models' own watch."""

    def __init__(self) -> None:
        self.servicer = health_aio.HealthServicer()

    async def set(self, *, serving: bool) -> None:
        """Say whether we serve."""
        status = (
            health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        )
        for service in SERVICES:
            await self.servicer.set(service, status)

    async def follow(self, healthy: Callable[[], bool], every_s: float) -> None:
        """Keep the status equal to ``healthy()`` until cancelled."""
        last: bool | None = None
        while True:
            now = healthy()
            if now is not last:
                await self.set(serving=now)
                last = now
            await asyncio.sleep(every_s)
