"""Tags greetings, turns of the agent, and turns that follow another."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        columns = (
            [value.decode() for value in pb.get_input_tensor_by_name(request, name).as_numpy().ravel()]
            for name in ("TEXT", "ROLE", "PREVIOUS_TEXT")
        )
        scores = [
            ["你好" in text, role == "agent", bool(before)]
            for text, role, before in zip(*columns, strict=True)
        ]
        return pb.InferenceResponse([pb.Tensor("SCORES", np.array(scores, np.float32))])
