"""Decoder children that hang, die or outlive their parent; long files."""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from server.config import ROOT, load
from server.errors import Busy, DeadlineOver
from server.pipeline import decode
from server.pipeline.decode import Decoder
from tests.server.pipeline.decoders import (
    child_pids,
    code_of,
    only_new_child,
    settings,
    take,
    two_tones,
)
from tests.server.pipeline.media_files import (
    encode,
    wav,
)

# ── children that hang or die ──


def test_hanging_child_ends_in_decoder_time_and_is_replaced(make_decoder) -> None:  # type: ignore[no-untyped-def]
    it, before, data = make_decoder(decode_wall_s=0.5), child_pids(), wav(two_tones(8000), 8000)
    take(it, data)
    hung = only_new_child(before)
    os.kill(hung, signal.SIGSTOP)
    began = time.monotonic()
    assert code_of(it, data) == "decoder_time"
    assert 0.4 < time.monotonic() - began < 2
    assert take(it, data).duration_ms == 2000
    assert only_new_child(before) != hung


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGKILL, "decoder_died"), (signal.SIGSEGV, "decoder_died"), (signal.SIGXCPU, "decoder_time")],
)
def test_child_killed_in_mid_file(make_decoder, number: int, code: str) -> None:  # type: ignore[no-untyped-def]
    it, before, data = make_decoder(), child_pids(), wav(two_tones(8000), 8000)
    take(it, data)
    pid = only_new_child(before)
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(code_of, it, data)
        time.sleep(0.2)
        os.kill(pid, number)
        os.kill(pid, signal.SIGCONT)
        assert answer.result(10) == code
    assert take(it, data).duration_ms == 2000


def test_child_that_died_idle_costs_no_file(make_decoder) -> None:  # type: ignore[no-untyped-def]
    it, before, data = make_decoder(), child_pids(), wav(two_tones(8000), 8000)
    take(it, data)
    os.kill(only_new_child(before), signal.SIGKILL)
    time.sleep(0.1)
    assert take(it, data).duration_ms == 2000


def test_children_are_recycled(make_decoder, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(decode, "FILES_PER_CHILD", 2)
    it, before, data = make_decoder(), child_pids(), wav(two_tones(8000), 8000)
    pids = []
    for _ in range(4):
        take(it, data)
        pids.append(child_pids() - before)
    assert pids[0] and not pids[1] and pids[2] and pids[2] != pids[0]


def test_many_threads_share_the_pool() -> None:
    files = [wav(two_tones(8000, 0.5) // (n + 1), 8000) for n in range(8)]
    with contextlib.closing(Decoder(load(decode_workers=2))) as it, ThreadPoolExecutor(8) as pool:
        before = len(child_pids())
        for _ in range(3):
            audios = list(pool.map(lambda data: take(it, data), files))
            for n, audio in enumerate(audios):
                assert np.array_equal(audio.pcm, two_tones(8000, 0.5) // (n + 1))
        assert len(child_pids()) - before <= 2


def test_deadline_counts_the_wait_for_a_free_child(make_decoder) -> None:  # type: ignore[no-untyped-def]
    it, before, data = make_decoder(), child_pids(), wav(two_tones(8000), 8000)
    take(it, data)
    os.kill(only_new_child(before), signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(it.decode, data, sample_rate_hz=8000, deadline_s=1.0)
        time.sleep(0.1)
        with pytest.raises(DeadlineOver, match=r"0\.2 s"):
            it.decode(data, sample_rate_hz=8000, deadline_s=0.2)
        with pytest.raises(DeadlineOver):
            first.result()


def test_close_leaves_nothing_behind() -> None:
    descriptors, children = len(os.listdir("/proc/self/fd")), child_pids()  # noqa: PTH208
    it = Decoder(settings())
    take(it, wav(two_tones(8000), 8000))
    it.close()
    it.close()
    assert child_pids() == children
    assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208
    with pytest.raises(Busy, match="closed"):
        take(it, wav(two_tones(8000), 8000))


_PARENT = """
import sys, threading
from server.config import load
from server.pipeline.decode import Decoder
decoder = Decoder(load(decode_workers=1))
data = open(sys.argv[1], "rb").read()
def once():
    decoder.decode(data, sample_rate_hz=8000, deadline_s=60)
thread = threading.Thread(target=once)
thread.start()
thread.join()
once()
print("decoded", flush=True)
sys.stdin.read()
"""


def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(wav(two_tones(8000), 8000))
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path / "a.wav")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout and parent.stdout.readline() == b"decoded\n"
        (pid,) = child_pids(parent.pid)  # the thread that first asked for it has ended: the child has not
        os.kill(pid, signal.SIGSTOP)  # so that it cannot notice the closed socket
        parent.kill()
        parent.wait()
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < until, f"decoder child {pid} outlived its parent"
        time.sleep(0.02)


# ── long files ──


def test_three_hours_of_alaw(decoder: Decoder) -> None:
    minute = np.random.default_rng(5).normal(0, 2000, (2, 480_000)).astype(np.int16)
    alaw = encode(minute, 8000, "wav", "pcm_alaw")
    at = alaw.index(b"data") + 8
    body = alaw[at : at + 960_000] * 180
    sizes = struct.pack("<I", at - 8 + len(body)), struct.pack("<I", len(body))
    audio = take(decoder, alaw[:4] + sizes[0] + alaw[8 : at - 4] + sizes[1] + body)
    assert audio.pcm.shape == (2, 180 * 480_000) and audio.warnings == ()
    assert np.array_equal(audio.pcm[:, :480_000], audio.pcm[:, -480_000:])


def test_half_an_hour_of_amr(decoder: Decoder) -> None:
    minute = np.random.default_rng(6).normal(0, 2000, (1, 480_000)).astype(np.int16)
    amr = encode(minute, 8000, "amr", "libopencore_amrnb")
    audio = take(decoder, amr[:6] + amr[6:] * 30)
    assert audio.duration_ms == pytest.approx(1800_000, abs=1000) and audio.warnings == ()
