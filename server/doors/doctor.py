"""`earshot doctor`: what this machine can do, what is wrong, and what to do about it."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numba
import numpy as np
import re2
from rich.console import Console
from rich.text import Text

from server.config import Settings
from server.doors import health
from server.errors import BadSetting, EarshotError
from server.pipeline.session import Road

OpenRoad = Callable[[Settings], AbstractContextManager[Road]]
CODECS = ("pcm_s16le", "pcm_alaw", "pcm_mulaw", "mp3", "amrnb", "opus", "vorbis", "aac", "flac")
SHM_BYTES_NEEDED = 64 << 20
"""Triton's Python backend keeps its tensors there; a container's default of 64 MiB is the least."""
MEMORY_BYTES_NEEDED = 2 << 30


def run(console: Console, settings: Settings, open_road: OpenRoad) -> bool:
    """Print one line per check and return whether all passed; the last checks start the real models."""
    sound = True
    for name, check in (
        *_machine(settings),
        ("models and the whole road", lambda: _road(settings, open_road)),
    ):
        try:
            said, style = check(), "green"
        except EarshotError as error:
            said, style, sound = str(error), "red", False
        console.print(Text(f"{'ok ' if style == 'green' else 'BAD'} {name}: {said}", style=style))
    return sound


def _machine(settings: Settings) -> Iterator[tuple[str, Callable[[], str]]]:
    yield "Python and numpy", _interpreter
    yield "media formats", _media
    yield "kernels", _kernels
    yield "shared memory", _shared_memory
    yield "memory and cores", _memory
    yield "temporary folder", _temporary
    yield "model repository", lambda: _repository(settings.model_repository)


def _interpreter() -> str:
    if sys.version_info[:2] != (3, 11) or int(np.__version__.split(".")[0]) >= 2:
        raise BadSetting(
            f"Python {sys.version.split()[0]} with numpy {np.__version__}",
            help="the bundled Triton needs Python 3.11 and numpy below 2: run `make setup`",
        )
    return f"Python {sys.version.split()[0]}, numpy {np.__version__}"


def _media() -> str:
    missing = [name for name in CODECS if name not in av.codecs_available]
    if missing:
        raise BadSetting(f"no decoder for {', '.join(missing)}", help="reinstall the `av` wheel from PyPI")
    return f"PyAV {av.__version__} decodes {', '.join(CODECS)}"


def _kernels() -> str:
    if not re2.compile("a.{0,8}b").search("a--b"):
        raise BadSetting("RE2 does not match", help="reinstall the `google-re2` wheel from PyPI")
    return f"numba {numba.__version__}, RE2 matches"


def _shared_memory() -> str:
    free = shutil.disk_usage("/dev/shm").free
    if free < SHM_BYTES_NEEDED:
        raise BadSetting(
            f"/dev/shm has {free >> 20} MiB free", help="give the container --shm-size=1g or larger"
        )
    return f"/dev/shm has {free >> 20} MiB free"


def _memory() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if total < MEMORY_BYTES_NEEDED:
        raise BadSetting(f"{total >> 20} MiB of memory", help="give it at least 2 GiB")
    return f"{total >> 30} GiB, {len(os.sched_getaffinity(0))} cores"


def _temporary() -> str:
    folder = tempfile.gettempdir()
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadSetting(f"{folder}: {error}", help="set TMPDIR to a folder that can be written") from None
    return folder


def _repository(folder: Path) -> str:
    models = sorted(path.parent.name for path in folder.glob("*/config.pbtxt"))
    lacking = {"asr", "emotion", "semantic_tags"} - set(models)
    if lacking:
        raise BadSetting(
            f"{folder} has no {', '.join(sorted(lacking))}",
            help="set EARSHOT_MODEL_REPOSITORY to a complete folder",
        )
    return f"{', '.join(models)}"


def _road(settings: Settings, open_road: OpenRoad) -> str:
    with open_road(settings) as road:
        health.prove(road)
        versions = ", ".join(
            f"{m.name} {m.version}" for m in (road.models.asr, road.models.emotion, road.models.tags)
        )
        return f"a known call passed ({versions})"
