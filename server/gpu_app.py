"""The command ``earshot models gpu``: an imported recogniser, served on a GPU."""

import secrets
import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from server import config
from server.adapters.triton_trial import trial
from server.errors import BadInput, BadSetting
from server.importers import gpu
from server.importers.draft import ASR, library
from server.importers.gpu import Precision, Serving

Checkpoint = Annotated[Path, typer.Option("--from", help="The .nemo file that the folder was imported from.")]
Instances = Annotated[int, typer.Option(min=1, max=8, help="Instances on each GPU (or in all, on the CPU).")]
Width = Annotated[str, typer.Option("--precision", help="bf16 or fp32; the first on a GPU unless said.")]
OnCpu = Annotated[bool, typer.Option("--on-cpu", help="The same engine on the CPU: to try it without a GPU.")]
Unproved = Annotated[
    bool, typer.Option("--unproved", help="Do not start it in Triton: this machine has no GPU.")
]


def gpu_command(
    folder: Annotated[Path, typer.Argument(help="Model folder that `earshot models import` made.")],
    checkpoint: Checkpoint,
    precision: Width = "",
    instances: Instances = 2,
    on_cpu: OnCpu = False,
    unproved: Unproved = False,
) -> None:
    """Serve an imported recogniser on a GPU: torch weights, bf16, larger batches; proved in Triton first."""
    how = Serving(
        "CPU" if on_cpu else "GPU", _precision(precision or ("fp32" if on_cpu else "bf16")), instances
    )
    put_on(folder, checkpoint, how, config.load(), proved=not unproved)
    told = "not proved in Triton" if unproved else "proved in Triton"
    Console().print(f"{folder}: served on the {how.kind} in {how.precision}, {told}", highlight=False)


def _precision(word: str) -> Precision:
    known: dict[str, Precision] = {"bf16": "bf16", "fp32": "fp32"}
    if word not in known:
        raise BadInput(f"--precision is {word!r}", help=f"say {' or '.join(known)}")
    return known[word]


def put_on(
    folder: Path, checkpoint: Path, how: Serving, settings: config.Settings, *, proved: bool = True
) -> None:
    """Convert ``folder``; it stays as it was when anything fails.

    Raises:
        BadInput: the folder is no recogniser's.
        BadCheckpoint: folder and checkpoint do not fit, or are of a kind that does not run there.
        BadSetting, BadModel: this machine lacks torch or a GPU, or the finished folder is unfit.
    """
    if folder.name != ASR or not folder.is_dir():
        raise BadInput(f"{folder} is no folder named {ASR}", help="name the recogniser's model folder")
    if how.kind == "GPU" and proved and not library("torch", "gpu").cuda.is_available():
        raise BadSetting(
            "torch finds no CUDA device here, so the model cannot be proved",
            help="run this on the GPU machine, or say --unproved; --on-cpu tries the engine without a GPU",
        )
    staging = folder.parent / f".gpu-{secrets.token_hex(4)}"
    try:
        shutil.copytree(folder, staging / ASR)
        gpu.convert(staging / ASR, checkpoint, how)
        if proved:
            with trial(settings.model_copy(update={"model_repository": staging}), ASR):
                pass
        folder.rename(staging / "before")
        (staging / ASR).rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
