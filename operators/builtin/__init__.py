"""The operators that come with earshot, by module; third parties add theirs through entry points."""

MODULES: tuple[str, ...] = (
    "operators.builtin.emotion",
    "operators.builtin.keyword",
    "operators.builtin.tag",
)
