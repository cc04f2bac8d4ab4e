"""Answers of a real Triton: right, in order, batched across callers, and errors that cost only themselves."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from server.adapters.triton import TURNS_A_REQUEST, TritonModels, connect
from server.adapters.triton_client import TritonClient
from server.errors import BadModel, DeadlineOver
from server.pipeline.models import Feelings, Pcm, Units
from tests.fakes.repository import DIE, RAISE, SLOW
from tests.server.adapters.conftest import settings, until

TEXTS = ["你好，请问是王先生吗", "是的", "好"]


def tone(level: int, tenths: int) -> Pcm:
    """A segment in which the fake recogniser hears ``level / 100`` once every 100 ms."""
    return np.full(800 * tenths, level, np.int16)


def same(left: Units, right: Units) -> bool:
    """Whether two answers are equal to the last bit."""
    arrays = ("start_ms", "end_ms", "confidence")
    return left.characters == right.characters and all(
        np.array_equal(getattr(left, name), getattr(right, name)) for name in arrays
    )


def listening_inodes() -> set[str]:
    """Inodes of all listening TCP sockets."""
    rows = [
        row.split()
        for name in ("tcp", "tcp6")
        for row in Path("/proc/net", name).read_text().splitlines()[1:]
    ]
    return {row[9] for row in rows if row[3] == "0A"}


def socket_inodes(pid: int) -> set[str]:
    """Inodes of the sockets that a process has open."""
    links = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def test_only_our_user_reaches_the_server(models: TritonModels) -> None:
    pids = models.state().pids
    assert set(pids) == {"guard", "server", "stub asr_0_0", "stub emotion_0_0", "stub semantic_tags_0_0"}
    assert not any(socket_inodes(pid) & listening_inodes() for pid in pids.values())
    folder = Path(models.state().address.removeprefix("unix:")).parent
    assert folder.stat().st_mode & 0o777 == 0o700 and (folder / "t:1").is_socket()
    with socket.create_server(("127.0.0.1", 0)):  # control: a port of our own is seen
        assert socket_inodes(os.getpid()) & listening_inodes()


def test_what_the_configs_say(models: TritonModels) -> None:
    assert (models.asr.parameters or {})["sample_rate_hz"] == "8000"
    assert models.emotion.labels == ("loud", "quiet")
    assert models.tags.labels == ("greeting", "by_agent", "reply")
    versions = {info.version for info in (models.asr, models.emotion, models.tags)}
    assert len(versions) == 3 and all(len(version) == 12 for version in versions)


def test_answers_keep_the_order_of_the_input(models: TritonModels) -> None:
    segments = [tone(100 * (index % 10), 1 + index * 7 % 13) for index in range(40)]
    answers = models.transcribe(segments, deadline_s=20)
    for index, answer in enumerate(answers):
        tenths = 1 + index * 7 % 13
        assert answer.characters == (str(index % 10),) * tenths
        assert answer.start_ms.tolist() == [100 * n for n in range(tenths)]
    loud = models.emotions(segments, deadline_s=20)[:, 0]
    assert np.allclose(loud, [100 * (index % 10) / 32768 for index in range(40)], atol=1e-4)


def test_feelings_of_a_long_call_keep_the_order_of_its_turns(models: TritonModels) -> None:
    count = 2 * TURNS_A_REQUEST + 5
    segments = [tone(100 * (index % 10), 1 + index * 7 % 13) for index in range(count)]
    texts = ["好" + "！" * (index % 3 == 0) for index in range(count)]
    felt = models.feelings(segments, texts, [index % 2 for index in range(count)], deadline_s=20)
    assert felt.sound is not None and felt.words is not None and felt.arousal is not None
    assert np.allclose(felt.sound[:, 0], [100 * (index % 10) / 32768 for index in range(count)], atol=1e-4)
    assert felt.words[:, 0].tolist() == [index % 3 == 0 for index in range(count)]
    assert felt.arousal[:, 0].tolist() == [index % 2 for index in range(count)]


def test_a_chat_is_felt_by_its_words_alone(models: TritonModels) -> None:
    felt = models.feelings(None, ["好！", "好"], [0, 1], deadline_s=20)
    assert felt.sound is None and felt.arousal is None
    assert felt.words is not None and felt.words.tolist() == [[1, 0], [0, 1]]
    assert models.feelings(None, [], [], deadline_s=1) == Feelings()


def test_tags_see_role_and_previous_text(models: TritonModels) -> None:
    scores = models.tag_turns(TEXTS, ["agent", "customer", "agent"], ["", *TEXTS[:-1]], deadline_s=10)
    assert scores.tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 1]]


def test_nothing_asked_is_nothing_answered(models: TritonModels) -> None:
    assert models.transcribe([], deadline_s=1) == []
    assert models.emotions([], deadline_s=1).shape == (0, 2)
    assert models.tag_turns([], [], [], deadline_s=1).shape == (0, 3)


def test_requests_of_different_length_share_batches_and_answer_as_alone(models: TritonModels) -> None:
    segments = [tone(100 * (index % 10), 1 + index % 9) for index in range(48)]
    client = TritonClient(models.state().address)
    start = client.statistics("asr")
    alone = [models.transcribe([segment], deadline_s=10)[0] for segment in segments]
    middle = client.statistics("asr")
    with ThreadPoolExecutor(4) as callers:
        parts = callers.map(lambda n: models.transcribe(segments[n::4], deadline_s=20), range(4))
        together = dict(enumerate(parts))
    end = client.statistics("asr")
    client.close()
    assert all(same(together[n % 4][n // 4], alone[n]) for n in range(48))
    assert (end[0] - middle[0]) / (end[1] - middle[1]) > 1.5
    assert (middle[0] - start[0]) / (middle[1] - start[1]) < 1.2  # control: alone there is nothing to batch


def test_an_exception_of_the_model_costs_only_its_request(healthy: TritonModels) -> None:
    repairs = [model.repairs for model in healthy.state().models]
    with ThreadPoolExecutor(3) as callers:
        bad = callers.submit(healthy.transcribe, [tone(RAISE, 1)], deadline_s=10)
        good = [callers.submit(healthy.transcribe, [tone(500, 2)] * 12, deadline_s=20) for _ in range(2)]
        assert all(answer.characters == ("5", "5") for future in good for answer in future.result())
        with pytest.raises(BadModel) as raised:
            bad.result()
    assert "ValueError" in raised.value.what and "asr" in raised.value.what
    assert not any(secret in str(raised.value) for secret in ("/", "weights", str(RAISE)))
    assert [model.repairs for model in healthy.state().models] == repairs


def test_a_request_that_kills_the_model_costs_only_itself(healthy: TritonModels) -> None:
    with ThreadPoolExecutor(2) as callers:
        bad = callers.submit(healthy.transcribe, [tone(DIE, 1)], deadline_s=60)
        good = callers.submit(healthy.transcribe, [tone(300, 2)] * 20, deadline_s=60)
        with pytest.raises(BadModel, match="its process died"):
            bad.result()
        assert all(answer.characters == ("3", "3") for answer in good.result())


def test_a_deadline_ends_the_wait(healthy: TritonModels) -> None:
    with pytest.raises(DeadlineOver, match="help: "):
        healthy.transcribe([tone(SLOW, 1)] * 6, deadline_s=0.8)
    assert len(healthy.transcribe([tone(SLOW, 1)], deadline_s=8)) == 1  # control: with time enough it answers


def test_many_threads_get_their_own_answers(healthy: TritonModels) -> None:
    wrong: list[int] = []

    def caller(level: int) -> None:
        answers = healthy.transcribe([tone(100 * level, 3)] * 10, deadline_s=30)
        if any(answer.characters != (str(level),) * 3 for answer in answers):
            wrong.append(level)

    threads = [threading.Thread(target=caller, args=(level,)) for level in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_triton_of_someone_else_is_used_and_left_alone(healthy: TritonModels) -> None:
    guest = connect(settings(triton_url=healthy.state().address))
    try:
        assert guest.healthy and guest.state().pids == {} and guest.asr.version == "1"
        assert guest.transcribe([tone(700, 1)], deadline_s=5)[0].characters == ("7",)
    finally:
        guest.close()
    assert not guest.healthy
    assert healthy.transcribe([tone(700, 1)], deadline_s=5)[0].characters == ("7",)
    assert until(lambda: healthy.healthy, 5)
