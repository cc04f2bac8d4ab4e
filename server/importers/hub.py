"""Known public checkpoints, fetched by the hub's own client, which goes on where a fetch broke off."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from server.errors import BadCheckpoint, BadSetting
from server.importers.draft import ASR, EMOTION, library

EXTRA = "import"
_SPARE = 2.5
"""Free space asked for, in sizes of the checkpoint: the fetched files, the written folder, and some air."""
_SHERPA = ("model.int8.onnx", "tokens.txt", "README.md", "LICENSE")
_HUGGING_FACE = ("*.json", "*.txt", "*.safetensors", "pytorch_model*.bin", "README.md")


@dataclass(frozen=True)
class Known:
    """One checkpoint of the table."""

    repository: str
    revision: str
    """A commit, or a branch where none is pinned; the commit that was taken stands in the model's card."""
    megabytes: int
    """About what is fetched."""
    licence: str
    model: str
    """Place in the road that it is imported into unless told otherwise."""
    files: tuple[str, ...]


KNOWN: Mapping[str, Known] = {
    "sense-voice-small": Known(
        "csukuangfj/sherpa-onnx-sense-voice-zh-en-ja-ko-yue-2024-07-17", "main", 240,
        "FunASR model licence", ASR, _SHERPA,
    ),
    "paraformer-zh": Known(
        "csukuangfj/sherpa-onnx-paraformer-zh-2023-03-28", "fe3e2bbfa0a0d3789b653c4b6cf3f87a5dbf2b94", 224,
        "MIT", ASR, _SHERPA,
    ),
    "whisper-small": Known("openai/whisper-small", "main", 970, "Apache-2.0", ASR, _HUGGING_FACE[:3]),
    "whisper-large-v3-turbo": Known(
        "openai/whisper-large-v3-turbo", "main", 1620, "MIT", ASR, _HUGGING_FACE[:3]
    ),
    "fastconformer-ctc-en": Known(
        "nvidia/stt_en_fastconformer_ctc_large", "main", 460, "CC-BY-4.0", ASR, ("*.nemo", "README.md")
    ),
    "wav2vec2-emotion-en": Known(
        "superb/wav2vec2-base-superb-er", "main", 380, "Apache-2.0", EMOTION, _HUGGING_FACE
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Fetched:
    """Where a checkpoint lies now, and which commit of its repository it is."""

    source: Path
    commit: str


def known(name: str) -> Known:
    """An entry of the table.

    Raises:
        BadCheckpoint: there is none of this name.
    """
    if name not in KNOWN:
        raise BadCheckpoint(
            f"no checkpoint is known by the name {name!r}",
            help=f"known are {', '.join(KNOWN)}; fetch any other yourself and use `earshot models import`",
        )
    return KNOWN[name]


def cache_folder() -> Path:
    """Where fetched checkpoints are kept: ``$XDG_CACHE_HOME/earshot/checkpoints``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "earshot" / "checkpoints"


def fetch(entry: Known, cache: Path) -> Fetched:
    """Fetch a checkpoint, or what is missing of it; HF_ENDPOINT names a mirror, HF_TOKEN opens gated ones.

    Raises:
        BadSetting: the hub's client is not installed, the hub does not answer, or the disk is too small.
        BadCheckpoint: the repository, revision or files are not there.
    """
    hub = library("huggingface_hub", EXTRA)
    folder = cache / entry.repository.replace("/", "--")
    folder.mkdir(parents=True, exist_ok=True)
    _check_space(folder, entry)
    endpoint = os.environ.get("HF_ENDPOINT") or None
    try:
        api = hub.HfApi(endpoint=endpoint)
        commit = str(api.model_info(entry.repository, revision=entry.revision).sha)
        listed = api.list_repo_tree(entry.repository, revision=commit, recursive=True)
        wanted = [item for item in listed if any(fnmatch(item.path, pattern) for pattern in entry.files)]
        for item in wanted:
            url = hub.hf_hub_url(entry.repository, item.path, revision=commit, endpoint=endpoint)
            _fetch_file(hub, url, item, folder)
    except (hub.errors.RepositoryNotFoundError, hub.errors.RevisionNotFoundError) as error:
        raise BadCheckpoint(
            f"the hub has no {entry.repository} at {entry.revision}: {_line(error)}",
            help="see whether it was moved or closed; set HF_TOKEN for a gated one",
        ) from None
    except Exception as error:
        raise BadSetting(
            f"{entry.repository} could not be fetched: {type(error).__name__}: {_line(error)}",
            help="run the command again, what was fetched is kept; HF_ENDPOINT names a mirror of the hub",
        ) from None
    if not wanted:
        raise BadCheckpoint(
            f"{entry.repository} holds none of {', '.join(entry.files)}",
            help="the repository has changed: fetch it yourself and use `earshot models import`",
        )
    single = [folder / item.path for item in wanted if item.path.endswith(".nemo")]
    return Fetched(single[0] if single else folder, commit)


def _fetch_file(hub: Any, url: str, item: Any, folder: Path) -> None:
    """Fetch one file of the repository's tree; a part of it that is there already is not fetched again.

    The client's own ``snapshot_download`` throws away what a broken fetch had (huggingface_hub 1.x), so the
    part is kept here and the client is asked for the rest.
    """
    path = folder / item.path
    part = path.with_name(f"{path.name}.{_digest_wanted(item)[:16]}.part")
    if path.is_file() and _digest(path, item) == _digest_wanted(item):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = hub.get_hf_file_metadata(url)
    with part.open("ab") as file:
        if file.tell() < item.size:
            hub.file_download.http_get(
                metadata.location, file, resume_size=file.tell(), expected_size=item.size,
                headers=hub.utils.build_hf_headers(), displayed_filename=item.path,
            )  # fmt: skip
    if _digest(part, item) != _digest_wanted(item):
        part.unlink()
        raise ValueError(f"{item.path} came with another content than the hub lists")
    part.replace(path)


def _digest_wanted(item: Any) -> str:
    return str(item.lfs.sha256 if item.lfs is not None else item.blob_id)


def _digest(path: Path, item: Any) -> str:
    """SHA-256 of a large file, git's own SHA-1 of a small one."""
    if item.lfs is not None:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    content = path.read_bytes()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def _check_space(folder: Path, entry: Known) -> None:
    free, needed = shutil.disk_usage(folder).free >> 20, round(entry.megabytes * _SPARE)
    if free < needed:
        raise BadSetting(
            f"{folder} has {free} MB free, fetching and importing {entry.repository} takes about {needed} MB",
            help="make room, or set XDG_CACHE_HOME to a larger disk",
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
