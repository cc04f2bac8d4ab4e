"""SCA's operators in our terms, one function each."""

from collections.abc import Callable, Mapping
from typing import Any

Json = Mapping[str, Any]
Condition = dict[str, Any]


class NotCarried(ValueError):
    """A part of an SCA rule that has no counterpart here."""


def translate(kind: str, given: Json) -> tuple[Condition, list[str]]:
    """Our condition for an operator of type ``kind``, and what is read differently.

    Raises:
        NotCarried: there is none; the text names the type or the parameter.
    """
    if kind not in _KNOWN:
        raise NotCarried(f"operator {kind or 'without type'} has no counterpart")
    notes: list[str] = []
    return _KNOWN[kind](given, notes), notes


def _keywords(given: Json, notes: list[str]) -> Condition:
    words = _words(given)
    size = int(given.get("keywordMatchSize", 1))
    if size == 0:
        return {"not": {"keyword": {"any": words}}}
    use: Condition = {"any": words}
    if size != 1:
        use["at_least"] = "all" if size < 0 else size
    if not given.get("in_sentence", True):
        use["within"] = "call"
    if given.get("synonyms") or given.get("keywordExtension"):
        raise NotCarried("synonyms (add the words themselves)")
    made: Condition = {"keyword": use}
    if int(given.get("threshold") or 0) > 1:
        made["count"] = int(given["threshold"])
    return made


def _all_keywords(given: Json, notes: list[str]) -> Condition:
    return _keywords({"keywordMatchSize": -1, **given}, notes)


def _words(given: Json) -> list[str]:
    words = given.get("keywords") or given.get("operKeyWords") or []
    found = [str(word) for word in (words.split(",") if isinstance(words, str) else words) if str(word)]
    if not found:
        raise NotCarried("keywords: the list is empty")
    return found


def _regex(given: Json, notes: list[str]) -> Condition:
    use: Condition = {"pattern": str(given.get("regex") or "")}
    if given.get("notRegex"):
        use["exclude"] = str(given["notRegex"])
    if not given.get("in_sentence", True):
        raise NotCarried("REGULAR_EXPRESSION over several sentences (in_sentence: false)")
    return {"regex": use}


def _repetition(given: Json, notes: list[str]) -> Condition:
    if given.get("excludes"):
        raise NotCarried("ADVANCED_REPEAT_DETECT: excludes")
    use: Condition = {"at_least": float(given.get("similarity_threshold", 0.6))}
    use["times"] = int(given.get("hit_time", 1)) + 1
    if int(given.get("from") or 0):
        use["look_back_turns"] = int(given["from"])
    use["min_chars"] = max(2, int(given.get("threshold", 5)))
    return {"repetition": use}


def _interval(given: Json, notes: list[str]) -> Condition:
    limit = int(given.get("interval", 2000))
    if str(given.get("compareOperator", "gt")) == "lt":
        return {"response_time": {"lt_ms": limit}}
    if int(given.get("target") or 0) or given.get("from_end"):
        raise NotCarried("INTERVAL_GREATER with target or from_end")
    if given.get("different_role", True) or given.get("near_dialogue"):
        notes.append("silence before an answer read as response time")
        return {"response_time": {"gt_ms": limit}}
    return {"silence": {"at_least_ms": limit, "edges": bool(given.get("checkFirstSentence"))}}


def _speed(given: Json, notes: list[str]) -> Condition:
    limit = "lt" if str(given.get("compareOperator", "gt")) == "lt" else "gt"
    use: Condition = {f"{limit}_chars_per_min": float(given.get("velocityInMint", 280))}
    use["mode"] = "call" if given.get("average") else "turn"
    use["min_chars"] = max(1, int(given.get("minWordSize", 4)))
    return {"speech_rate": use}


def _interruption(given: Json, notes: list[str]) -> Condition:
    use: Condition = {"at_least_ms": max(1, int(given.get("interval", 1000)))}
    use["min_chars"] = int(given.get("minWordSize", given.get("threshold", 4)))
    if given.get("delayTime"):
        use["onset_delay_ms"] = int(given["delayTime"])
    return {"interruption": use}


def _loudness(given: Json, notes: list[str]) -> Condition:
    """Levels are steps of 10 dB on an uncalibrated scale; spans carry over, absolute levels do not."""
    step = given.get("maxEmotionChangeValue")
    if step is None:
        raise NotCarried("energy level compared with a fixed level (the scale is the vendor's)")
    notes.append(f"{step} energy levels read as {10 * int(step)} dB")
    return {"loudness": {"measure": "span", "gt_db": 10 * int(step)}}


def _duration(given: Json, notes: list[str]) -> Condition:
    limit = "lt" if str(given.get("compareOperator", "gt")) == "lt" else "gt"
    return {"call_shape": {"measure": "duration_ms", limit: int(given.get("interval", 0))}}


_KNOWN: Mapping[str, Callable[[Json, list[str]], Condition]] = {
    "HIT_ANY_KEYWORDS": _keywords,
    "INCLUDE_KEYWORDS": _all_keywords,
    "REGULAR_EXPRESSION": _regex,
    "ADVANCED_REPEAT_DETECT": _repetition,
    "INTERVAL_GREATER": _interval,
    "SPEECH_SPEED_CHECK": _speed,
    "CHIME_IN_CHECK": _interruption,
    "抢话": _interruption,
    "ENERGY_CHECK": _loudness,
    "能量检测": _loudness,
    "RECORD_DURATION_CHECK": _duration,
    "录音时长检测": _duration,
}
