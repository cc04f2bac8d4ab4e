"""Word lists of a pack, ``lexicons/<name>.yaml`` or ``.txt``, for the parameter ``lexicon``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operators.rules.reader import Problem, Source, nearest, read_text, read_yaml
from operators.spec import Operator

MATCHES = ("exact", "pinyin")
KEYS = ("title", "match", "words", "not_in", "patterns", "exclude")


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """One category of words."""

    id: str
    title: str = ""
    match: str = "exact"
    words: tuple[str, ...] = ()
    not_in: tuple[str, ...] = ()
    """Harmless longer words: an occurrence inside one of them does not count."""
    patterns: tuple[str, ...] = ()
    """Regular expressions for wordings that a list cannot hold."""
    exclude: tuple[str, ...] = ()
    """Regular expressions: a turn that matches one is left out by ``patterns``."""


def accepts(declared: Operator) -> bool:
    """Whether an operator takes ``lexicon``: it looks for words (``any``, ``match``) or for a ``pattern``."""
    return {"any", "match", "not_in"} <= set(declared.params) or "pattern" in declared.params


def expand(declared: Operator, given: Mapping[str, Any], lexicons: Sequence[Lexicon]) -> list[dict[str, Any]]:
    """The uses that stand for ``given`` and ``lexicons`` together: one for each way of matching."""
    if "pattern" in declared.params:
        patterns = [
            *([given["pattern"]] if given.get("pattern") else []),
            *(p for lex in lexicons for p in lex.patterns),
        ]
        exclude = [
            *([given["exclude"]] if given.get("exclude") else []),
            *(e for lex in lexicons for e in lex.exclude),
        ]
        return [{**given, "pattern": _either(patterns), **({"exclude": _either(exclude)} if exclude else {})}]
    uses = []
    for match in MATCHES:
        own = [lex for lex in lexicons if (given.get("match") or lex.match) == match]
        words = _distinct(w for lex in own for w in lex.words)
        if match == given.get("match", "exact"):
            words = _distinct([*given.get("any", ()), *words])
        if words:
            harmless = _distinct([*given.get("not_in", ()), *(w for lex in lexicons for w in lex.not_in)])
            uses.append({**given, "any": words, "match": match, **({"not_in": harmless} if harmless else {})})
    return uses


def _either(patterns: Sequence[str]) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns) if len(patterns) > 1 else "".join(patterns)


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def load_lexicons(folder: Path, problems: list[Problem]) -> dict[str, Lexicon]:
    """Every lexicon of a pack folder by its file's stem."""
    found: dict[str, Lexicon] = {}
    for path in sorted(folder.glob("lexicons/*")):
        if path.suffix not in (".yaml", ".txt") or not path.is_file():
            continue
        file = f"lexicons/{path.name}"
        if path.stem in found:
            problems.append(
                Problem(file, 1, 1, f"two lexicons are called {path.stem!r}", "rename one of the files")
            )
        text = read_text(path, file, problems)
        if text is not None:
            read = _from_yaml if path.suffix == ".yaml" else _from_words
            found[path.stem] = read(path.stem, text, file, problems)
    return found


def _from_words(name: str, text: str, file: str, problems: list[Problem]) -> Lexicon:
    """One word a line; ``!word`` is harmless, ``#`` begins a comment, ``match: pinyin`` compares sounds."""
    words: list[str] = []
    harmless: list[str] = []
    match = "exact"
    for number, line in enumerate(text.splitlines(), 1):
        entry = line.partition("#")[0].strip()
        if entry.startswith("match:"):
            match = entry.partition(":")[2].strip()
            if match not in MATCHES:
                problems.append(Problem(file, number, 1, f"match: {match!r}", nearest(match, MATCHES)))
        elif entry:
            (harmless if entry.startswith("!") else words).append(entry.lstrip("!").strip())
    return Lexicon(id=name, match=match, words=tuple(words), not_in=tuple(harmless))


def _from_yaml(name: str, text: str, file: str, problems: list[Problem]) -> Lexicon:
    source, root = read_yaml(text, file, problems)
    keys = source.mapping(root, KEYS) if root is not None else {}
    names = ("words", "not_in", "patterns", "exclude")
    lists = {str(name): source.texts(keys[name][1], name) for name in names if name in keys}
    match = source.text(keys["match"][1], "match") if "match" in keys else "exact"
    if match not in MATCHES:
        source.complain(keys["match"][1], f"match: {match!r}", nearest(match, MATCHES))
    _repeated(source, keys, lists)
    title = source.text(keys["title"][1], "title") if "title" in keys else ""
    return Lexicon(id=name, title=title, match=match, **lists)


def _repeated(source: Source, keys: Mapping[str, Any], lists: Mapping[str, Sequence[str]]) -> None:
    for key, words in lists.items():
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            source.complain(keys[key][1], f"{key}: {', '.join(twice[:5])} twice", "keep one of each")
