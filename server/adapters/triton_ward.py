"""One model in the supervisor's care: how it is brought up, how its canary is sent and judged."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from server.adapters import triton_contract as contract
from server.adapters.triton_canary import Canary, make_canary
from server.adapters.triton_client import Pending, TritonClient
from server.adapters.triton_lane import Lane
from server.adapters.triton_tensors import Fault, FaultKind
from server.errors import BadModel
from server.pipeline.models import ModelInfo

LOG = logging.getLogger("earshot.triton")

LOAD_S = 180.0
"""Longest a model may take to load."""
STRIKES = 3
"""Exceptions in a row before a canary counts as failed: one may come from a request batched with it."""
_BACKOFF_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


class Backoff:
    """When the next repair may be tried: at once, then later and later while they fail."""

    def __init__(self) -> None:
        self.tries = 0
        self._last = 0.0

    def begin(self) -> bool:
        """Whether a try is due now; it is counted if so."""
        if time.monotonic() - self._last < _BACKOFF_S[min(self.tries, len(_BACKOFF_S) - 1)]:
            return False
        self.tries += 1
        self._last = time.monotonic()
        return True

    def reset(self) -> None:
        """Note that a try went well."""
        self.tries = 0


class Ward:
    """A model: its lane, what its config says, its canary, its repairs."""

    def __init__(
        self, lane: Lane, folder: Path, *, local: bool, timeout_s: float, canary_every_s: float
    ) -> None:
        self.lane = lane
        self.folder = folder
        self.info = ModelInfo(lane.model, "")
        self.canary: Canary | None = None
        self.repairs = 0
        self.backoff = Backoff()
        self._local = local
        self._timeout_s = timeout_s
        self._every_s = canary_every_s
        self._pending: Pending | None = None
        self._sent = 0.0
        self._strikes = 0

    def load(self, client: TritonClient) -> None:
        """Load the model and read its config and its canary.

        Raises:
            BadModel: it is not there, does not load, or its config breaks the contract.
        """
        model = self.lane.model
        if self._local and not self.folder.is_dir():
            help = "set EARSHOT_MODEL_REPOSITORY to a folder with asr, emotion and semantic_tags"
            raise BadModel(f"the model repository has no model {model!r}", help=help)
        try:
            if self._local or not client.ready(model):
                client.load(model, LOAD_S)
            version = contract.folder_digest(self.folder) if self._local else ",".join(client.versions(model))
            self.info = contract.model_info(model, client.config(model), version)
        except Fault as fault:
            help = f"mend {model} in the model repository; `earshot doctor` shows Triton's log"
            raise BadModel(f"the model {model!r} does not load: {fault.what}", help=help) from None
        self.canary = make_canary(self.info, self.folder)

    def prove(self, client: TritonClient) -> None:
        """Ask the canary and wait for the right answer.

        Raises:
            BadModel: the answer is wrong or does not come.
        """
        if self.canary is None:
            return
        self._sent = time.monotonic()
        try:
            self.canary.check(client.infer(self.canary.request, self._timeout_s))
        except Fault as fault:
            help = (
                "its files are damaged or do not fit this machine; restore them, or write a new canary.json"
            )
            raise BadModel(
                f"the model {self.lane.model!r} fails its canary: {fault.what}", help=help
            ) from None
        self._passed()

    def open(self, client: TritonClient) -> None:
        """Let requests through: the model has just been proved."""
        self.backoff.reset()
        self.lane.open(client)

    def watch(self, client: TritonClient, wake: Callable[[], None]) -> None:
        """Send the canary when it is due, judge it when it is back, close the lane when none comes back."""
        now = time.monotonic()
        if self._pending is not None:
            if self._pending.done():
                self._judge(self._pending)
            elif now - max(self._sent, self.lane.last_answer) > self._timeout_s:
                self.lane.close("it hangs")
        elif self.canary is not None and now - self._sent >= self._every_s:
            self._sent = now
            try:
                self._pending = client.begin(self.canary.request, wake)
            except Fault as fault:
                self.lane.close(fault.what)

    def forget_canary(self) -> None:
        """Take back the canary under way: the model is going to be reloaded."""
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def _judge(self, pending: Pending) -> None:
        self._pending = None
        try:
            if self.canary is not None:
                self.canary.check(pending.outputs())
        except Fault as fault:
            self._strikes += 1
            if fault.kind is FaultKind.FAILED and self._strikes < STRIKES:
                self._sent = 0.0
            elif fault.kind is not FaultKind.FULL:
                self.lane.close(fault.what)
            return
        self._passed()

    def _passed(self) -> None:
        now = time.monotonic()
        self.lane.canary_s = now - self._sent
        self.lane.last_answer = now
        self._strikes = 0
