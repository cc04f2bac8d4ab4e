"""Operators tag and emotion: labels, thresholds, what the model does not know."""

from dataclasses import replace

import numpy as np
import pytest

from operators.chain import Plan, check_use, load_registry
from operators.testing import call

REGISTRY = load_registry()


@pytest.mark.parametrize(("name", "marks"), [("tag", "{{{}}}"), ("emotion", "({})")])
def test_a_score_at_the_threshold_counts(name: str, marks: str) -> None:
    table = call(f"A 您好 {marks.format('x:0.7')} | A 您好 {marks.format('x:0.69')}")
    hits = Plan([check_use(REGISTRY, name, {"any": ["x"], "at_least": 0.7})]).evaluate(table).hits
    assert hits.turn.tolist() == [0] and hits.value[0] == pytest.approx(0.7)


def test_the_value_is_the_best_of_the_labels() -> None:
    table = call("A 您好 {x:0.6,y:0.8}")
    assert Plan([check_use(REGISTRY, "tag", {"any": ["x", "y"]})]).evaluate(table).hits.value[
        0
    ] == pytest.approx(0.8)


def test_a_label_the_model_lacks_is_unknown_with_the_nearest_name() -> None:
    table = call("A 您好 {a_threat_harm:0.9,other:0.1}")
    evidence = Plan([check_use(REGISTRY, "tag", {"any": ["a_threat_ham", "other"]})]).evaluate(table)
    assert evidence.hits.unknown.all()
    assert "'a_threat_ham' (nearest: a_threat_harm" in evidence.why_unknown(0, 0)


def test_hits_of_known_labels_stay_when_another_is_missing() -> None:
    table = call("A 您好 {x:0.9}")
    evidence = Plan([check_use(REGISTRY, "tag", {"any": ["x", "missing"]})]).evaluate(table)
    assert len(evidence.hits) == 1 and evidence.hits.unknown.all()


def test_a_label_without_any_score_in_a_call_is_unknown_there() -> None:
    table = call("A 您好 (angry:0.9,agitated:0.9) | A 您好 (angry:0.1,agitated:0.2)")
    silent = replace(table, emotion=np.where([[True, False]], np.nan, table.emotion).astype(np.float32))
    lost = table.emotion_labels[0]
    kept = table.emotion_labels[1]
    plan = Plan([check_use(REGISTRY, "emotion", {"any": [label]}) for label in (lost, kept)])
    assert plan.evaluate(table).hits.unknown.tolist() == [[False], [False]], "the control"
    evidence = plan.evaluate(silent)
    assert evidence.hits.unknown.tolist() == [[True], [False]]
    assert evidence.hits.turn.tolist() == [0] and evidence.hits.use.tolist() == [1]
    assert f"no score for one of {lost}" in evidence.why_unknown(0, 0)
