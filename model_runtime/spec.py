"""What an imported folder's ``model.json`` says; importers write it, the runtime reads it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

SPEC_FILE = "model.json"
ARRAYS_FILE = "frontend.npz"
"""``window`` [frame], ``filters`` [bins, n_fft / 2 + 1], for ``fixed`` numbers ``shift`` and ``factor``."""


@dataclass(frozen=True)
class FrontEnd:
    """How samples become log-mel frames."""

    rate_hz: int
    frame: int
    hop: int
    n_fft: int
    framing: Literal["centred", "reflected", "whole", "mirrored"]
    """Frames around multiples of the hop over zeros (NeMo) or a reflection (Whisper); frames that lie wholly
    inside (Kaldi's snip_edges), or as many as there are hops over a mirror image (Kaldi without)."""
    full_scale: float
    """What the largest sample is worth: 1 or 32768."""
    log: Literal["add", "floor", "whisper"]
    guard: float
    """Added to the energies, or their floor, before the logarithm."""
    preemphasis: float = 0.0
    preemphasis_over: Literal["signal", "frame"] = "frame"
    remove_mean: bool = False
    power: float = 2.0
    normalise: Literal["none", "bins_sample", "bins_population", "all_sample", "fixed"] = "none"
    """Over the segment: each bin by its sample or population deviation, or all bins at once; or fixed."""
    stack: int = 1
    skip: int = 1
    stack_padded: bool = False
    """Frames stacked to one every ``skip`` frames, the first and last repeated at the edges or not."""
    seconds: float = 0.0
    """Length that every segment is padded to with silence before anything else; 0: none."""


@dataclass(frozen=True)
class Network:
    """Tensors of ``model.onnx``: what goes in, what comes out."""

    features: str
    lengths: str
    scores: str
    """[batch, steps, tokens]: log probabilities or logits."""
    bins_first: bool = False
    """Features as [batch, bins, frames] instead of [batch, frames, bins]."""
    lengths_out: str = ""
    """Output with the number of steps; empty: frames // ``length_divisor`` + ``length_extra``."""
    length_divisor: int = 1
    length_extra: int = 0
    padding: float = 0.0
    """What fills a batch behind the shorter segments."""
    constants: dict[str, int] = field(default_factory=dict)
    """Further int32 inputs [batch], one value each (SenseVoice's language and text norm)."""
    padded_batch: bool = False
    """Whether an answer out of a padded batch equals the answer alone; found out by the import."""
    weights: str = ""
    """Output with the weight of each encoder frame [batch, frames] (Paraformer); empty: not there."""


@dataclass(frozen=True)
class Reading:
    """How scores become tokens with times."""

    kind: Literal["ctc", "cif"]
    step_ms: float
    silent: tuple[int, ...]
    """Tokens that say nothing: blank, sentence ends."""
    heads: tuple[str, ...] = ()
    """What the first steps tell apart from the text (SenseVoice: LANGUAGE, EMOTION, EVENT, FORM)."""
    glue: str = ""
    """End of a token that the next one is joined to (``@@``)."""


@dataclass(frozen=True)
class Whisper:
    """How a Whisper decoder is run; token ids."""

    prompt: tuple[int, ...]
    end: int
    timestamps_from: int
    no_timestamps: int
    suppress: tuple[int, ...]
    suppress_first: tuple[int, ...]
    most_tokens: int
    most_initial_timestamp: int
    layers: int
    heads: int
    head_width: int
    special_from: int


@dataclass(frozen=True)
class Classifier:
    """How scores of a whole segment or turn are made; ``picks`` are the columns that have labels."""

    activation: Literal["softmax", "sigmoid"]
    picks: tuple[int, ...]
    step: int = -1
    """For a recogniser's head (SenseVoice's emotion): the step to read; -1: one row a segment."""


@dataclass(frozen=True)
class Waveform:
    """A front end that hands the samples on (wav2vec2 and its kin)."""

    rate_hz: int
    normalise: bool
    """Mean 0 and deviation 1 over the segment."""
    mask: str
    """Input that marks the samples of a padded batch; empty: none, each segment runs alone."""


@dataclass(frozen=True)
class Text:
    """How a turn becomes token ids."""

    longest: int
    inputs: tuple[str, ...]
    pair: bool
    """Whether the turn before is read too, as the first text of a pair."""
    pad: int


@dataclass(frozen=True)
class Spec:
    """All of ``model.json``; the parts that a model does not have are None."""

    front_end: FrontEnd | None = None
    waveform: Waveform | None = None
    text: Text | None = None
    network: Network | None = None
    reading: Reading | None = None
    whisper: Whisper | None = None
    classifier: Classifier | None = None
    max_seconds: float = 30.0

    def save(self, folder: Path) -> None:
        """Write ``model.json``."""
        text = json.dumps(asdict(self), indent=1)
        (folder / SPEC_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Spec":
        """Read ``model.json``."""
        content: dict[str, Any] = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
        for name, kind in PARTS.items():
            if content[name] is not None:
                lists = {key: tuple(value) for key, value in content[name].items() if isinstance(value, list)}
                content[name] = kind(**{**content[name], **lists})
        return cls(**content)


PARTS: dict[str, Any] = {
    "front_end": FrontEnd,
    "waveform": Waveform,
    "text": Text,
    "network": Network,
    "reading": Reading,
    "whisper": Whisper,
    "classifier": Classifier,
}
