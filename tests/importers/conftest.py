"""Shared by the tests of importers: libraries that may be missing, sounds, and a served import.

Most of these tests need libraries that the default environment lacks; they are skipped there and said to be.
``.ci/run`` runs them in an environment that has all, where EARSHOT_REQUIRE_IMPORTERS forbids to skip.
"""

import importlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_runtime.audio import Pcm, resample
from server import config
from server.adapters.triton import TritonModels
from server.adapters.triton_trial import trial
from server.importers.draft import Wishes
from server.importers.folder import CANARY_HZ, CANARY_SOUND, Imported
from server.importing import install
from tests.fakes.repository import FAKE_MODELS


def library(name: str) -> Any:
    """A library of another toolkit, or the test is skipped (an error where skipping is forbidden)."""
    if os.environ.get("EARSHOT_REQUIRE_IMPORTERS"):
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} is not installed", exc_type=ImportError)


def speech(rate_hz: int, seconds: float = 1.5) -> Pcm:
    """A synthesized sentence, repeated to the length."""
    pcm = resample(np.load(CANARY_SOUND).astype(np.float32), CANARY_HZ, rate_hz)
    return np.resize(np.rint(pcm).clip(-32768, 32767).astype(np.int16), round(seconds * rate_hz))


class Bench:
    """A model repository of its own, into which a test imports and from which it serves."""

    def __init__(self, folder: Path) -> None:
        self.settings = config.load(model_repository=folder / "repository")
        self.settings.model_repository.mkdir()

    def install(self, source: Path, model: str, *, sample_rate_hz: int = 0, **wishes: Any) -> Imported:
        """Import as the command does."""
        wish = Wishes(model, **wishes)
        return install(source, wish, self.settings, sample_rate_hz, replace=False)

    @contextmanager
    def served(self, *names: str) -> Iterator[TritonModels]:
        """Imports behind a real Triton."""
        with trial(self.settings, *names) as models:
            yield models

    def lend_recogniser(self, rate_hz: int) -> None:
        """Put the fake recogniser in its place: the road asks emotion at its rate."""
        place = self.settings.model_repository / "asr"
        shutil.copytree(FAKE_MODELS / "asr", place, ignore=shutil.ignore_patterns("__pycache__"))
        config_file, wanted = place / "config.pbtxt", f'"{rate_hz}"'
        config_file.write_text(config_file.read_text().replace('"8000"', wanted))
        (place / "canary.json").unlink(missing_ok=True)

    def heard(self, segments: Sequence[Pcm]) -> list[str]:
        """Texts of segments, asked at once of the served recogniser."""
        with self.served("asr") as models:
            return ["".join(units.characters) for units in models.transcribe(segments, deadline_s=60)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty model repository."""
    return Bench(tmp_path)


def squeezed(text: str) -> str:
    """A text without spaces and sentence marks, which toolkits treat each in its own way."""
    return re.sub(r"<[^<>]*>|\s|▁", "", text)
