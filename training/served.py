"""Modules of the served models: training reads text and sound with the code that Triton runs."""

import importlib.util
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parents[1] / "model_repository"


def load(model: str, name: str) -> ModuleType:
    """The module ``name`` of ``model``'s version 1, which must stand alone."""
    path = REPOSITORY / model / "1" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{model}_{name}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"no module at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
