"""Copies of the fake model repository, whole or spoilt, and a look at what a Triton leaves behind."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

FAKE_MODELS = Path(__file__).parent / "model_repository"
RAISE, HANG, DIE, SLOW = -32001, -32002, -32003, -32004
"""First samples of a segment at which the fake recogniser does harm."""


def copy_models(folder: Path) -> Path:
    """A copy of the fake models that a test may spoil."""
    return Path(shutil.copytree(FAKE_MODELS, folder / "models", ignore=shutil.ignore_patterns("__pycache__")))


def edit(path: Path, old: str, new: str) -> None:
    """Replace ``old``, which must be there, in a text file."""
    text = path.read_text()
    if old not in text:
        raise ValueError(f"{old!r} is not in {path.name}")
    path.write_text(text.replace(old, new))


def edit_canary(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a model's canary.json in place."""
    path = folder / "canary.json"
    canary = json.loads(path.read_text())
    change(canary)
    path.write_text(json.dumps(canary))


class Leftovers:
    """What Tritons started with the temporary folder ``base`` have on this machine."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._prefixes: set[str] = set()

    def look(self) -> dict[str, list[str]]:
        """Living processes, folders (with their sockets) and shared-memory regions now."""
        folders = sorted(path.name for path in self._base.iterdir())
        self._prefixes |= {f"earshot_{name.removeprefix('earshot-triton-')}_" for name in folders}
        names = sorted(path.name for path in Path("/dev/shm").iterdir())
        regions = [name for name in names if name.startswith(tuple(self._prefixes))]
        return {"processes": self._processes(), "folders": folders, "regions": regions}

    def _processes(self) -> list[str]:
        marks = [str(self._base).encode(), *(prefix.encode() for prefix in self._prefixes)]
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if any(mark in words for mark in marks):
                    found.append(f"{entry.name} {words.split(bytes(1))[0].decode()}")
        return found


NOTHING: dict[str, list[str]] = {"processes": [], "folders": [], "regions": []}
