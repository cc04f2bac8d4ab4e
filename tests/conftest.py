"""Shared by all tests: one real Triton with the shipped models for the whole run."""

from collections.abc import Iterator

import pytest

from server import config
from server.pipeline.session import Road
from server.wiring import open_road


@pytest.fixture(scope="session")
def road() -> Iterator[Road]:
    """The whole road over the shipped models, through a real Triton."""
    with open_road(config.load(canary_every_s=5.0)) as opened:
        yield opened
