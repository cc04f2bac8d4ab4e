"""Registry, checking of uses, plan and evidence."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operators import chain
from operators.chain import COLUMNS, Evidence, Plan, check_use, load_registry
from operators.spec import Example, Hits, Operator, OperatorError, Params, Scan, operator
from operators.table import CallTable, concat
from operators.testing import call

REGISTRY = load_registry()
REQUESTS = (
    ("keyword", {"any": ["您好", "好", "骗子"], "not_in": ["好的"]}),
    ("keyword", {"any": ["年好"], "match": "pinyin", "not_in": [], "role": "agent"}),
    ("keyword", {"any": ["年好", "您好的", "子"], "match": "fuzzy", "at_least": 2}),
    ("keyword", {"any": ["好", "骗"], "at_least": "all", "within": "call", "role": "agent"}),
    ("keyword", {"any": ["好"], "near": ["您"], "not_near": ["的"], "near_chars": 2}),
    ("repetition", {"min_chars": 2, "at_least": 0.3}),
    ("repetition", {"min_chars": 2, "measure": "contained", "of": "other", "look_back_turns": 1}),
    ("regex", {"pattern": "[您你].{0,3}好", "exclude": "骗"}),
    ("tag", {"any": ["threat"]}),
    ("emotion", {"any": ["angry"], "role": "customer"}),
    ("emotion", {"any": ["angry"], "times": 2, "of_last": 3, "within_ms": 5000}),
    ("emotion_trend", {"any": ["angry"], "gt_rise": 0, "min_turns": 3}),
    ("loudness", {"gt_db": 1, "min_chars": 1}),
    ("loudness", {"measure": "jump", "gt_db": 1, "min_chars": 1}),
    ("loudness", {"measure": "span", "gt_db": 1, "min_chars": 1}),
    ("silence", {"at_least_ms": 1000}),
    ("silence", {"at_least_ms": 1000, "owed_by": "agent", "edges": True}),
    ("silence", {"at_least_ms": 500, "excused_before": ["好"], "excused_after": ["喂"], "near_ms": 2000}),
    ("silence", {"at_least_ms": 500, "hold": ["骗子"], "total_at_least_ms": 3000, "share_at_least": 0.3}),
    ("response_time", {"gt_ms": 500}),
    ("interruption", {"at_least_ms": 200, "min_chars": 2}),
    ("interruption", {"min_chars": 1, "total_at_least_ms": 1500, "per_min_at_least": 10}),
    ("speech_rate", {"gt_chars_per_min": 200}),
    ("speech_rate", {"lt_chars_per_min": 200, "mode": "call", "min_chars": 1}),
    ("history", {"gt": 3, "counter": "attempts"}),
    ("meta", {"field": "attempts", "cmp": "gt", "value": 3}),
    ("speech_rate", {"gt_chars_per_min": 100, "mode": "quantile", "quantile": 0.3, "min_chars": 1}),
    ("call_shape", {"measure": "duration_ms", "gt": 3000}),
    ("call_shape", {"measure": "agent_talk_share", "gt": 0.4}),
    ("call_shape", {"measure": "customer_first_ms", "gt": 1000}),
    ("call_shape", {"measure": "tail_ms", "lt": 1000}),
)
PLAN = Plan(check_use(REGISTRY, name, params) for name, params in REQUESTS)

texts = st.text("您你好年的骗子喂qQ1 ，𠮷", min_size=0, max_size=12).map(str.strip)
spans = st.tuples(st.integers(0, 8000), st.integers(0, 4000))
scores = st.integers(0, 10).map(lambda tenths: tenths / 10)


@st.composite
def calls(draw: st.DrawFn) -> CallTable:
    """One call, timed or not, separated or not, with or without a metadata field."""
    timed = draw(st.booleans())
    turns = []
    for start, length in sorted(draw(st.lists(spans, max_size=6))):
        times = f"{start / 1000:.3f}-{(start + length) / 1000:.3f} " if timed else ""
        marks = draw(st.sampled_from(["", "@-20dB ", "@-28dB ", "@-40dB "]))
        marks += f"{{threat:{draw(scores)}}} (angry:{draw(scores)})"
        turns.append(f"{draw(st.sampled_from('ACO'))} {times}{draw(texts)} {marks}")
    meta = draw(st.sampled_from([{}, {"attempts": 3}, {"attempts": 4}, {"attempts": "x"}]))
    return call(
        " | ".join(turns),
        meta,
        separated=draw(st.booleans()),
        tag_labels=("threat",),
        emotion_labels=("angry",),
    )


def _rows(evidence: Evidence, of_call: int, turn_shift: int) -> list[tuple[object, ...]]:
    """The hits of one call with turns counted from its first, and what is unknown."""
    mine = evidence.hits.call == of_call
    columns = {name: getattr(evidence.hits, name)[mine] for name in COLUMNS if name != "call"}
    columns["turn"] = np.where(columns["turn"] < 0, -1, columns["turn"] - turn_shift)
    rows: list[tuple[object, ...]] = list(zip(*(c.tolist() for c in columns.values()), strict=True))
    return [*rows, ("unknown", *evidence.hits.unknown[:, of_call].tolist())]


@settings(max_examples=60, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=5), st.randoms())
def test_an_answer_does_not_depend_on_the_batch(tables: list[CallTable], random: object) -> None:
    alone = [_rows(PLAN.evaluate(table), 0, 0) for table in tables]
    order = list(range(len(tables)))
    random.shuffle(order)  # type: ignore[attr-defined]
    batch = concat([tables[number] for number in order])
    evidence = PLAN.evaluate(batch)
    for place, number in enumerate(order):
        assert _rows(evidence, place, int(batch.turn_offsets[place])) == alone[number]


@settings(max_examples=30, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=4))
def test_hits_are_sorted_and_cut_by_use(tables: list[CallTable]) -> None:
    evidence = PLAN.evaluate(concat(tables))
    hits = evidence.hits
    keys = list(
        zip(hits.use, hits.call, hits.start_ms, hits.turn, hits.char_start, hits.char_end, strict=True)
    )
    assert keys == sorted(keys)
    for use in range(len(PLAN.uses)):
        assert (hits.use[evidence.rows(use)] == use).all()
    assert evidence.use_offsets[-1] == len(hits)


def test_equal_requests_are_one_use() -> None:
    first = check_use(REGISTRY, "tag", {"any": ["threat"]})
    same = check_use(REGISTRY, "tag", {"any": ("threat",), "at_least": 0.5})
    other = check_use(REGISTRY, "tag", {"any": ["threat"], "at_least": 0.6})
    plan = Plan([first, other, same])
    assert len(plan.uses) == 2 and plan.id_of(first) == plan.id_of(same) != plan.id_of(other)


def test_true_is_not_one() -> None:
    uses = [check_use(REGISTRY, "meta", {"field": "x", "cmp": "eq", "value": value}) for value in (True, 1)]
    assert len(Plan(uses).uses) == 2


def test_an_empty_plan_finds_nothing() -> None:
    evidence = Plan([]).evaluate(call("A 0-1 您好"))
    assert len(evidence.hits) == 0 and evidence.hits.unknown.shape == (0, 1)


def test_a_call_without_the_modality_is_unknown_and_has_no_hit() -> None:
    use = check_use(REGISTRY, "response_time", {"gt_ms": 100})
    table = concat([call("C 0-1 喂 | A 5-6 您好"), call("C 0-1 喂 | A 5-6 您好", separated=False)])
    evidence = Plan([use]).evaluate(table)
    assert evidence.hits.call.tolist() == [0]
    assert evidence.hits.unknown.tolist() == [[False, True]]
    assert evidence.why_unknown(0, 0) == "" and evidence.why_unknown(0, 1) == "the call has no separate sides"


def test_a_role_needs_the_sides_apart() -> None:
    table = call("A 0-1 您好", separated=False)
    of_any, of_agent = (
        check_use(REGISTRY, "keyword", {"any": ["您好"], "role": role}) for role in ("any", "agent")
    )
    plan = Plan([of_any, of_agent])
    unknown = plan.evaluate(table).hits.unknown[:, 0]
    assert not unknown[plan.id_of(of_any)] and unknown[plan.id_of(of_agent)]


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("tagg", {}, "did you mean tag"),
        ("tag", {"ani": ["x"], "any": ["x"]}, "did you mean any?"),
        ("tag", {}, "parameter any: is missing"),
        ("tag", {"any": "x"}, "'x' is str\nhelp: a list of text"),
        ("tag", {"any": [1]}, "entry 1 is int"),
        ("tag", {"any": []}, "the list is empty"),
        ("tag", {"any": ["x"], "at_least": 3}, "3 is out of range\nhelp: a number from 0 up to 1"),
        ("tag", {"any": ["x"], "at_least": True}, "True is bool"),
        ("tag", {"any": ["x"], "role": "agnt"}, "'agnt' is no choice\nhelp: one of any, agent"),
        ("speech_rate", {}, "neither gt_chars_per_min nor lt_chars_per_min"),
    ],
)
def test_a_wrong_use_is_explained(name: str, params: dict[str, object], says: str) -> None:
    with pytest.raises(OperatorError) as error:
        check_use(REGISTRY, name, params)
    assert says in str(error.value) and "help:" in str(error.value)


def test_all_problems_of_a_use_are_told_at_once() -> None:
    with pytest.raises(OperatorError) as error:
        check_use(REGISTRY, "tag", {"at_least": 3, "rol": "agent"})
    assert str(error.value).count("help:") == 3


def _declared(name: str) -> Operator:
    @operator(name, needs=(), params={}, examples=(Example("A 您好", {}, "."),))
    def nothing(uses: list[Params]) -> Scan:
        """Hit nothing."""

        def scan(table: CallTable) -> Hits:
            empty = np.zeros(0, np.int64)
            return Hits(
                **dict.fromkeys(COLUMNS, empty), unknown=np.zeros((len(uses), table.n_calls), np.bool_)
            )

        return scan

    return nothing


class _Entry:
    name, value = "theirs", "theirs:operators"

    def __init__(self, loaded: object) -> None:
        self._loaded = loaded

    def load(self) -> object:
        if isinstance(self._loaded, Exception):
            raise self._loaded
        return self._loaded


def _installed(monkeypatch: pytest.MonkeyPatch, loaded: object) -> None:
    monkeypatch.setattr(chain, "entry_points", lambda group: [_Entry(loaded)])


def test_third_parties_come_in_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("theirs")
    vars(theirs)["nothing"] = _declared("nothing")
    _installed(monkeypatch, theirs)
    registry = load_registry()
    assert set(registry.names()) == {*REGISTRY.names(), "nothing"}
    evidence = Plan([check_use(registry, "nothing", {})]).evaluate(call("A 您好"))
    assert len(evidence.hits) == 0


def test_a_name_declared_twice_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("theirs")
    vars(theirs)["keyword"] = _declared("keyword")
    _installed(monkeypatch, theirs)
    with pytest.raises(OperatorError, match="'keyword' is declared twice"):
        load_registry()


def test_a_broken_third_party_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, ImportError("no module named theirs"))
    with pytest.raises(OperatorError, match=r"theirs:operators.*no module named theirs\nhelp:"):
        load_registry()
