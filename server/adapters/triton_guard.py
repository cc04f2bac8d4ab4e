"""The guard: a small parent of tritonserver that outlives earshot just long enough to clean up after it.

Run as ``python -I -S triton_guard.py OWNER_PID FOLDER COMMAND…``; stands alone on the standard library so
that it starts in milliseconds. It starts COMMAND, holds a lock in FOLDER, and waits for whichever comes
first: SIGTERM, the owner's death, or the command's own end. In all three cases tritonserver and its stubs are
killed and no process, socket or shared-memory region is left: models keep nothing that a graceful stop, which
takes Triton two seconds and more, could save. If the guard itself is killed, the kernel kills
tritonserver (PR_SET_PDEATHSIG; it fires when the spawning thread ends, and the guard's main thread is the
spawner) and the lock falls, which tells ``sweep`` at the next start that the leftovers are nobody's.
"""

import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

FOLDER_PREFIX = "earshot-triton-"
STUB_NAME = "triton_python_backend_stub"
"""The executable that Triton starts for each instance of a Python model."""
SHM = Path("/dev/shm")
BACKEND_START_S = 20.0
"""Longest from the guard's start to the start of the Python backend."""
UNLOCKED_AGE_S = 60.0
"""A folder without a lock file is a start in progress until it is this old."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def shm_prefix(folder: Path) -> str:
    """Prefix of the shared-memory regions that belong to ``folder``."""
    return f"earshot_{folder.name.removeprefix(FOLDER_PREFIX)}_"


def processes(mark: str) -> Iterator[tuple[int, list[str]]]:
    """Pid and arguments of every process with an argument that contains ``mark``."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                arguments = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if any(mark in argument for argument in arguments):
                yield int(entry.name), arguments


def kill_stubs(prefix: str) -> None:
    """Kill the Python model processes whose shared-memory region starts with ``prefix``."""
    for pid, arguments in processes(prefix):
        if arguments[0].endswith(STUB_NAME):
            _signal(pid, signal.SIGKILL)


def remove(folder: Path) -> None:
    """Kill what is left of a server and remove its shared-memory regions and its folder."""
    prefix = shm_prefix(folder)
    kill_stubs(prefix)
    for region in SHM.glob(f"{prefix}*"):
        region.unlink(missing_ok=True)
    _remove_backend_folder(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _remove_backend_folder(folder: Path) -> None:
    """Remove the empty ``/tmp/python_env_*`` that the Python backend makes at its start and a kill leaves.

    Its name tells no owner, so the time of its making decides; should it be another server's that started in
    the same seconds, that one loses a folder it only uses for packed environments, which we do not serve.
    """
    try:
        started = (folder / "lock").stat().st_mtime
    except OSError:
        return
    for path in Path("/tmp").glob("python_env_*"):
        try:
            if 0 <= path.stat().st_mtime - started <= BACKEND_START_S and path.stat().st_uid == os.getuid():
                path.rmdir()
        except OSError:
            continue


def sweep(base: Path) -> list[str]:
    """Remove the leftovers of dead owners under ``base``; return the names of the folders removed."""
    removed = []
    for folder in base.glob(f"{FOLDER_PREFIX}*"):
        try:
            if folder.stat().st_uid == os.getuid() and _is_abandoned(folder):
                remove(folder)
                removed.append(folder.name)
        except OSError:
            continue
    return removed


def _is_abandoned(folder: Path) -> bool:
    lock = folder / "lock"
    if not lock.exists():
        return time.time() - folder.stat().st_mtime > UNLOCKED_AGE_S
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _lock(folder: Path) -> int:
    """Take the folder's lock; the file gets its name only once it is locked, so ``sweep`` sees no gap."""
    new = folder / "lock.new"
    handle = os.open(new, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    os.write(handle, f"{os.getpid()}\n".encode())
    new.rename(folder / "lock")
    return handle


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _start(command: list[str]) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = os.getpid()

    def die_with_the_guard() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)

    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_the_guard)


def guard(owner: int, folder: Path, command: list[str]) -> int:
    """Run ``command`` until SIGTERM, the owner's death or its own end; clean up; return its exit code."""
    stop_read, stop_write = os.pipe()
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(stop_write, False)
    signal.set_wakeup_fd(stop_write)
    lock = _lock(folder)
    server = None
    try:
        owner_end = os.pidfd_open(owner)
        if os.getppid() != owner:
            return 1
        server = _start(command)
        server_end = os.pidfd_open(server.pid)
        ready, _, _ = select.select([stop_read, owner_end, server_end], [], [])
        return server.wait() if server_end in ready else 0
    finally:
        if server is not None:
            server.kill()
            server.wait()
        remove(folder)
        os.close(lock)


if __name__ == "__main__":
    sys.exit(abs(guard(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])))
