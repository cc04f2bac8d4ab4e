"""A turn with a known answer: proves that the weights, the alphabet and the runtime belong together."""

import runpy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(__file__).parent
Arrays = dict[str, NDArray[np.generic]]


def build() -> tuple[Arrays, Arrays]:
    """Inputs by name ([1, 1] strings), the scores [1, N] and the vector [1, V] that these weights give."""
    turn = {
        "TEXT": "对我是本人你说",
        "ROLE": "customer",
        "PREVIOUS_TEXT": "customer:喂\nagent:喂您好请问是周先生本人吗",
    }
    classifier = runpy.run_path(str(FOLDER / "classifier.py"))["TagClassifier"](FOLDER)
    found = classifier.answer(*([value] for value in turn.values()))
    return (
        {name: np.array([[value]]) for name, value in turn.items()},
        {"SCORES": found.scores, "VECTOR": found.vectors},
    )
