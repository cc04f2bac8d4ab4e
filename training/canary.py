"""Write a model's canary: one known question and the answer its running copy must give.

`python -m training.canary model_repository/asr` asks the model's own `1/canary_case.py` (`build()`
returns the input and output arrays, `TOLERANCES` may allow differences by output name) and writes
`canary.json` beside `config.pbtxt`.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

DATATYPES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "float64": "FP64",
}
FLOAT_TOLERANCE = 0.02


def entry(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    """One tensor as JSON: base64 of little-endian bytes, or a list of strings."""
    shape = list(array.shape)
    if array.dtype.kind in "OSU":
        words = [item.decode() if isinstance(item, bytes) else str(item) for item in array.reshape(-1)]
        return {"datatype": "BYTES", "shape": shape, "data": words}
    raw = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return {"datatype": DATATYPES[array.dtype.name], "shape": shape, "data": base64.b64encode(raw).decode()}


def canary(model: Path) -> dict[str, Any]:
    """The canary of a model folder, computed by the model itself."""
    sys.path.insert(0, str((model / "1").resolve()))
    case = importlib.import_module("canary_case")
    inputs, outputs = case.build()
    tolerances: dict[str, float] = getattr(case, "TOLERANCES", {})
    answers = {name: entry(array) for name, array in outputs.items()}
    for name, answer in answers.items():
        usual = FLOAT_TOLERANCE if answer["datatype"].startswith("FP") else 0
        answer["tolerance"] = tolerances.get(name, usual)
    return {"inputs": {name: entry(array) for name, array in inputs.items()}, "outputs": answers}


def main() -> None:
    """Command line: one model folder a process (the modules of different models share names)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of one model, for example model_repository/asr")
    model = parser.parse_args().model
    text = json.dumps(canary(model), ensure_ascii=False, indent=1)
    (model / "canary.json").write_text(text + "\n", encoding="utf8")
    print(f"{model / 'canary.json'}: {len(text)} bytes")


if __name__ == "__main__":
    main()
