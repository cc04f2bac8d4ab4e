"""Puts a foreign checkpoint into its place in the road: written aside, proved in Triton, then swapped in."""

import re
import secrets
import shutil
from pathlib import Path

from server.adapters.triton_trial import trial
from server.config import Settings
from server.errors import BadInput
from server.importers import detect, folder
from server.importers.draft import ASR, EMOTION, MODELS, Wishes
from server.importers.folder import Imported


def check_place(model: str, repository: Path, *, replace: bool) -> Path:
    """The folder a model would get.

    Raises:
        BadInput: the place is unknown, or taken and not to be replaced.
    """
    if model not in MODELS:
        raise BadInput(
            f"there is no place {model!r} in the road", help=f"--name is one of {', '.join(MODELS)}"
        )
    place = repository / model
    if place.exists() and not replace:
        raise BadInput(
            f"{place} holds a model already",
            help="say --replace, or name another repository in EARSHOT_MODEL_REPOSITORY",
        )
    return place


def install(
    source: Path, wishes: Wishes, settings: Settings, sample_rate_hz: int, *, replace: bool
) -> Imported:
    """Import a checkpoint into the settings' model repository; when it fails, nothing has changed there.

    ``sample_rate_hz`` 0 takes the rate the repository's emotion model insists on, else the network's own.

    Raises:
        BadInput: the place is unknown or taken.
        BadCheckpoint, BadSetting, BadModel: the checkpoint, this environment or the finished folder is unfit.
    """
    repository = settings.model_repository
    place = check_place(wishes.model, repository, replace=replace)
    build = detect.importer(source)
    staging = repository / f".import-{secrets.token_hex(4)}"
    staging.mkdir(parents=True)
    try:
        rate_hz = sample_rate_hz or (_neighbours_rate(repository) if wishes.model == ASR else 0)
        done = folder.write(build, source, staging / wishes.model, wishes, rate_hz)
        with trial(settings.model_copy(update={"model_repository": staging}), wishes.model):
            pass
        _swap(staging / wishes.model, place, staging / "before")
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Imported(place, done.draft, done.sample_rate_hz, done.heard)


def _swap(new: Path, place: Path, before: Path) -> None:
    if place.exists():
        place.rename(before)
    try:
        new.rename(place)
    except OSError:
        if before.exists():
            before.rename(place)
        raise


def _neighbours_rate(repository: Path) -> int:
    path = repository / EMOTION / "config.pbtxt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(r'key:\s*"sample_rate_hz"\s*value:\s*\{\s*string_value:\s*"(\d+)"', text)
    return int(found.group(1)) if found else 0
