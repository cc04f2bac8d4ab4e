"""Calls a stretch loud by its mean level."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        pcm = pb.get_input_tensor_by_name(request, "PCM").as_numpy()[0]
        ends = pb.get_input_tensor_by_name(request, "ENDS").as_numpy()[0]
        scores = [self.score(stretch) for stretch in np.split(pcm, ends[:-1])]
        return pb.InferenceResponse([pb.Tensor("SCORES", np.array([scores], np.float32))])

    def score(self, pcm):
        loud = float(np.abs(pcm.astype(np.float32)).mean()) / 32768
        return loud, 1 - loud
