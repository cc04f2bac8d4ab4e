"""Keeps Triton and its models working: starts them, asks each a known question, repairs what fails.

Triton never restarts a dead Python model process and still reports it ready, so the canary decides. A
model's repair is: kill its process, unload, load, canary; if that fails, restart the server once. One
thread does all of it.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from server.adapters import triton_contract as contract
from server.adapters.triton_client import TritonClient
from server.adapters.triton_lane import Lane
from server.adapters.triton_probe import Interpreter, check_interpreter
from server.adapters.triton_process import TritonProcess
from server.adapters.triton_tensors import Fault
from server.adapters.triton_ward import LOAD_S, Backoff, Ward
from server.config import Settings
from server.errors import BadModel, BadSetting, EarshotError

LOG = logging.getLogger("earshot.triton")

ROAD = (contract.ASR, contract.EMOTION, contract.TAGS)
LIVE_S = 60.0
"""Longest a server may take to answer after its start."""
TICK_S = 0.25


class Supervisor:
    """Owner of the server (if it is ours), the connection, and the models' lanes."""

    def __init__(self, settings: Settings, models: Sequence[str] = ROAD) -> None:
        self._settings = settings
        self._local = not settings.triton_url
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._owning = threading.Lock()
        self._server: TritonProcess | None = None
        self._client: TritonClient | None = None
        self._backoff = Backoff()
        self.interpreter: Interpreter | None = None
        self.restarts = 0
        self.wards = {name: self._make_ward(name) for name in models}
        self._thread = threading.Thread(target=self._run, name="triton-supervisor", daemon=True)

    def start(self) -> None:
        """Start the server, check its interpreter, load and prove the models; then keep watch.

        Raises:
            BadSetting, BadModel: something is not fit to run on; nothing is left running.
        """
        wards = list(self.wards.values())
        try:
            client = self._boot()
            with ThreadPoolExecutor(len(wards)) as pool:
                list(pool.map(lambda ward: ward.load(client), wards))
            for ward in wards:
                ward.prove(client)
                ward.open(client)
        except BaseException:
            self.close()
            raise
        self._thread.start()

    def close(self) -> None:
        """Fail what waits, stop the server, leave nothing behind; may be called twice."""
        self._stop.set()
        self._wake.set()
        for ward in self.wards.values():
            ward.lane.shut()
        with self._owning:
            if self._client is not None:
                self._client.close()
            if self._server is not None:
                self._server.stop()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def server(self) -> TritonProcess | None:
        """Our own server now; none when Triton is someone else's."""
        return self._server

    @property
    def watching(self) -> bool:
        """Whether the watch is alive."""
        return self._thread.is_alive() and not self._stop.is_set()

    def _make_ward(self, model: str) -> Ward:
        settings = self._settings
        lane = Lane(
            model,
            in_flight=settings.models_in_flight,
            timeout_s=settings.model_timeout_s,
            report=self._wake.set,
        )
        return Ward(
            lane,
            settings.model_repository.resolve() / model,
            local=self._local,
            timeout_s=settings.model_timeout_s,
            canary_every_s=settings.canary_every_s,
        )

    def _boot(self) -> TritonClient:
        """Start our server or reach the given one; return a connection to it, checked."""
        with self._owning:
            if self._stop.is_set():
                raise BadSetting("Triton is not started: earshot is stopping", help="start earshot again")
            if self._client is not None:
                self._client.close()
            if self._server is not None:
                self._server.stop()
            server = TritonProcess(self._settings) if self._local else None
            client = TritonClient(server.url if server is not None else self._settings.triton_url)
            self._server, self._client = server, client
        self._wait_live(client)
        if server is not None:
            self.interpreter = check_interpreter(client, bundled=server.installation.bundled)
        return client

    def _wait_live(self, client: TritonClient) -> None:
        server, until = self._server, time.monotonic() + LIVE_S
        while not client.live():
            ended = server is not None and server.ended
            if ended or time.monotonic() > until or self._stop.wait(0.02):
                address = self._settings.triton_url or "our own tritonserver"
                tail = f"; its last words: {server.log_tail}" if server is not None else ""
                raise BadSetting(
                    f"{address} {'ends at its start' if ended else 'does not answer'}{tail}",
                    help="check EARSHOT_TRITON_URL and EARSHOT_TRITON_BIN",
                )

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(min(TICK_S, self._settings.canary_every_s))
            self._wake.clear()
            try:
                self._step()
            except Exception:
                if not self._stop.is_set():
                    LOG.exception("a fault in the supervisor itself")

    def _step(self) -> None:
        client = self._client
        if client is None or (self._server is not None and self._server.ended):
            self._restart("the server died")
            return
        for ward in self.wards.values():
            if ward.lane.is_open:
                ward.watch(client, self._wake.set)
            elif not self._stop.is_set() and not self._repair(ward, client):
                return

    def _repair(self, ward: Ward, client: TritonClient) -> bool:
        """Reload a model; return whether ``client`` is still the connection to use."""
        if not ward.backoff.begin():
            return True
        ward.repairs += 1
        LOG.warning("model %s: repair %d: %s", ward.lane.model, ward.repairs, ward.lane.reason)
        try:
            self._reload(ward, client)
        except EarshotError as error:
            ward.lane.reason = error.what
            if self._server is not None and (ward.backoff.tries == 1 or not client.live()):
                self._restart(error.what)
                return False
        else:
            ward.open(client)
        return True

    def _reload(self, ward: Ward, client: TritonClient) -> None:
        ward.forget_canary()
        if self._server is not None:
            self._server.kill_stubs(ward.folder)
        elif client.ready(ward.lane.model) and _proves(ward, client):
            return
        try:
            client.unload(ward.lane.model, LOAD_S)
        except Fault as fault:
            help = "run Triton with --model-control-mode=explicit, or restart it"
            what = f"the model {ward.lane.model!r} cannot be unloaded: {fault.what}"
            raise BadModel(what, help=help) from None
        ward.load(client)
        ward.prove(client)
        if self._server is not None:
            self._server.remove_dead_regions()

    def _restart(self, reason: str) -> None:
        """Start the server anew and bring up every model that will; the others stay closed."""
        for ward in self.wards.values():
            ward.lane.close(reason)
            ward.forget_canary()
        if self._stop.is_set() or not self._backoff.begin():
            return
        self.restarts += 1
        LOG.warning("tritonserver: restart %d: %s", self.restarts, reason)
        try:
            client = self._boot()
        except EarshotError as error:
            for ward in self.wards.values():
                ward.lane.reason = error.what
            return
        self._backoff.reset()
        for ward in self.wards.values():
            try:
                ward.load(client)
                ward.prove(client)
                ward.open(client)
            except EarshotError as error:
                ward.lane.reason = error.what


def _proves(ward: Ward, client: TritonClient) -> bool:
    try:
        ward.prove(client)
    except EarshotError:
        return False
    return True
