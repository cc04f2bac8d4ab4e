"""Which device a model runs on, and what is set there."""

from typing import Literal

import torch

Mode = Literal["eager", "graphs", "compiled"]
"""Kernel by kernel; one CUDA graph for each shape; compiled, then one graph for each shape."""


class NoGpu(RuntimeError):
    """A GPU was asked for and there is none."""


def choose(kind: str, number: int) -> torch.device:
    """The device of Triton's instance kind (``GPU``, ``CPU``) and device id.

    Raises:
        NoGpu: CUDA is missing, or has no such device; a model never falls back to the CPU unseen.
    """
    if kind != "GPU":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise NoGpu(
            f"the model is to run on GPU {number}, but torch {torch.__version__} finds no CUDA device\n"
            "help: run nvidia-smi; install a torch built for CUDA ('earshot[gpu]'); or serve on the CPU: "
            "KIND_CPU in config.pbtxt"
        )
    if number >= torch.cuda.device_count():
        raise NoGpu(
            f"the model is to run on GPU {number}, but there are {torch.cuda.device_count()}\n"
            "help: name an existing one in instance_group's gpus, or in CUDA_VISIBLE_DEVICES"
        )
    torch.cuda.set_device(number)
    # features are fp32 and stay so: TF32 would cost them three digits
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device("cuda", number)


TYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
"""The values of the parameter ``precision`` in a model's config."""


def natural_type(device: torch.device) -> torch.dtype:
    """bf16 on a GPU, fp32 elsewhere."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32
