"""The served model's own files: training measures voices and scores words with the code that Triton runs."""

import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "model_repository/emotion/1"
sys.path.insert(0, str(FOLDER))

classifier = importlib.import_module("classifier")
voice = importlib.import_module("voice")
words = importlib.import_module("words")
