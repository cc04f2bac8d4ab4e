"""The shipped models in the real Triton: requests of different length share batches, and lose nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from server.adapters.triton_client import TritonClient
from server.pipeline import session
from server.pipeline.models import Pcm
from server.pipeline.session import Road
from tests.sounds import demo_call

TEXTS = ["喂", "您好请问是张先生吗", "对", "我知道你家住在哪里", "行吧" * 40, "嗯好的"] * 6


@pytest.fixture(scope="module")
def cuts(road: Road) -> list[Pcm]:
    """Cuts of very different length from the demonstration calls."""
    found: list[Pcm] = []
    for name in ("abusive", "third_party"):
        audio = road.decoder.decode(demo_call(name), sample_rate_hz=8000, deadline_s=60)
        found += [cut for _, _, cut in session.cuts_of(audio, 0)]
    found += [cut[: len(cut) // 3] for cut in found]
    assert max(map(len, found)) > 4 * min(map(len, found))
    return found * 2


def batches(road: Road, model: str, work: Callable[[], object]) -> float:
    """Mean number of requests that shared one execution of ``model`` while ``work`` ran."""
    client = TritonClient(road.models.state().address)  # type: ignore[attr-defined]
    before = client.statistics(model)
    work()
    after = client.statistics(model)
    return (after[0] - before[0]) / (after[1] - before[1])


def test_recogniser(road: Road, cuts: list[Pcm]) -> None:
    alone = [road.models.transcribe([cut], deadline_s=60)[0] for cut in cuts]
    together = road.models.transcribe(cuts, deadline_s=60)
    for one, other in zip(alone, together, strict=True):
        assert one.characters == other.characters
        np.testing.assert_array_equal(one.start_ms, other.start_ms)
        np.testing.assert_allclose(one.confidence, other.confidence, atol=1e-3)
    assert batches(road, "asr", lambda: road.models.transcribe(cuts, deadline_s=60)) > 1.3
    one_by_one = lambda: [road.models.transcribe([cut], deadline_s=60) for cut in cuts[:4]]  # noqa: E731
    assert batches(road, "asr", one_by_one) == pytest.approx(1.0, abs=0.3)  # the control


def test_emotion(road: Road, cuts: list[Pcm]) -> None:
    ask = lambda call: road.models.emotions(call, deadline_s=60)  # noqa: E731
    calls = [cuts[first::8] for first in range(8)]
    alone = [np.concatenate([ask([cut]) for cut in call]) for call in calls]
    together: list[NDArray[np.float32]] = []
    with ThreadPoolExecutor(8) as pool:
        assert batches(road, "emotion", lambda: together.extend(pool.map(ask, calls))) > 1.3
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    one_by_one = lambda: [ask(call) for call in calls]  # noqa: E731
    assert batches(road, "emotion", one_by_one) == pytest.approx(1.0, abs=0.3)  # the control


def test_tags(road: Road) -> None:
    roles, previous = ["agent", "customer"] * (len(TEXTS) // 2), ["", *TEXTS[:-1]]
    ask = lambda rows: road.models.tag_turns(  # noqa: E731
        [TEXTS[i] for i in rows], [roles[i] for i in rows], [previous[i] for i in rows], deadline_s=60
    )
    alone = np.concatenate([ask([i]) for i in range(len(TEXTS))])
    assert batches(road, "semantic_tags", lambda: ask(range(len(TEXTS)))) > 1.3
    np.testing.assert_allclose(ask(range(len(TEXTS))), alone, atol=1e-3)
