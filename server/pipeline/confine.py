"""Limits that a process puts on itself before it reads what strangers sent (Linux)."""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_CPU_BASE_S, _CPU_PER_MB_S = 10, 12
"""AMR-NB costs most a byte: at 4.75 kbit/s a MB is half an hour, which takes 4 to 8 s."""


def confine(parent: int, memory_bytes: int) -> None:
    """Give up what decoding does not need: network, files to write, memory, a life without the parent."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    if libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.chdir("/")
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 32),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def allow_cpu(size_bytes: int) -> None:
    """Allow a file ``_CPU_BASE_S`` plus ``_CPU_PER_MB_S`` for each MB, on top of what was used before."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = usage.ru_utime + usage.ru_stime + _CPU_BASE_S + _CPU_PER_MB_S * (size_bytes >> 20)
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, resource.RLIM_INFINITY))
