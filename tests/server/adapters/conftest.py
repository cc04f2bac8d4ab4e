"""A real Triton with fake models, its temporary folder apart from everyone else's."""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from server.adapters.triton import TritonModels, connect
from server.config import Settings, load
from tests.fakes.repository import FAKE_MODELS, Leftovers


def settings(**overrides: object) -> Settings:
    """Settings for the fake models, quick to notice a fault."""
    return load(
        **{"model_repository": FAKE_MODELS, "model_timeout_s": 3.0, "canary_every_s": 0.5, **overrides}
    )


def until(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether ``condition`` comes true in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The temporary folder in which servers of this module keep theirs."""
    folder, before = tmp_path_factory.mktemp("t"), tempfile.tempdir
    tempfile.tempdir = str(folder)
    yield folder
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def leftovers(base: Path) -> Leftovers:
    """What the servers of this module leave behind."""
    return Leftovers(base)


@pytest.fixture(scope="module")
def models(base: Path) -> Iterator[TritonModels]:
    """One server for the module; it repairs itself, so tests that kill may share it."""
    opened = connect(settings())
    assert until(lambda: not any("probe" in name for name in opened.state().pids), 10), (
        "the probe's stub stays"
    )
    yield opened
    opened.close()


@pytest.fixture
def healthy(models: TritonModels) -> TritonModels:
    """The module's server after it got over the test before."""
    assert until(lambda: models.healthy, 20), models.state()
    return models
