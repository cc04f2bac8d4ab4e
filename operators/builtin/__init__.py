"""The operators that come with earshot, by module; third parties add theirs by entry point (operators.chain)."""

MODULES: tuple[str, ...] = (
    "operators.builtin.emotion",
    "operators.builtin.tag",
)
