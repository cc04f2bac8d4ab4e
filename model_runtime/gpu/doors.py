"""What Triton calls for a recogniser on a GPU: the requests of model_runtime.doors, another engine."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from model_runtime.doors import RecogniserDoor
from model_runtime.gpu.device import TYPES, NoGpu, choose
from model_runtime.gpu.recogniser import GpuRecogniser

_WARM_UP_HZ = 8_000


class GpuRecogniserDoor(RecogniserDoor):
    """PCM and SAMPLE_RATE to UNITS, START_MS, END_MS, CONFIDENCE."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the network onto the instance's device, and hear a second of noise there."""
        kind, number = args["model_instance_kind"], int(args["model_instance_device_id"])
        try:
            device = choose(kind, number)
            folder, precision = Path(args["model_repository"]) / args["model_version"], _precision(args)
            recogniser = GpuRecogniser(folder, device, TYPES[precision])
        except (NoGpu, ValueError) as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self._recogniser: Any = recogniser
        self._heads: tuple[str, ...] = ()
        noise = np.random.default_rng(0).integers(-1000, 1000, _WARM_UP_HZ).astype(np.int16)
        recogniser.recognise([noise], [_WARM_UP_HZ])


def _precision(args: dict[str, str]) -> str:
    found = str(json.loads(args["model_config"])["parameters"]["precision"]["string_value"])
    if found not in TYPES:
        raise ValueError(
            f"parameter precision is {found!r}\nhelp: write one of {', '.join(TYPES)} in config.pbtxt"
        )
    return found
