"""Calls a stretch loud by its mean level, a text loud by its exclamation mark; measures who speaks."""

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [pb.InferenceResponse(self.sound(request) + self.words(request)) for request in requests]

    def sound(self, request):
        pcm, ends, speaker = (pb.get_input_tensor_by_name(request, n) for n in ("PCM", "ENDS", "SPEAKER"))
        if pcm is None:
            return []
        stretches = np.split(pcm.as_numpy()[0], ends.as_numpy()[0][:-1])
        scores = [self.score(stretch) for stretch in stretches]
        arousal = np.zeros((1, len(stretches), 5), np.float32)
        arousal[0, :, 0] = -1 if speaker is None else speaker.as_numpy()[0]
        return [pb.Tensor("SCORES", np.array([scores], np.float32)), pb.Tensor("AROUSAL", arousal)]

    def words(self, request):
        text = pb.get_input_tensor_by_name(request, "TEXT")
        if text is None:
            return []
        loud = np.array([value.endswith("！".encode()) for value in text.as_numpy()[0]], np.float32)
        return [pb.Tensor("WORDS", np.stack([loud, 1 - loud], 1)[None])]

    def score(self, pcm):
        loud = float(np.abs(pcm.astype(np.float32)).mean()) / 32768
        return loud, 1 - loud
