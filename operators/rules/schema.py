"""JSON Schema (draft 2020-12) of a rule file, from the declarations: lets an editor complete and check.

A schema sees one file. Names of lexicons, items, other rules and conditions, and whether values fit together,
are `earshot rules check`'s business.
"""

from collections.abc import Mapping
from typing import Any

from operators.chain import describe
from operators.rules import lexicon, tree
from operators.rules.pack import RULE_KEYS, RULE_REQUIRED
from operators.rules.parse import COUNT_KEYS, WINDOW_KEYS
from operators.spec import Operator, Param, Registry
from operators.table import ROLES

Schema = dict[str, Any]
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean", list: "array"}
_PARAMETER: Schema = {"$ref": "#/$defs/parameter"}
_NATURAL: Schema = {"anyOf": [{"type": "integer", "minimum": 0}, _PARAMETER]}
_NTH: Schema = {"type": "integer", "not": {"const": 0}, "description": "The n-th hit, below 0 from the end."}
_TEXTS: Schema = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_DAY: Schema = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
_ROLE: Schema = {"enum": list(ROLES)}
_CONDITION: Schema = {"$ref": "#/$defs/condition"}
_CONDITIONS: Schema = {"type": "array", "items": _CONDITION, "minItems": 1}
_HELP = {
    "all": "True when every condition is.", "any": "True when one of the conditions is.",
    "not": "True when the condition is false.", "at_least": "True when n of the conditions are.",
    "seq": "Hits of the conditions follow one another.",
    "absent": "The window exists, is closed, and holds no hit.",
    "ref": "The condition of that name in this rule.", "block": "Another rule of the pack would hit.",
}  # fmt: skip


def rule_schema(registry: Registry) -> Schema:
    """The schema of one rule file for the operators of ``registry``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "earshot rule",
        "type": "object",
        "properties": {key: _RULE.get(key, {"type": "string"}) for key in RULE_KEYS},
        "required": list(RULE_REQUIRED),
        "additionalProperties": False,
        "$defs": {
            "parameter": {
                "type": "string", "pattern": r"\$", "description": "$name of `params`, here or in pack.yaml"
            },
            "scope": _object({key: _window(key) for key in WINDOW_KEYS}),
            "count": {"anyOf": [_NATURAL, _object({key: _counted(key) for key in COUNT_KEYS})]},
            "condition": _condition(registry),
        },
    }  # fmt: skip


_RULE: Mapping[str, Schema] = {
    "severity": {"enum": list(tree.SEVERITIES)},
    "status": {"enum": list(tree.STATUSES), "default": "experimental"},
    "score": {"type": "number", "description": "Points of a hit: below 0 a deduction, above 0 a reward."},
    "score_per_hit": {"type": "number", "description": "Points of each thing found, instead of score."},
    "cap": {"type": "number", "minimum": 0, "description": "Most points of score_per_hit, up or down."},
    "veto": {"type": "boolean", "description": "The whole call scores 0."},
    "when": _CONDITION | {"description": "What makes a hit."},
    "gate": _CONDITION | {"description": "Where it is false the rule does not apply."},
    "unless": _CONDITION | {"description": "Where it is true there is no hit."},
    "effective_from": _DAY | {"description": "First day on which the rule applies."},
    "effective_to": _DAY | {"description": "Last day on which the rule applies."},
    "define": {"type": "object", "additionalProperties": _CONDITION},
    "params": {"type": "object"},
    "sources": _TEXTS, "false_positives": _TEXTS, "evidence": _TEXTS,
}  # fmt: skip


def _object(properties: Mapping[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    made: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**made, "required": list(required)} if required else made


def _window(key: str) -> Schema:
    if key.endswith("percent"):
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 100}, _PARAMETER]}
    if key in tree.COUNTED or key in ("turns", "ms"):
        return _NATURAL
    if key == "hit":
        return {"anyOf": [{"enum": list(tree.HITS)}, _NTH, _PARAMETER], "default": "any"}
    return _ROLE if key == "of" else {"type": "string", "description": "The name of a condition."}


def _counted(key: str) -> Schema:
    return {"enum": ["hit", "turn"], "default": "hit"} if key == "distinct" else _NATURAL


def _condition(registry: Registry) -> Schema:
    """Exactly one operator or combinator, and any of the common keys."""
    combinators: dict[str, Schema] = {
        "all": _CONDITIONS, "any": _CONDITIONS, "not": _CONDITION, "absent": _CONDITION,
        "at_least": _object({"n": _NATURAL, "of": _CONDITIONS}, ("n", "of")),
        "seq": {"anyOf": [_CONDITIONS, _object(
            {"of": _CONDITIONS, "within_turns": _NATURAL, "within_ms": _NATURAL}, ("of",))]},
        "ref": {"type": "string"}, "block": {"type": "string"},
    }  # fmt: skip
    heads = {name: schema | {"description": _HELP[name]} for name, schema in combinators.items()}
    declared = [found for name in registry.names() if (found := registry.get(name)) is not None]
    heads |= {operator.name: _operator(operator) for operator in declared}
    common = {
        "as": {"type": "string", "description": "A name for anchors, evidence and explanations."},
        "role": _ROLE, "scope": {"$ref": "#/$defs/scope"}, "count": {"$ref": "#/$defs/count"},
    }  # fmt: skip
    return {**_object({**heads, **common}), "oneOf": [{"required": [head]} for head in heads]}


def _operator(declared: Operator) -> Schema:
    properties = {name: _param(param) for name, param in declared.params.items()}
    required = tuple(name for name, param in declared.params.items() if param.required)
    if lexicon.accepts(declared):
        properties["lexicon"] = _TEXTS | {"description": "Lexicons of this pack, by name."}
        required = tuple(name for name in required if name not in ("any", "pattern"))
    return {**_object(properties, required), "description": declared.doc.strip().partition("\n")[0]}


def _param(param: Param) -> Schema:
    types = param.type if isinstance(param.type, tuple) else (param.type,)
    kinds: list[Schema] = [_kind(kind, param) for kind in types if kind is not type(None)]
    if list in types and param.items is not None:
        kinds.append({"type": _name(param.items)})  # one entry may stand without brackets
    made: Schema = {
        "anyOf": [*kinds, {"$ref": "#/$defs/parameter"}],
        "description": f"{param.help}; {describe(param)}",
    }
    return made if param.required or param.default is None else made | {"default": _plain(param.default)}


def _kind(kind: type, param: Param) -> Schema:
    if param.choices:
        return {"enum": list(param.choices)}
    made: Schema = {"type": _TYPES.get(kind, "object")}
    if kind in (int, float):
        limits = {"minimum": param.minimum, "maximum": param.maximum}
        made |= {name: value for name, value in limits.items() if value is not None}
    if kind is list and param.items is not None:
        made["items"] = {"type": _name(param.items)}
    return made


def _name(kind: Any) -> Any:
    kinds = kind if isinstance(kind, tuple) else (kind,)
    return [_TYPES[one] for one in kinds]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
