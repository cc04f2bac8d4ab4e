"""A pack of many rules for bench.backtest: the shipped ones, many times with other words and figures."""

import re
import shutil
from pathlib import Path
from random import Random
from typing import Any

import yaml

LISTS = ("words", "patterns", "not_in", "exclude")
KEPT = 0.8
"""Share of a lexicon's words and patterns that a variant keeps."""
_LIMIT = re.compile(r"_(ms|min|chars|db|rise)$|^at_least$")


def write(folder: Path, shipped: Path, rules: int, seed: int) -> None:
    """Write a pack of ``rules`` variants of the pack in ``shipped`` to ``folder``.

    Raises:
        SystemExit: two variants of a rule turned out alike.
    """
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "lexicons").mkdir(parents=True)
    shutil.copy(shipped / "pack.yaml", folder)
    names = sorted(p.stem for p in shipped.glob("*.yaml") if p.stem != "pack" and ".cases" not in p.name)
    lexicons = {p.stem: yaml.safe_load(p.read_text("utf-8")) for p in sorted(shipped.glob("lexicons/*.yaml"))}
    rounds = -(-rules // len(names))
    for variant in range(rounds):
        for stem, lexicon in lexicons.items():
            _dump(
                folder / "lexicons" / f"{stem}_{variant}.yaml",
                _other_words(lexicon, Random(f"{seed}{stem}{variant}")),
            )
    seen: set[str] = set()
    for number in range(rules):
        variant, name = number // len(names), names[number % len(names)]
        rule = yaml.safe_load((shipped / f"{name}.yaml").read_text("utf-8"))
        rule = _varied(rule, "", variant, frozenset(names))
        rule |= {"id": f"{name}_{variant}", "title": f"{rule['title']} {variant}"}
        rule["params"] = {**rule.get("params", {}), "sure": round(0.5 + 0.02 * variant, 2)}
        conditions = str([rule.get(key) for key in ("gate", "define", "when", "unless")])
        if conditions in seen:
            raise SystemExit(f"variant {variant} of {name} differs from no other one")
        seen.add(conditions)
        _dump(folder / f"{rule['id']}.yaml", rule)


def _other_words(lexicon: dict[str, Any], random: Random) -> dict[str, Any]:
    other = dict(lexicon)
    for key in LISTS:
        entries = other.get(key)
        if entries:
            other[key] = random.sample(entries, max(1, round(KEPT * len(entries))))
    return other


def _varied(value: Any, key: str, variant: int, rules: frozenset[str]) -> Any:
    """The same conditions with the variant's lexicons, limits, gaps in patterns and times of day."""
    if isinstance(value, dict):
        return {name: _varied(inner, name, variant, rules) for name, inner in value.items()}
    if isinstance(value, list):
        return [_varied(inner, key, variant, rules) for inner in value]
    if key == "lexicon" or (key == "block" and value in rules):
        return f"{value}_{variant}"
    if isinstance(value, str) and key in ("pattern", "exclude"):
        return re.sub(r"\{0,(\d+)\}", lambda m: f"{{0,{int(m[1]) + variant}}}", value) + f"|变{variant}体"
    if isinstance(value, str) and re.fullmatch(r"\d\d:00", value):
        return f"{value[:3]}{variant:02}"
    if _LIMIT.search(key) and isinstance(value, float):
        return round(value * (1 - 0.01 * variant), 4)
    if _LIMIT.search(key) and isinstance(value, int) and value > 9 and not isinstance(value, bool):
        return value + variant * max(1, value // 100)
    return value


def _dump(path: Path, value: Any) -> None:
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), "utf-8")
