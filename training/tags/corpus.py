"""Labelled turns: the project's dialogues, the catalogue's examples, public phrases, harmless talk."""

import csv
import json
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

VIOLATIONS = (
    "a_threat_harm", "a_insult", "a_impersonate", "a_false_legal", "a_threat_expose", "a_disclose_other_debt",
    "a_demand_third_pay", "a_visit_threat", "a_induce_funding", "a_private_payment", "a_extra_fee",
    "a_unauth_promise", "a_privacy_misuse", "a_refuse_complaint",
)  # fmt: skip
"""Tags of prohibited behaviour: absent from harmless talk, whatever else is in it."""

CUSTOMER_BUSINESS = ("c_hardship_negotiate", "c_dispute_debt", "c_complaint_intent", "c_stop_contact")

PHRASE_INTENTS = {
    "affirm_self": "c_confirm_self", "wrongcall": "c_not_debtor", "family_friend": "c_not_debtor",
    "repayment_today": "c_promise_to_pay", "shortofmoney": "c_hardship_negotiate",
}  # fmt: skip
"""Intents of the public debt-collection phrases that are one of our tags. Bare yes and no are left out."""

LABELLED, UNLABELLED = None, frozenset[str]()
"""``known`` of a turn whose role's tags are all certain, and of one that only stands before another."""

_ASKED_WHO = "请问您是张先生本人吗"
_ASKED_WHEN = "那您这边什么时候能还进来呢"
_CLAUSE_END = re.compile(r"[。！？；!?;\n…]+|(?<=.{14})[，,、：:]")


@dataclass(frozen=True)
class Turn:
    """One turn with its tags; ``known`` limits the tags whose absence is certain (None: its role's)."""

    text: str
    role: str
    tags: frozenset[str] = frozenset()
    known: frozenset[str] | None = LABELLED


@dataclass(frozen=True)
class Talk:
    """Turns in order; ``source`` is the writer or the corpus."""

    turns: tuple[Turn, ...]
    source: str
    weight: float = 1.0


def tag_labels(catalogue: Path) -> tuple[str, ...]:
    """Ids of the catalogue's tags, in its order."""
    return tuple(tag["id"] for tag in _tags(catalogue))


