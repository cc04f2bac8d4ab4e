"""Decoders for tests, closed when done."""

import contextlib
from collections.abc import Iterator

import pytest

from server.pipeline.decode import Decoder
from tests.server.pipeline.decoders import settings


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with contextlib.closing(Decoder(settings())) as it:
        yield it


@pytest.fixture
def make_decoder() -> Iterator[object]:
    made: list[Decoder] = []

    def make(**overrides: object) -> Decoder:
        made.append(Decoder(settings(**overrides)))
        return made[-1]

    yield make
    for it in made:
        it.close()
