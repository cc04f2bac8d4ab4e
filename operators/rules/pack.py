"""Loads a pack: ``pack.yaml``, one rule a file, lexicons; all problems of all files at once."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from operators.rules import tree
from operators.rules.lexicon import Lexicon, load_lexicons
from operators.rules.parse import Conditions, RulesError
from operators.rules.reader import Problem, Source, nearest, read_text, read_yaml
from operators.rules.uses import Uses
from operators.spec import Registry

BUILT_IN = Path(__file__).parent.parent / "packs"
PACK_KEYS = ("id", "title", "version", "items", "params")
RULE_REQUIRED = ("id", "item", "title", "why", "instead", "severity", "when")
RULE_KEYS = (*RULE_REQUIRED, "score", "veto", "status", "sources", "false_positives", "gate", "unless",
             "evidence", "params", "define", "score_per_hit", "cap",
             "effective_from", "effective_to")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Item:
    """What a pack inspects for: one line of the score card."""

    id: str
    zh: str
    cls: str
    severity: str
    max_deduction: float = float("inf")
    """Points that the item's rules cost at most."""
    weight: float = 1.0
    """Factor on the points of the item's rules."""


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A folder of rules; ``version`` is the declared one and a digest of all its files."""

    id: str
    title: str
    version: str
    items: Mapping[str, Item]
    rules: Mapping[str, tree.Rule]
    folder: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)


def built_in_packs() -> list[str]:
    """Names of the packs that come with earshot."""
    return sorted(path.parent.name for path in BUILT_IN.glob("*/pack.yaml"))


def find_folder(name_or_path: str | Path) -> Path:
    """The folder of a built-in pack by name, or the folder given.

    Raises:
        RulesError: neither exists.
    """
    given = Path(name_or_path)
    for folder in (BUILT_IN / given.name if len(given.parts) == 1 else given, given):
        if (folder / "pack.yaml").is_file():
            return folder
    help = (
        f"give a folder with a pack.yaml, or a built-in pack: {nearest(str(name_or_path), built_in_packs())}"
    )
    raise RulesError([Problem(str(name_or_path), 1, 1, f"no rule pack at {str(name_or_path)!r}", help)])


def load_pack(name_or_path: str | Path, registry: Registry) -> Pack:
    """The pack of that built-in name or folder.

    Raises:
        RulesError: lists everything that is wrong with any of its files.
    """
    problems: list[Problem] = []
    pack = read_pack(find_folder(name_or_path), registry, problems)
    if problems or pack is None:
        raise RulesError(problems)
    return pack


def read_pack(folder: Path, registry: Registry, problems: list[Problem]) -> Pack | None:
    """The pack in ``folder`` as far as it can be read, problems added to ``problems``."""
    text = read_text(folder / "pack.yaml", "pack.yaml", problems)
    source, root = read_yaml(text, "pack.yaml", problems) if text is not None else (None, None)
    if source is None or root is None:
        return None
    keys = source.mapping(root, PACK_KEYS, ("id", "title", "version", "items"))
    texts = {key: source.text(keys[key][1], key) for key in ("id", "title", "version") if key in keys}
    items = _items(source, keys["items"][1]) if "items" in keys else {}
    params = source.value(keys["params"][1]) if "params" in keys else {}
    rules = _Rules(folder, registry, items, params, load_lexicons(folder, problems), problems)
    return Pack(
        id=texts.get("id", ""), title=texts.get("title", ""),
        version=f"{texts.get('version', '')}+{digest(folder)}",
        items=items, rules=rules.read_all(), folder=str(folder), params=params,
    )  # fmt: skip


def rule_files(folder: Path) -> list[Path]:
    """The rule files of a pack, sorted."""
    return sorted(
        p for p in folder.glob("*.yaml") if p.name != "pack.yaml" and not p.name.endswith(".cases.yaml")
    )


def digest(folder: Path) -> str:
    """12 hex digits over everything that can change a verdict: pack.yaml, rules, lexicons."""
    state = hashlib.sha256()
    lexicons = sorted(p for p in folder.glob("lexicons/*") if p.suffix in (".yaml", ".txt"))
    for path in (folder / "pack.yaml", *rule_files(folder), *lexicons):
        content = path.read_bytes() if path.is_file() else b""
        state.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode() + content)
    return state.hexdigest()[:12]


def _items(source: Source, node: yaml.Node) -> dict[str, Item]:
    items = {}
    for name, (_, value) in source.mapping(node, what="item").items():
        required = ("zh", "class", "severity")
        keys = source.mapping(value, (*required, "max_deduction", "weight"), required)
        texts = {key: source.text(keys[key][1], key) for key in required if key in keys}
        limit, weight = (_points(source, keys, key) for key in ("max_deduction", "weight"))
        _choice(source, keys, "class", tree.CLASSES)
        _choice(source, keys, "severity", tree.SEVERITIES)
        items[name] = Item(id=name, zh=texts.get("zh", ""), cls=texts.get("class", ""),
                                severity=texts.get("severity", "minor"),
                           max_deduction=float("inf") if limit is None else limit,
                           weight=1.0 if weight is None else weight)  # fmt: skip
    return items


def _points(
    source: Source, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], key: str, *, signed: bool = False
) -> float | None:
    """A number of points; only a ``signed`` one may be below 0."""
    value = source.typed(keys[key][1], float, key) if key in keys else None
    if value is not None and not (signed or value >= 0):
        source.complain(keys[key][1], f"{key}: {value}", "give a number from 0 up")
    return None if value is None else float(value)


def _period(source: Source, keys: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> tree.Period | None:
    """The days on which a rule is in force, if its file says."""
    found: dict[str, date] = {}
    for key in ("effective_from", "effective_to"):
        text = source.text(keys[key][1], key) if key in keys else ""
        try:
            if text:
                found[key] = date.fromisoformat(text)
        except ValueError:
            source.complain(keys[key][1], f"{key}: {text!r} is no date", "write it as 2026-12-31")
    first, last = found.get("effective_from"), found.get("effective_to")
    if first and last and first > last:
        source.complain(keys["effective_to"][1], f"in force from {first} to {last}", "swap the two dates")
    at = keys[next(iter(found))][1].start_mark if found else None
    return tree.Period(first=first, last=last, where=tree.Where(source.file, at.line + 1, 1)) if at else None


def _choice(
    source: Source, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], key: str, known: Iterable[str]
) -> None:
    if key in keys:
        value = source.text(keys[key][1], key)
        if value not in set(known):
            source.complain(keys[key][1], f"{key}: {value!r}", nearest(value, known))


@dataclass
class _Rules:
    """The rules of one folder; each is parsed once, also when another uses it as a block."""

    folder: Path
    registry: Registry
    items: Mapping[str, Item]
    params: Mapping[str, Any]
    lexicons: Mapping[str, Lexicon]
    problems: list[Problem]
    _done: dict[str, tree.Rule | None] = field(default_factory=dict)

    def read_all(self) -> dict[str, tree.Rule]:
        rules = {name: self.rule(name) for name in self.ids()}
        return {name: rule for name, rule in rules.items() if rule is not None}

    def ids(self) -> list[str]:
        return [path.stem for path in rule_files(self.folder)]

    def block(self, name: str) -> tree.Node | None:
        """Another rule as a condition: its gate, its ``when`` and not its ``unless``."""
        if name in self._done and self._done[name] is None:
            return None
        rule = self.rule(name)
        if rule is None:
            return None
        unless = [tree.Not(child=rule.unless)] if rule.unless else []
        parts = tuple(node for node in (rule.gate, rule.when, *unless) if node is not None)
        return tree.All(children=parts, where=rule.where) if len(parts) > 1 else parts[0]

    def rule(self, name: str) -> tree.Rule | None:
        if name not in self._done:
            self._done[name] = None
            self._done[name] = self._read(name)
        return self._done[name]

    def _read(self, name: str) -> tree.Rule | None:
        file = f"{name}.yaml"
        text = read_text(self.folder / file, file, self.problems)
        if text is None:
            return None
        source, root = read_yaml(text, file, self.problems)
        if root is None:
            return None
        keys = source.mapping(root, RULE_KEYS, RULE_REQUIRED)
        params = source.value(keys["params"][1]) if "params" in keys else {}
        uses = Uses(source, self.registry, self.lexicons, {**self.params, **params})
        conditions = Conditions(source=source, uses=uses, block=self.block, rule_ids=self.ids)
        parts = self._conditions(source, keys, conditions)
        head = self._head(source, keys, name)
        if parts.get("when") is None:
            return None
        where = tree.Where(file, root.start_mark.line + 1, 1)
        evidence = self._evidence(source, keys, conditions)
        return tree.Rule(**head, **parts, evidence=evidence, where=where)

    def _conditions(
        self, source: Source, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], conditions: Conditions
    ) -> dict[str, Any]:
        if "define" in keys:
            for name, (_, node) in source.mapping(keys["define"][1], what="name").items():
                conditions.define(name, node)
        roots = {key: keys[key][1] for key in ("gate", "when", "unless") if key in keys}
        for node in roots.values():
            conditions.collect(node)
        parts = {key: conditions.condition(node) for key, node in roots.items()}
        period = _period(source, keys)
        if period is not None:
            gate = parts.get("gate")
            parts["gate"] = tree.All(children=(period, gate), where=gate.where) if gate else period
        return parts

    def _evidence(
        self, source: Source, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], conditions: Conditions
    ) -> tuple[str, ...]:
        names = source.texts(keys["evidence"][1], "evidence") if "evidence" in keys else ()
        for name in names:
            if name not in conditions.named:
                source.complain(keys["evidence"][1], f"evidence: no condition is called {name!r}",
                                nearest(name, conditions.named))  # fmt: skip
        return names

    def _head(
        self, source: Source, keys: Mapping[str, tuple[yaml.Node, yaml.Node]], name: str
    ) -> dict[str, Any]:
        texts = {
            key: source.text(keys[key][1], key) if key in keys else default
            for key, default in (("id", name), ("item", ""), ("title", ""), ("why", ""), ("instead", ""),
                                 ("severity", "minor"), ("status", "experimental"))
        }  # fmt: skip
        if texts["id"] != name:
            source.complain(keys["id"][1], f"id {texts['id']!r} in file {name}.yaml", f"write id: {name}")
        _choice(source, keys, "item", self.items)
        _choice(source, keys, "severity", tree.SEVERITIES)
        _choice(source, keys, "status", tree.STATUSES)
        lists = {k: source.texts(keys[k][1], k) if k in keys else () for k in ("sources", "false_positives")}
        points, per_hit = (_points(source, keys, key, signed=True) for key in ("score", "score_per_hit"))
        cap = _points(source, keys, "cap")
        veto = source.typed(keys["veto"][1], bool, "veto") if "veto" in keys else False
        if "score" in keys and "score_per_hit" in keys:
            source.complain(keys["score_per_hit"][0], "both score and score_per_hit", "keep one of the two")
        if "cap" in keys and "score_per_hit" not in keys:
            source.complain(keys["cap"][0], "cap without score_per_hit", "add score_per_hit, or remove cap")
        points_of = {"score": points or 0.0, "score_per_hit": per_hit or 0.0, "cap": cap}
        return {**texts, **lists, **points_of, "veto": bool(veto)}