def _tags(catalogue: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.load(catalogue.read_text(encoding="utf-8"), yaml.CSafeLoader)["tags"]
    return loaded


def dialogues(folders: Iterable[Path]) -> Iterator[Talk]:
    """The project's labelled calls; the source is the writer (the file's stem)."""
    for path in sorted(path for folder in folders for path in folder.glob("writer_*.txt")):
        turns: list[Turn] = []
        for line in [*path.read_text(encoding="utf-8").splitlines(), "#call"]:
            if line.startswith("#call"):
                if turns:
                    yield Talk(tuple(turns), path.stem)
                turns = []
            if line[:2] not in ("a|", "c|"):
                continue
            role, text, tags = [*line.split("|"), ""][:3]
            names = frozenset(tag.strip() for tag in tags.split(",") if tag.strip())
            turns.append(Turn(text.strip(), "agent" if role == "a" else "customer", names))


def catalogue_examples(catalogue: Path) -> Iterator[Talk]:
    """The catalogue's positive and negative utterances of each tag."""
    for tag in _tags(catalogue):
        for positive in tag["pos"]:
            text, also = (positive["t"], positive["also"]) if isinstance(positive, dict) else (positive, [])
            names = frozenset([tag["id"], *([also] if isinstance(also, str) else also)])
            yield Talk((Turn(text, tag["role"], names),), "catalogue")
        for negative in tag["neg"]:
            yield Talk((Turn(negative["t"], negative["by"], frozenset(negative["is"])),), "catalogue")


def phrases(folder: Path) -> Iterator[Talk]:
    """Customer phrases of a public debt-collection bot, where their intent is one of our tags."""
    intent, seen = "", set()
    for path in sorted(folder.glob("nlu*.md")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("##"):
                intent = line.split(":")[-1].strip()
            elif line.startswith("- ") and intent in PHRASE_INTENTS and (intent, line) not in seen:
                seen.add((intent, line))
                tag = PHRASE_INTENTS[intent]
                asked = _ASKED_WHEN if tag in ("c_promise_to_pay", "c_hardship_negotiate") else _ASKED_WHO
                answer = Turn(line[2:].strip(), "customer", frozenset([tag]))
                yield Talk((Turn(asked, "agent", known=UNLABELLED), answer), "phrases", 0.5)


def insults(path: Path, limit: int) -> Iterator[Talk]:
    """Short comments marked offensive or not: for the insult tag alone, and lightly (they are not calls)."""
    kept = {0: 0, 1: 0}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            label = int(row["label"])
            if not 4 <= len(row["TEXT"]) <= 40 or kept[label] >= limit:
                continue
            kept[label] += 1
            tags = frozenset(["a_insult"] if label else [])
            yield Talk((Turn(row["TEXT"], "agent", tags, frozenset(["a_insult"])),), "comments", 0.15)


def harmless(folder: Path) -> dict[str, list[Talk]]:
    """Talk that has nothing to do with debts, by corpus; only violations are known to be absent."""
    certain = frozenset([*VIOLATIONS, *CUSTOMER_BUSINESS])
    return {
        name: [_alternate(lines, certain, name) for lines in talks if lines]
        for name, talks in (
            ("crosswoz", _crosswoz(folder / "crosswoz/val.json.zip")),
            ("kdconv", _kdconv(folder / "kdconv")),
            ("cped", _cped(folder / "cped/first_half.csv")),
            ("phone", _phone(folder / "teleantifraud_synthetic/normal_dialogues.jsonl")),
        )
    }


def public_texts(folder: Path) -> dict[str, list[str]]:
    """Utterances of all public corpora, whatever is in them, by corpus: text to learn the language from."""
    text = {
        "fraud": _talk_lines(_phone(folder / "teleantifraud_synthetic/fraud_dialogues.jsonl")),
        "phone": _talk_lines(_phone(folder / "teleantifraud_synthetic/normal_dialogues.jsonl")),
        "cped": _column(folder / "cped/first_half.csv", "Utterance"),
        "comments": _column(folder / "cold/train.csv", "TEXT"),
        "crosswoz": _talk_lines(_crosswoz(folder / "crosswoz/val.json.zip")),
        "kdconv": _talk_lines(_kdconv(folder / "kdconv")),
    }
    return {
        name: [piece for line in lines for piece in _CLAUSE_END.split(line)] for name, lines in text.items()
    }


def _talk_lines(talks: Iterator[list[str]]) -> list[str]:
    return [line for talk in talks for line in talk]


def _column(path: Path, name: str) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def _alternate(lines: list[str], certain: frozenset[str], name: str) -> Talk:
    """Both sides of a talk as turns."""
    sides = ("customer", "agent")
    turns = (Turn(text, sides[index % 2], known=certain) for index, text in enumerate(lines))
    return Talk(tuple(turns), name, 0.5)


def _crosswoz(path: Path) -> Iterator[list[str]]:
    with zipfile.ZipFile(path) as archive:
        for talk in json.loads(archive.read("val.json")).values():
            yield [message["content"] for message in talk["messages"]]


def _kdconv(folder: Path) -> Iterator[list[str]]:
    for path in sorted(folder.glob("*.txt")):
        for talk in path.read_text(encoding="utf-8").split("\n\n"):
            yield [line for line in talk.splitlines() if line]


def _cped(path: Path) -> Iterator[list[str]]:
    """Television talk; angry or disgusted utterances are left out, they may well insult or threaten."""
    heated = {"anger", "disgust", "negative-other", "depress"}
    talks: dict[str, list[str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if row["Emotion"] not in heated:
                talks.setdefault(row["Dialogue_ID"], []).append(row["Utterance"])
    yield from talks.values()


def _phone(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        talk = json.loads(line)
        pairs = zip(talk["right"], talk["left"], strict=False)
        yield [re.sub(r"\s+", "", side) for pair in pairs for side in pair]
