"""The shipped models' own files, loaded by path as Triton does, without Triton."""

import importlib.util
from pathlib import Path
from types import ModuleType

REPOSITORY = Path(__file__).resolve().parent.parent / "model_repository"


def load(model: str, name: str) -> ModuleType:
    """The module ``name`` of ``model``'s version 1."""
    spec = importlib.util.spec_from_file_location(f"{model}_{name}", REPOSITORY / model / "1" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
