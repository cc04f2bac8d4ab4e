"""SenseVoice and Paraformer, from whichever export: the part of their folders that does not depend on it."""

from dataclasses import replace

from model_runtime.spec import Classifier, FrontEnd, Network, Reading, Spec
from server.errors import BadCheckpoint
from server.importers.draft import ASR, Draft, Wishes, renamed, silent_tokens

HEADS = ("LANGUAGE", "EMOTION", "EVENT", "FORM")
"""What SenseVoice's first four steps tell; the first three are outputs of the served recogniser."""
EMOTIONS = ("HAPPY", "SAD", "ANGRY", "NEUTRAL", "FEARFUL", "DISGUSTED", "SURPRISED")
"""Its emotion tokens; EMO_UNKNOWN is left out, the scores of the others add up to 1."""
FRAME_MS = 10.0
_ENDS = ("<blank>", "<blk>", "<s>", "</s>")
FINER = 3
"""Weights that are called us_alphas have so many steps where the network has one."""


def sense_voice(
    wishes: Wishes, kind: str, front_end: FrontEnd, network: Network, symbols: tuple[str, ...], blank: int
) -> Draft:
    """SenseVoice as recogniser, or its emotion token's scores as emotion model."""
    network = replace(network, length_extra=len(HEADS))
    if wishes.model == ASR:
        reading = Reading("ctc", front_end.skip * FRAME_MS, silent_tokens(symbols, blank), heads=HEADS)
        spec = Spec(front_end=front_end, network=network, reading=reading)
        return Draft(spec, kind, front_end.rate_hz, heads=HEADS[:3])
    marks = [mark for mark in EMOTIONS if f"<|{mark}|>" in symbols]
    if len(marks) < 2:
        raise BadCheckpoint(
            "the tokens name no emotions", help=f"expected <|{EMOTIONS[0]}|> and the like among them"
        )
    picks = tuple(symbols.index(f"<|{mark}|>") for mark in marks)
    spec = Spec(front_end=front_end, network=network, classifier=Classifier("softmax", picks, step=1))
    labels = renamed([mark.lower() for mark in marks], wishes)
    return Draft(spec, f"{kind}, emotion token", front_end.rate_hz, labels)


def paraformer(kind: str, front_end: FrontEnd, network: Network, symbols: tuple[str, ...]) -> Draft:
    """Paraformer as recogniser; characters end where its frame weights say."""
    step_ms = front_end.skip * FRAME_MS / (FINER if network.weights.startswith("us_") else 1)
    silent = tuple(index for index, symbol in enumerate(symbols) if symbol in _ENDS)
    reading = Reading("cif", step_ms, silent, glue="@@")
    spec = Spec(front_end=front_end, network=network, reading=reading)
    remarks = (
        () if network.weights else ("no frame weights in this export: characters share a segment evenly",)
    )
    return Draft(spec, kind, front_end.rate_hz, remarks=remarks)


def paraformer_texts(symbols: tuple[str, ...]) -> list[str]:
    """Tokens with a space before those that begin a Latin word."""
    return [f" {symbol}" if symbol[:1].isascii() and symbol[:1].isalnum() else symbol for symbol in symbols]
