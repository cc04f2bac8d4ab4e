"""What Triton calls for a recogniser on a GPU: the requests of model_runtime.doors, another engine."""

from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from model_runtime.doors import RecogniserDoor
from model_runtime.gpu.device import NoGpu, choose
from model_runtime.gpu.recogniser import GpuRecogniser

_WARM_UP_HZ = 8_000


class GpuRecogniserDoor(RecogniserDoor):
    """PCM and SAMPLE_RATE to UNITS, START_MS, END_MS, CONFIDENCE."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the network onto the instance's device, and hear a second of noise there."""
        kind, number = args["model_instance_kind"], int(args["model_instance_device_id"])
        try:
            device = choose(kind, number)
            recogniser = GpuRecogniser(Path(args["model_repository"]) / args["model_version"], device)
        except (NoGpu, ValueError) as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self._recogniser: Any = recogniser
        self._heads: tuple[str, ...] = ()
        noise = np.random.default_rng(0).integers(-1000, 1000, _WARM_UP_HZ).astype(np.int16)
        recogniser.recognise([noise], [_WARM_UP_HZ])
