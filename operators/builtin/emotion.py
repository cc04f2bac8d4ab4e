"""Operator ``emotion``: what the emotion model hears in turns."""

from collections.abc import Sequence

from operators.columns import role_param, scored
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import CallTable


@operator(
    "emotion",
    needs=("emotion",),
    params={
        "any": Param(
            help="emotions, one of which must score high enough", type=list, items=str, required=True
        ),
        "at_least": Param(
            help="lowest score that counts", type=float, default=0.5, minimum=0, maximum=1, unit="score 0..1"
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 你听着 (angry:0.8) | C 3-4 好 (angry:0.1)", {"any": ["angry"]}, "x."),
        Example("A 0-2 你听着 (angry:0.55)", {"any": ["angry"], "at_least": 0.6}, "."),
        Example(
            "A 0-2 你听着 (angry:0.8) | C 3-4 你才是 (angry:0.9)",
            {"any": ["angry"], "role": "customer"},
            ".x",
        ),
        Example("A 0-2 你听着", {"any": ["angry"]}, "?"),
    ),
)
def emotion(uses: Sequence[Params]) -> Scan:
    """Hit every turn on which an emotion of ``any`` scores ``at_least`` or more; value = the best score.

    Scores are compared as float32, as the model gives them. An emotion that the model does not have leaves
    the use unknown; so does a call without any scored turn (chat has no voice).
    """

    def scan(table: CallTable) -> Hits:
        return scored(table, uses, table.emotion, table.emotion_labels, "emotion")

    return scan
