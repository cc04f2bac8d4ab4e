"""The operators that come with earshot, by module; third parties add theirs through entry points."""

MODULES: tuple[str, ...] = (
    "operators.builtin.call_shape",
    "operators.builtin.emotion",
    "operators.builtin.emotion_trend",
    "operators.builtin.entity",
    "operators.builtin.history",
    "operators.builtin.interruption",
    "operators.builtin.keyword",
    "operators.builtin.loudness",
    "operators.builtin.meta",
    "operators.builtin.regex",
    "operators.builtin.repetition",
    "operators.builtin.response_time",
    "operators.builtin.silence",
    "operators.builtin.speech_rate",
    "operators.builtin.tag",
)
