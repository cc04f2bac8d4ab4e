"""Reads YAML with positions, safely: no aliases, capped size and depth, every problem kept.

Scalars follow YAML 1.2's core: a plain ``22:00``, ``no`` or ``2026-01-01`` stays text.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
MAX_NODES = 50_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_TYPE_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a file: where, what, and what to do about it."""

    file: str
    line: int
    column: int
    what: str
    help: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.what}\nhelp: {self.help}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A help line that names the nearest of ``known`` names, or lists them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    return (
        f"did you mean {close[0]!r}?"
        if close
        else f"one of {', '.join(names)}"
        if names
        else "there is none to name"
    )


class Source:
    """One YAML file: its text as nodes with positions, and where its problems are collected."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems

    def complain(self, node: yaml.Node | None, what: str, help: str) -> None:
        """Record a problem at ``node``."""
        line, column = _place(node.start_mark if node is not None else None)
        self.problems.append(Problem(self.file, line, column, what, help))

    def mapping(
        self,
        node: yaml.Node,
        known: Iterable[str] | None = None,
        required: Iterable[str] = (),
        what: str = "key",
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key → (key node, value node); complains of unknown, repeated and missing keys."""
        if not isinstance(node, yaml.MappingNode):
            self.complain(node, f"{self.show(node)} is not a mapping", "write `key: value` lines")
            return {}
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        closed = None if known is None else list(known)
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if not name:
                self.complain(key, "a key that is no plain word", "use a word as key")
            elif name in found:
                self.complain(key, f"{what} {name!r} stands twice", "keep one of the two")
            elif closed is not None and name not in closed:
                self.complain(key, f"unknown {what} {name!r}", nearest(name, closed))
            else:
                found[name] = (key, value)
        for name in required:
            if name not in found:
                self.complain(node, f"{what} {name!r} is missing", f"add `{name}:`")
        return found

    def sequence(self, node: yaml.Node) -> list[yaml.Node]:
        """The entries of a list."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.complain(node, f"{self.show(node)} is not a list", "write [a, b] or lines that begin with '-'")
        return []

    def value(self, node: yaml.Node) -> Any:
        """The plain value of a node: text, numbers, booleans, lists, mappings."""
        if isinstance(node, yaml.SequenceNode):
            return [self.value(entry) for entry in node.value]
        if isinstance(node, yaml.MappingNode):
            return {name: self.value(entry) for name, (_, entry) in self.mapping(node).items()}
        return scalar(node)

    def typed(self, node: yaml.Node, kind: type | tuple[type, ...], name: str) -> Any:
        """The value of ``node`` if it has type ``kind`` (a whole number passes as a number), else None."""
        value = self.value(node)
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if fits(value, kinds):
            return value
        if kinds == (str,) and isinstance(node, yaml.ScalarNode):
            return node.value
        self.complain(node, f"{name}: {self.show(node)} is not {describe(kinds)}", f"give {describe(kinds)}")
        return None

    def text(self, node: yaml.Node, name: str) -> str:
        """The text of a scalar, empty with a complaint for anything else."""
        value = self.typed(node, str, name)
        return value if isinstance(value, str) else ""

    def texts(self, node: yaml.Node, name: str) -> tuple[str, ...]:
        """A list of texts; a single text counts as a list of one."""
        entries = node.value if isinstance(node, yaml.SequenceNode) else [node]
        return tuple(filter(None, (self.text(entry, name) for entry in entries)))

    @staticmethod
    def show(node: yaml.Node) -> str:
        """A short quotation of a node for messages."""
        if isinstance(node, yaml.ScalarNode):
            return repr(node.value[:40])
        return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def scalar(node: yaml.Node) -> Any:
    """The value of a scalar node by YAML 1.2's core rules; quoted text stays text."""
    text = node.value
    if getattr(node, "style", None):
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def fits(value: object, kinds: tuple[type, ...]) -> bool:
    """Whether ``value`` has one of ``kinds``; booleans are no numbers, whole numbers are numbers."""
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))


def describe(kinds: tuple[type, ...]) -> str:
    """Types in words, for messages."""
    return " or ".join(_TYPE_NAMES.get(kind, kind.__name__) for kind in kinds)


def _place(mark: Any) -> tuple[int, int]:
    """Line and column from 1; the marks of the C parser and of PyYAML share no type."""
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _events(text: str, source: Source) -> Iterator[None]:
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(
                event, "YAML anchors and aliases are refused", "write the value out, or use `define:`"
            )
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        nodes += isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise _Refused(
                event, f"nested deeper than {MAX_DEPTH} levels", "split it with `define:` or another rule"
            )
        if nodes > MAX_NODES:
            raise _Refused(event, f"more than {MAX_NODES} values", "split the file")
        yield


class _Refused(Exception):
    def __init__(self, at: yaml.Event, what: str, help: str) -> None:
        super().__init__(what)
        self.at, self.what, self.help = at, what, help


def read_text(path: Path, file: str, problems: list[Problem]) -> str | None:
    """The UTF-8 text of a file no larger than MAX_BYTES; None with a complaint otherwise."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            problems.append(Problem(file, 1, 1, f"{size} bytes, more than {MAX_BYTES}", "split the file"))
            return None
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(file, 1, 1, f"cannot be read: {error}", "give a readable UTF-8 file"))
        return None


def read_yaml(text: str, file: str, problems: list[Problem]) -> tuple[Source, yaml.Node | None]:
    """The root node of one YAML document; None with a complaint when it cannot be read."""
    source = Source(file, problems)
    if len(text.encode()) > MAX_BYTES:
        source.complain(None, f"more than {MAX_BYTES} bytes", "split the file")
        return source, None
    try:
        for _ in _events(text, source):
            pass
        root = yaml.compose(text, Loader=_LOADER)
    except _Refused as refused:
        problems.append(Problem(file, *_place(refused.at.start_mark), refused.what, refused.help))
        return source, None
    except yaml.YAMLError as error:
        line, column = _place(getattr(error, "problem_mark", None))
        what = f"not YAML: {getattr(error, 'problem', None) or error}"
        problems.append(Problem(file, line, column, what, "mend the syntax (quotes, indentation)"))
        return source, None
    if root is None:
        source.complain(None, "the file is empty", "write a mapping")
    return source, root
