"""An imported recogniser on a GPU without Triton: int16 PCM of any usual rate in, timed characters out."""

import json
from collections.abc import Sequence
from pathlib import Path

import torch

from model_runtime import audio
from model_runtime.audio import Pcm
from model_runtime.gpu import ctc
from model_runtime.gpu.device import Mode, natural_type
from model_runtime.gpu.engine import Engine
from model_runtime.gpu.network import load
from model_runtime.recogniser import TOKENS_FILE
from model_runtime.spec import Spec
from model_runtime.words import Units, spread


class GpuRecogniser:
    """Loads everything from one folder; safe to use from one thread at a time."""

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype | None = None, mode: Mode = "graphs"
    ) -> None:
        """``dtype``: bf16 on a GPU and fp32 elsewhere, unless given.

        Raises:
            ValueError: the folder's model is not one that runs here.
        """
        self.spec = Spec.load(folder)
        how = self.spec.reading
        if how is None or how.kind != "ctc" or how.heads:
            raise ValueError("model.json has no plain CTC reading\nhelp: serve this model on the CPU")
        self._folder, self._device, self._mode, self._how = folder, device, mode, how
        self._dtype = dtype or natural_type(device)
        self._texts: list[str] = json.loads((folder / TOKENS_FILE).read_text(encoding="utf-8"))
        self._engines: dict[int, Engine] = {}

    def check(self, samples: int, rate_hz: int) -> None:
        """Raise BadInput for an unusual rate, no samples or too many."""
        audio.check(samples, rate_hz, self.spec.max_seconds)

    def recognise(self, segments: Sequence[Pcm], rates_hz: Sequence[int]) -> list[Units]:
        """What is said in each segment; digital silence says nothing."""
        answers = [
            spread([], max(1, round(len(segment) * 1000 / rate)))
            for segment, rate in zip(segments, rates_hz, strict=True)
        ]
        for rate_hz in set(rates_hz):
            loud = [p for p, s in enumerate(segments) if rates_hz[p] == rate_hz and s.any()]
            engine, spoken = self.engine(rate_hz), [segments[place] for place in loud]
            for number, row in engine.stream(spoken, engine.plan.bucketed(engine.frames(spoken))):
                duration_ms = max(1, round(len(spoken[number]) * 1000 / rate_hz))
                tokens = ctc.tokens(row, self._how.step_ms, self._texts)
                answers[loud[number]] = spread(tokens, duration_ms, self._how.glue)
        return answers

    def engine(self, rate_hz: int) -> Engine:
        """The engine for segments of one rate; made when first asked for."""
        if rate_hz not in self._engines:
            network = load(self._folder, self.spec, rate_hz, self._device, self._dtype)
            self._engines[rate_hz] = Engine(
                network, self._how.silent, len(self._texts), self._device, mode=self._mode
            )
        return self._engines[rate_hz]
