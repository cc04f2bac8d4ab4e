"""One decoder child process and the socket to it, as server/pipeline/decode.py holds it."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

from server.config import ROOT
from server.errors import BadSetting
from server.pipeline.decode_child import FILE, HEADER

_START_S = 30.0
_LONGEST_MESSAGE = 1 << 24
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL


class Gone(Exception):
    """The child closed its end: it died."""


class Late(Exception):
    """The child did not answer in time."""


class Child:
    """One decoder process and the socket to it. Used by one thread at a time."""

    def __init__(self, memory_bytes: int) -> None:
        self._link, theirs = socket.socketpair()
        numbers = (theirs.fileno(), os.getpid(), memory_bytes)
        command = [sys.executable, "-P", "-m", "server.pipeline.decode_child", *map(str, numbers)]
        self._process = subprocess.Popen(
            command,
            pass_fds=(theirs.fileno(),),
            env={"PYTHONPATH": str(ROOT), "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        self.files = 0
        try:
            self.receive(time.monotonic() + _START_S)
        except (Gone, Late) as error:
            raise BadSetting(
                f"the decoder child does not start ({type(error).__name__}), exit status {self.end()}",
                help=f"run `{' '.join(command[:4])}`; EARSHOT_DECODE_MEMORY_BYTES is {memory_bytes}",
            ) from None

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def send_file(self, data: bytes, request: dict[str, Any]) -> None:
        """Hand over a file as sealed memory: nobody can change it, and no copy passes through the socket."""
        descriptor = os.memfd_create("media", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            _write_all(descriptor, data)
            os.lseek(descriptor, 0, os.SEEK_SET)
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            payload = json.dumps(request).encode()
            socket.send_fds(self._link, [HEADER.pack(FILE, len(payload))], [descriptor])
            self._link.sendall(payload)
        except OSError:
            raise Gone from None
        finally:
            os.close(descriptor)

    def receive(self, until: float) -> tuple[bytes, bytearray]:
        """The next message: its kind and payload."""
        kind, length = HEADER.unpack(self._exactly(HEADER.size, until))
        if length > _LONGEST_MESSAGE:
            raise Gone
        return kind, self._exactly(length, until)

    def _exactly(self, count: int, until: float) -> bytearray:
        block = bytearray(count)
        view = memoryview(block)
        while view:
            self._link.settimeout(max(until - time.monotonic(), 1e-3))
            try:
                got = self._link.recv_into(view)
            except TimeoutError:
                raise Late from None
            except OSError:
                raise Gone from None
            if not got:
                raise Gone
            view = view[got:]
        return block

    def end(self) -> int:
        """End the process; its exit status, which is its own if it had ended already."""
        try:
            self._process.wait(0.05)
        except subprocess.TimeoutExpired:
            self._process.kill()
        status = self._process.wait()
        self._link.close()  # last: another thread may be reading from it until the process is gone
        return status


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
