"""Labelled turns: the project's dialogues, the catalogue's examples, public phrases, harmless talk."""

import csv
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
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

_ASKED_WHO = "请问您是张先生本人吗"
_ASKED_WHEN = "那您这边什么时候能还进来呢"


@dataclass(frozen=True)
class Turn:
    """One turn with its tags; ``known`` limits the tags whose absence is certain (None: its role's)."""

    text: str
    role: str
    previous: str = ""
    tags: frozenset[str] = frozenset()
    known: frozenset[str] | None = None
    weight: float = 1.0
    source: str = field(default="", compare=False)


def tag_labels(catalogue: Path) -> tuple[str, ...]:
    """Ids of the catalogue's tags, in its order."""
    return tuple(tag["id"] for tag in _tags(catalogue))


def _tags(catalogue: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = yaml.load(catalogue.read_text(encoding="utf-8"), yaml.CSafeLoader)["tags"]
    return loaded


def dialogues(folder: Path) -> Iterator[Turn]:
    """Turns of the project's labelled calls; ``source`` is the writer (the file's stem)."""
    for path in sorted(folder.glob("*.txt")):
        previous = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#call"):
                previous = ""
            if line[:2] not in ("a|", "c|"):
                continue
            role, text, tags = [*line.split("|"), ""][:3]
            names = frozenset(tag.strip() for tag in tags.split(",") if tag.strip())
            yield Turn(
                text.strip(), "agent" if role == "a" else "customer", previous, names, source=path.stem
            )
            previous = text.strip()


def catalogue_examples(catalogue: Path) -> Iterator[Turn]:
    """The catalogue's positive and negative utterances of each tag."""
    for tag in _tags(catalogue):
        for positive in tag["pos"]:
            text, also = (positive["t"], positive["also"]) if isinstance(positive, dict) else (positive, [])
            names = frozenset([tag["id"], *([also] if isinstance(also, str) else also)])
            yield Turn(text, tag["role"], tags=names, source="catalogue")
        for negative in tag["neg"]:
            yield Turn(negative["t"], negative["by"], tags=frozenset(negative["is"]), source="catalogue")


def phrases(folder: Path) -> Iterator[Turn]:
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
                yield Turn(
                    line[2:].strip(), "customer", asked, frozenset([tag]), weight=0.5, source="phrases"
                )


def insults(path: Path, limit: int) -> Iterator[Turn]:
    """Short comments marked offensive or not: for the insult tag alone, and lightly (they are not calls)."""
    kept = {0: 0, 1: 0}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            label = int(row["label"])
            if not 4 <= len(row["TEXT"]) <= 40 or kept[label] >= limit:
                continue
            kept[label] += 1
            tags = frozenset(["a_insult"] if label else [])
            yield Turn(row["TEXT"], "agent", "", tags, frozenset(["a_insult"]), 0.15, "comments")


def harmless(folder: Path) -> dict[str, list[Turn]]:
    """Turns of talk that has nothing to do with debts, by corpus; only violations are known to be absent."""
    certain = frozenset([*VIOLATIONS, *CUSTOMER_BUSINESS])
    return {
        name: _alternate(lines, certain, name)
        for name, lines in (
            ("crosswoz", _crosswoz(folder / "crosswoz/val.json.zip")),
            ("kdconv", _kdconv(folder / "kdconv")),
            ("cped", _cped(folder / "cped/first_half.csv")),
            ("phone", _phone(folder / "teleantifraud_synthetic/normal_dialogues.jsonl")),
        )
    }


def _alternate(talks: Iterator[list[str]], certain: frozenset[str], name: str) -> list[Turn]:
    """Both sides of each talk as turns."""
    turns = []
    for talk in talks:
        previous = ""
        for index, text in enumerate(talk):
            role = "agent" if index % 2 else "customer"
            turns.append(Turn(text, role, previous, frozenset(), certain, 0.5, name))
            previous = text
    return turns


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
