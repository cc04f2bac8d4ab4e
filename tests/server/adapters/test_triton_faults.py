"""Real kills of a real Triton: noticed, repaired, no wrong answer, nothing left behind."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from server.adapters import triton_guard
from server.adapters.triton import TritonModels, connect
from server.adapters.triton_process import TritonProcess
from server.errors import BadModel, ModelUnavailable
from tests.fakes.repository import FAKE_MODELS, HANG, NOTHING, SLOW, Leftovers, copy_models, edit
from tests.server.adapters.conftest import settings, until
from tests.server.adapters.test_triton_answers import tone

ROOT = Path(__file__).resolve().parents[3]
OWNER = """
import signal, sys, threading
from pathlib import Path
from server.adapters.triton import connect
from server.config import load

models = connect(load(model_repository=Path(sys.argv[1])))
if sys.argv[2] == "closes":
    signal.signal(signal.SIGTERM, lambda *_: (models.close(), sys.exit(0)))
print(models.state().pids["guard"], flush=True)
threading.Event().wait(60)
"""


def repaired(models: TritonModels) -> int:
    """Repairs and restarts so far."""
    state = models.state()
    return state.restarts + sum(model.repairs for model in state.models)


def counts(leftovers: Leftovers) -> dict[str, int]:
    """How many processes, folders and regions there are now."""
    return {kind: len(found) for kind, found in leftovers.look().items()}


def test_a_dead_idle_stub_is_noticed_and_repaired(healthy: TritonModels, leftovers: Leftovers) -> None:
    before = leftovers.look()
    assert all(before.values())  # control: processes, folder and regions of a living server are seen
    killed = time.monotonic()
    os.kill(healthy.state().pids["stub emotion_0_0"], signal.SIGKILL)
    assert until(lambda: not healthy.healthy, 3.0)
    assert until(lambda: healthy.healthy, 10)
    assert time.monotonic() - killed < 10
    assert healthy.emotions([tone(0, 1)], deadline_s=5).tolist() == [[0, 1]]
    assert len(leftovers.look()["regions"]) == len(before["regions"])


def test_a_request_survives_the_death_of_its_stub(healthy: TritonModels) -> None:
    with ThreadPoolExecutor(1) as caller:
        future = caller.submit(healthy.transcribe, [tone(SLOW, 1), tone(400, 2)], deadline_s=20)
        time.sleep(0.2)
        os.kill(healthy.state().pids["stub asr_0_0"], signal.SIGKILL)
        assert future.result()[1].characters == ("4", "4")
    assert until(lambda: healthy.healthy, 10)


@pytest.mark.parametrize("victim", ["server", "guard"])
def test_a_request_survives_the_death_of_the_server(
    healthy: TritonModels, leftovers: Leftovers, victim: str
) -> None:
    before = leftovers.look()
    with ThreadPoolExecutor(1) as caller:
        future = caller.submit(healthy.transcribe, [tone(SLOW, 1), tone(600, 2)], deadline_s=30)
        time.sleep(0.2)
        os.kill(healthy.state().pids[victim], signal.SIGKILL)
        assert future.result()[1].characters == ("6", "6")
    assert until(lambda: healthy.healthy, 15)
    # The probe's process of the new server takes a moment to end.
    assert until(lambda: counts(leftovers) == {kind: len(found) for kind, found in before.items()}, 10)
    assert leftovers.look()["folders"] != before["folders"]  # control: it is another server


def test_a_hung_model_is_killed_and_repaired(healthy: TritonModels) -> None:
    before = repaired(healthy)
    with ThreadPoolExecutor(2) as callers:
        bad = callers.submit(healthy.transcribe, [tone(HANG, 1)], deadline_s=40)
        time.sleep(0.2)
        good = callers.submit(healthy.transcribe, [tone(200, 1)], deadline_s=40)
        assert good.result()[0].characters == ("2",)
        with pytest.raises(BadModel, match="it hangs"):
            bad.result()
    assert repaired(healthy) > before
    assert until(lambda: healthy.healthy, 10)


def test_one_hung_process_of_two_is_found(base: Path, tmp_path: Path) -> None:
    folder = copy_models(tmp_path)
    edit(folder / "asr" / "config.pbtxt", "count: 1", "count: 2")
    models = connect(settings(model_repository=folder, model_timeout_s=2.0))
    try:
        stubs = {name: pid for name, pid in models.state().pids.items() if name.startswith("stub asr")}
        with pytest.raises(BadModel, match="it hangs"):
            models.transcribe([tone(HANG, 1)], deadline_s=30)
        assert until(lambda: models.healthy, 10)
        after = models.state().pids
        assert len(stubs) == 2 and all(after[name] != pid for name, pid in stubs.items())
    finally:
        models.close()


def test_a_triton_of_someone_else_is_repaired_and_waited_for(base: Path) -> None:
    host = TritonProcess(settings())
    guest = connect(settings(triton_url=host.url))
    try:
        os.kill(host.pids()["stub asr_0_0"], signal.SIGKILL)
        assert guest.transcribe([tone(800, 1)], deadline_s=20)[0].characters == ("8",)
        assert until(lambda: guest.healthy, 10)
        host.stop()
        with pytest.raises(ModelUnavailable, match="the server does not answer"):
            guest.transcribe([tone(800, 1)], deadline_s=1)
        assert not guest.healthy
    finally:
        guest.close()
        host.stop()


def test_close_leaves_nothing_and_fails_what_waits(base: Path, leftovers: Leftovers) -> None:
    before = leftovers.look()
    models = connect(settings())
    assert leftovers.look() != before  # control
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(models.transcribe, [tone(SLOW, 1)] * 3, deadline_s=30)
        time.sleep(0.2)
        models.close()
        with pytest.raises(ModelUnavailable):
            waiting.result()
    models.close()
    assert leftovers.look() == before
    with pytest.raises(ModelUnavailable, match="stopping"):
        models.transcribe([tone(100, 1)], deadline_s=1)


def start_owner(base: Path, behaviour: str) -> tuple["subprocess.Popen[str]", int]:
    """A process that owns a server; returns it with the pid of its guard once all is up."""
    environment = {**os.environ, "TMPDIR": str(base), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", OWNER, str(FAKE_MODELS), behaviour]
    owner = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    return owner, int(owner.stdout.readline())


@pytest.mark.parametrize(
    ("number", "behaviour", "exit_code"),
    [
        (signal.SIGKILL, "is killed", -signal.SIGKILL),
        (signal.SIGTERM, "has no handler", -signal.SIGTERM),
        (signal.SIGTERM, "closes", 0),
    ],
)
def test_the_end_of_the_owner_leaves_nothing(
    tmp_path_factory: pytest.TempPathFactory, number: signal.Signals, behaviour: str, exit_code: int
) -> None:
    base = tmp_path_factory.mktemp("o")
    leftovers = Leftovers(base)
    owner, _ = start_owner(base, behaviour)
    assert all(leftovers.look().values())  # control
    owner.send_signal(number)
    assert owner.wait(10) == exit_code
    assert until(lambda: leftovers.look() == NOTHING, 5), leftovers.look()


def test_the_next_start_sweeps_what_a_dead_owner_and_guard_left(
    base: Path, healthy: TritonModels, leftovers: Leftovers
) -> None:
    before = leftovers.look()
    owner, guard = start_owner(base, "is killed")
    during = leftovers.look()
    os.kill(guard, signal.SIGKILL)
    owner.kill()
    owner.wait()
    living = set(before["processes"])
    ours = lambda: set(leftovers.look()["processes"]) - living  # noqa: E731
    # A stub that waits for a lock which its server took to the grave stays: the sweep is what ends it.
    assert until(lambda: all(triton_guard.STUB_NAME in process for process in ours()), 5)
    assert leftovers.look()["folders"] == during["folders"]  # control: there is something to sweep
    assert len(triton_guard.sweep(base)) == 1
    assert leftovers.look() == before
    assert healthy.healthy  # the folder of the living server was not touched
