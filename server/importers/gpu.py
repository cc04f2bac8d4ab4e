"""Turns an imported recogniser's folder into one that is served on a GPU: torch weights, larger batches."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

import model_runtime
from model_runtime.reading import probabilities
from model_runtime.recogniser import NETWORK_FILE, FrameReader, prepared
from model_runtime.spec import SPEC_FILE, Spec
from server.errors import BadCheckpoint
from server.importers import nemo_weights
from server.importers.draft import library
from server.importers.folder import CANARY_HZ, CANARY_SOUND, SAME

Kind = Literal["GPU", "CPU"]
Precision = Literal["bf16", "fp32"]
WEIGHTS_FILE = "encoder.pt"
MOST_AT_ONCE = 256
"""Requests that Triton hands over together; the engine cuts them into batches of like length."""
QUEUE_DELAY_US = 5_000
"""How long a request may wait for companions: a batch on the GPU takes about as long."""
WAITING = 4_096
"""Requests that may wait for a place in a batch."""
_EXPECTED = "the folder of a NeMo recogniser, made by `earshot models import`"


@dataclass(frozen=True)
class Serving:
    """How a converted folder runs."""

    kind: Kind = "GPU"
    precision: Precision = "bf16"
    instances: int = 2
    """On each GPU: while one makes characters of its answers, another one's batch is computed."""


def convert(folder: Path, checkpoint: Path, how: Serving) -> None:
    """Change ``folder`` in place; ``checkpoint`` is the NeMo file it was imported from.

    Raises:
        BadCheckpoint: the folder is no imported NeMo recogniser, or the checkpoint is another model's.
        BadSetting: torch cannot be imported here.
    """
    torch = library("torch", "gpu")
    version = folder / "1"
    spec = _spec(version)
    shape, state = nemo_weights.read(checkpoint)
    torch.save({"shape": shape, "state": state}, version / WEIGHTS_FILE)
    _check_same(version, spec)
    (version / NETWORK_FILE).unlink()
    shutil.rmtree(version / "model_runtime", ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(Path(model_runtime.__file__).parent, version / "model_runtime", ignore=ignore)
    door = ("model_runtime.doors import RecogniserDoor", "model_runtime.gpu.doors import GpuRecogniserDoor")
    _rewrite(version / "model.py", [door])
    precision = f'  {{ key: "precision" value: {{ string_value: "{how.precision}" }} }}'
    _rewrite(
        folder / "config.pbtxt",
        [
            (r"max_batch_size: \d+", f"max_batch_size: {MOST_AT_ONCE}"),
            (r"max_queue_delay_microseconds: \d+", f"max_queue_delay_microseconds: {QUEUE_DELAY_US}"),
            (r"max_queue_size: \d+", f"max_queue_size: {WAITING}"),
            (r"count: \d+ kind: KIND_\w+", f"count: {how.instances} kind: KIND_{how.kind}"),
            (rf'"1/{re.escape(NETWORK_FILE)}" }} }}', f'"1/{WEIGHTS_FILE}" }} }},\n{precision}'),
        ],
    )
    with (folder / "MODEL_CARD.md").open("a", encoding="utf-8") as card:
        card.write(f"- Served by torch on the {how.kind} in {how.precision} (`earshot models gpu`).\n")


def _spec(version: Path) -> Spec:
    if not (version / SPEC_FILE).is_file() or not (version / NETWORK_FILE).is_file():
        raise BadCheckpoint(
            f"{version} lacks {SPEC_FILE} or {NETWORK_FILE}",
            help=f"expected {_EXPECTED}; starter models, and folders already made for a GPU, are none",
        )
    return Spec.load(version)


def _check_same(version: Path, spec: Spec) -> None:
    """Hear a sentence with both networks, from samples to scores."""
    # torch is needed on the way to a GPU only
    import torch

    from model_runtime.gpu.network import load

    if spec.front_end is None or spec.network is None or spec.reading is None or spec.reading.kind != "ctc":
        raise BadCheckpoint(f"{version} is no CTC recogniser", help=f"expected {_EXPECTED}")
    try:
        network = load(version, spec, CANARY_HZ, torch.device("cpu"), torch.float32)
    except (ValueError, RuntimeError) as error:
        raise BadCheckpoint(f"{version} cannot run on a GPU: {error}", help=f"expected {_EXPECTED}") from None
    pcm = np.load(CANARY_SOUND)
    reader = FrameReader(spec.front_end, spec.network, spec.reading, version)
    theirs = reader.encoder.run([reader.mel(prepared(pcm, CANARY_HZ, spec.front_end.rate_hz))])[0].scores
    samples, count = torch.from_numpy(pcm / np.float32(32768))[None], torch.tensor([len(pcm)])
    with torch.inference_mode():
        features = network.features(samples.float(), count, network.frames(len(pcm)))
        ours = network.scores(*features)[0][0].numpy()
    if ours.shape != theirs.shape or np.abs(probabilities(ours) - probabilities(theirs)).max() > SAME:
        raise BadCheckpoint(
            f"the checkpoint's network {ours.shape} answers otherwise than {NETWORK_FILE} {theirs.shape}",
            help="name the .nemo file that this folder was imported from",
        )


def _rewrite(path: Path, changes: Sequence[tuple[str, str]]) -> None:
    """Replace each pattern, which must occur once."""
    text = path.read_text(encoding="utf-8")
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text)
        if count != 1:
            raise BadCheckpoint(
                f"{path.name} has {pattern!r} {count} times instead of once",
                help=f"expected {_EXPECTED}, as it was written; import it again",
            )
    path.write_text(text, encoding="utf-8")
