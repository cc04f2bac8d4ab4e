"""A lane is one model's way to Triton: open while the model works, closed while it is repaired.

It bounds the requests in flight, carries a list of requests through (longest first, answers in order), and
tries each request again when that is of use. Requests are pure questions, so asking twice is safe. One that
fails twice in company is asked again alone, so that a request which kills or fails the model costs only
itself in the end.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from server.adapters.triton_client import TritonClient
from server.adapters.triton_tensors import Fault, FaultKind, Outputs, Request
from server.errors import BadModel, DeadlineOver, EarshotError, ModelUnavailable

LOG = logging.getLogger("earshot.triton")
T = TypeVar("T")

GIVE_UP_S = 60.0
"""A lane closed for longer than this fails requests at once instead of letting them wait."""
TRIES_IN_COMPANY = 2
TRIES = 3
"""Tries of a request whose model dies, fails or answers wrongly: two in company, one alone."""
HANG_TRIES = 2
"""What a hang counts: no request makes its model hang for ``timeout_s`` more than twice."""
FULL_PAUSE_S = 0.05

_GIVEN_UP = {
    FaultKind.FAILED: "the model cannot take this input; the log at level INFO names the place in its code",
    FaultKind.GONE: "this input kills the model; other requests are not harmed",
    FaultKind.HUNG: "this input hangs the model, or takes longer than EARSHOT_MODEL_TIMEOUT_S",
    FaultKind.WRONG: "the model breaks its contract (docs/triton.md); restore its files",
    FaultKind.REFUSED: "the model's config.pbtxt does not fit the contract in docs/triton.md",
}
_PLACE = re.compile(r"([\w.]+\.py\(\d+\): [\w<>]+)")
"""A line of a model's traceback. It may be logged; the exception's text may hold words of a call."""


@dataclass(frozen=True)
class Job(Generic[T]):
    """One question, how its answer is read, and how long it is compared with others."""

    request: Request
    read: Callable[[Outputs], T]
    size: int


class Lane:
    """One model's lane; ``report`` is called on each fault that only a repair can mend."""

    def __init__(self, model: str, *, in_flight: int, timeout_s: float, report: Callable[[], None]) -> None:
        self.model = model
        self.reason = "it is starting"
        self._report = report
        self._timeout_s = timeout_s
        self._pool = ThreadPoolExecutor(in_flight, thread_name_prefix=f"triton-{model}")
        self._changed = threading.Condition()
        self._alone = threading.Lock()
        self._client: TritonClient | None = None
        self._closed_since = time.monotonic()
        self._shut = False
        self.generation = 0
        self.last_answer = time.monotonic()
        self.canary_s = 0.0
        """How long the last canary took; a canary queues like any request."""

    @property
    def is_open(self) -> bool:
        """Whether requests go through now."""
        return self._client is not None

    def open(self, client: TritonClient) -> None:
        """Let requests through to ``client``, whose model has just given the right answer."""
        with self._changed:
            self.generation += 1
            self.reason = ""
            self.last_answer = time.monotonic()
            self._client = client
            self._changed.notify_all()

    def close(self, reason: str, generation: int | None = None) -> None:
        """Hold requests back; ``generation`` given: only if the lane was not repaired since then."""
        with self._changed:
            if self._client is not None and generation in (None, self.generation):
                self._client = None
                self._closed_since = time.monotonic()
                self.reason = reason
        self._report()

    def shut(self) -> None:
        """Fail all waiting and coming requests: the adapter is being closed."""
        with self._changed:
            self._client, self._shut, self.reason = None, True, "earshot is stopping"
            self._changed.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def ask_all(self, jobs: Sequence[Job[T]], deadline_s: float) -> list[T]:
        """Answers to ``jobs`` in their order; the first error ends the rest.

        Raises:
            ModelUnavailable, BadModel, DeadlineOver: see server/errors.py.
        """
        until = time.monotonic() + deadline_s
        longest_first = sorted(range(len(jobs)), key=lambda index: -jobs[index].size)
        futures: dict[int, Future[T]] = {}
        try:
            for index in longest_first:
                futures[index] = self._pool.submit(self._ask, jobs[index], until)
        except RuntimeError:
            raise self._unavailable() from None
        done, waiting = wait(futures.values(), return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
        for future in done:
            if not future.cancelled() and (error := future.exception()) is not None:
                raise error
        return [futures[index].result() for index in range(len(jobs))]

    def _ask(self, job: Job[T], until: float) -> T:
        tries = 0
        while True:
            with self._company(tries, until):
                client, generation = self._wait_open(until)
                sent = time.monotonic()
                try:
                    answer = job.read(
                        client.infer(job.request, max(0.001, min(self._timeout_s, until - sent)))
                    )
                except Fault as error:
                    fault = self._or_hung(error, sent, until)
                    tries += self._weigh(fault, generation, until)
                    if tries >= TRIES:
                        raise self._given_up(fault) from None
                else:
                    self.last_answer = time.monotonic()
                    return answer

    @contextmanager
    def _company(self, tries: int, until: float) -> Iterator[None]:
        if tries < TRIES_IN_COMPANY:
            yield
            return
        if not self._alone.acquire(timeout=max(0.0, until - time.monotonic())):
            raise self._too_late()
        try:
            yield
        finally:
            self._alone.release()

    def _wait_open(self, until: float) -> tuple[TritonClient, int]:
        with self._changed:
            while (client := self._client) is None:
                now = time.monotonic()
                patience = min(until, self._closed_since + GIVE_UP_S) - now
                if self._shut or patience <= 0:
                    raise self._unavailable()
                self._changed.wait(patience)
            if time.monotonic() >= until:
                raise self._too_late()
            return client, self.generation

    def _or_hung(self, fault: Fault, sent: float, until: float) -> Fault:
        """A late answer means a hang if no other came meanwhile, or if canaries are quick: no queue then."""
        late = fault.kind is FaultKind.LATE and time.monotonic() < until
        hung = self.last_answer < sent or self.canary_s < self._timeout_s / 4
        return Fault(FaultKind.HUNG, "it hangs") if late and hung else fault

    def _weigh(self, fault: Fault, generation: int, until: float) -> int:
        """Do what the fault asks for; return how many tries it counts."""
        if fault.kind is FaultKind.REFUSED:
            raise self._given_up(fault)
        if fault.kind is FaultKind.FULL:
            time.sleep(FULL_PAUSE_S)
            return 0
        if fault.kind is FaultKind.LATE:
            if time.monotonic() >= until:
                raise self._too_late()
        elif fault.kind in (FaultKind.GONE, FaultKind.WRONG, FaultKind.HUNG):
            self.close(fault.what, generation)
        return HANG_TRIES if fault.kind is FaultKind.HUNG else 1

    def _given_up(self, fault: Fault) -> EarshotError:
        what = f"the model {self.model!r} fails on a request: {fault.what}"
        if fault.kind is FaultKind.LATE:
            help = "give the models more processors, or raise EARSHOT_MODEL_TIMEOUT_S"
            return ModelUnavailable(what, help=help)
        if places := _PLACE.findall(fault.details):
            LOG.info("model %s: %s at %s", self.model, fault.what, ", ".join(places))
        return BadModel(what, help=_GIVEN_UP[fault.kind])

    def _too_late(self) -> DeadlineOver:
        what = f"the time for the answer of the model {self.model!r} is over"
        return DeadlineOver(what, help="give the inspection a longer deadline, or the models more processors")

    def _unavailable(self) -> ModelUnavailable:
        what = f"the model {self.model!r} does not answer: {self.reason}"
        return ModelUnavailable(
            what, help="it is being repaired; try again, and see `earshot doctor` if it lasts"
        )
