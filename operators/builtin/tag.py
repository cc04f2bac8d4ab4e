"""Operator ``tag``: what the tag model says about turns."""

from collections.abc import Sequence

from operators.columns import role_param, scored
from operators.spec import Example, Hits, Param, Params, Scan, operator
from operators.table import CallTable


@operator(
    "tag",
    needs=("tags",),
    params={
        "any": Param(help="labels, one of which must score high enough", type=list, items=str, required=True),
        "at_least": Param(
            help="lowest score that counts", type=float, default=0.5, minimum=0, maximum=1, unit="score 0..1"
        ),
        "role": role_param("who speaks"),
    },
    examples=(
        Example("A 0-2 再不还就去你家 {threat:0.9} | C 3-4 好 {threat:0.2}", {"any": ["threat"]}, "x."),
        Example("A 0-2 您好 {threat:0.5} | C 3-4 好 {refuse:0.7}", {"any": ["threat", "refuse"]}, "xx"),
        Example("A 0-2 您好 {threat:0.5}", {"any": ["threat"], "at_least": 0.6}, "."),
        Example("A 0-2 您好 {threat:0.9}", {"any": ["threat"], "role": "customer"}, "."),
        Example("A 0-2 您好 {threat:0.9}", {"any": ["threats"]}, "?"),
        Example("A 0-2 您好", {"any": ["threat"]}, "?"),
    ),
)
def tag(uses: Sequence[Params]) -> Scan:
    """Hit every turn on which a label of ``any`` scores ``at_least`` or more; value = the best score.

    Scores are compared as float32, as the model gives them. A label that the model does not have leaves the
    use unknown (hits of the other labels stay); a call without any scored turn is unknown. The default 0.5 is
    the point where a calibrated model is as likely right as wrong.
    """

    def scan(table: CallTable) -> Hits:
        return scored(table, uses, table.tags, table.tag_labels, "tag")

    return scan
