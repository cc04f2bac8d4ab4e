"""Context words: names and products the recogniser is told to expect, from the file a setting names."""

from pathlib import Path

import numpy as np

from server.adapters.triton_tensors import Tensor
from server.errors import BadSetting

WEIGHT_RANGE = (0.0, 5.0)


def read_words(path: Path | None, most: int) -> tuple[Tensor, ...]:
    """The tensors that go with every segment: one word a line, a tab and a weight behind it if not 1.

    Empty lines and lines that begin with ``#`` are left out. ``most``: how many words the model takes.

    Raises:
        BadSetting: the file cannot be read, a weight is no number of 0 to 5, or there are too many words.
    """
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="utf8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(
            f"cannot read the context words {str(path)!r}: {type(error).__name__}",
            help="set EARSHOT_CONTEXT_WORDS to a UTF-8 text file with one word a line",
        ) from None
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if len(kept) > most:
        raise BadSetting(
            f"{path.name} has {len(kept)} context words, this recogniser takes {most}",
            help="leave out common words: only names and products need help"
            if most
            else "this recogniser takes no context words: unset EARSHOT_CONTEXT_WORDS",
        )
    pairs = [_pair(path, number, line) for number, line in enumerate(kept, 1)]
    if not pairs:
        return ()
    words = tuple(word for word, _ in pairs)
    weights = np.array([[weight for _, weight in pairs]], np.float32)
    return (
        Tensor("CONTEXT_WORDS", "BYTES", (1, len(words)), words),
        Tensor("CONTEXT_WEIGHTS", "FP32", (1, len(words)), weights),
    )


def _pair(path: Path, number: int, line: str) -> tuple[str, float]:
    word, _, weight = line.partition("\t")
    try:
        value = float(weight or 1.0)
    except ValueError:
        value = float("nan")
    low, high = WEIGHT_RANGE
    if not low <= value <= high or not word.strip():
        raise BadSetting(
            f"word {number} of {path.name} has the weight {weight.strip()!r}",
            help=f"write the word, a tab, and a number of {low:g} to {high:g}; 1 may be left out",
        )
    return word.strip(), value
