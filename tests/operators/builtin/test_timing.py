"""Silence, interruption, response time and speech rate against definitions written the plain way."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from operators.chain import Evidence, Plan, check_use, load_registry
from operators.table import ROLES, CallTable, concat
from operators.testing import call

REGISTRY = load_registry()
turns = st.lists(st.tuples(st.sampled_from("ACO"), st.integers(0, 60), st.integers(0, 20)), max_size=8).map(
    lambda rows: sorted(rows, key=lambda row: row[1])
)


def _call(rows: list[tuple[str, int, int]], text: str = "今天必须还钱") -> CallTable:
    """Times in tenths of a second."""
    return call(" | ".join(f"{role} {start / 10}-{(start + n) / 10} {text}" for role, start, n in rows))


def _evaluate(table: CallTable, name: str, **params: object) -> Evidence:
    return Plan([check_use(REGISTRY, name, params)]).evaluate(table)


@settings(max_examples=200, deadline=None)
@given(turns)
def test_silence_is_where_no_one_speaks(rows: list[tuple[str, int, int]]) -> None:
    table = _call(rows)
    speaking = np.zeros(int(table.duration_ms[0]) // 100, np.bool_)
    for _, start, length in rows:
        speaking[start : start + length] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[1], speaking, [1]])))
    stretches = [(s * 100, e * 100) for s, e in edges.reshape(-1, 2)]
    hits = _evaluate(table, "silence", at_least_ms=100, edges=True).hits
    found = list(zip(hits.start_ms.tolist(), hits.end_ms.tolist(), strict=True))
    zero_length = {start * 100 for _, start, length in rows if length == 0}
    if not zero_length:
        assert found == stretches
    assert sum(end - start for start, end in found) == sum(end - start for start, end in stretches)
    assert hits.value.tolist() == [end - start for start, end in found]


@settings(max_examples=200, deadline=None)
@given(turns, st.integers(0, 15))
def test_interruption_is_what_its_definition_says(rows: list[tuple[str, int, int]], delay: int) -> None:
    hits = _evaluate(_call(rows), "interruption", at_least_ms=200, onset_delay_ms=delay * 100).hits
    expected = []
    for turn, (role, start, length) in enumerate(rows):
        overlaps = [
            min(s + n, start + length) - start
            for other, s, n in rows
            if other != role and s < start and s + delay <= start
        ]
        if max(overlaps, default=0) >= 2:
            expected.append((turn, max(overlaps) * 100))
    assert list(zip(hits.turn.tolist(), hits.value.tolist(), strict=True)) == sorted(
        expected, key=lambda hit: (rows[hit[0]][1], hit[0])
    )


def test_a_silence_is_owed_by_who_did_not_speak_last() -> None:
    table = call("C 0-2 怎么还 | A 6-7 嗯 | A 11-12 您好 | C 16-17 喂")
    owed = {role: _evaluate(table, "silence", owed_by=role).hits.start_ms.tolist() for role in ROLES}
    assert owed == {"agent": [2000, 7000], "customer": [12000], "other": []}


def test_an_announcement_is_no_silence() -> None:
    assert len(_evaluate(call("A 0-2 您好 | O 2-8 请稍候 | C 9-10 喂"), "silence").hits) == 0


def test_a_silence_needs_no_separation_unless_it_is_owed() -> None:
    table = call("A 0-2 您好 | C 9-10 喂", separated=False)
    assert len(_evaluate(table, "silence").hits) == 1
    owed = _evaluate(table, "silence", owed_by="agent")
    assert len(owed.hits) == 0 and owed.hits.unknown.all()


def test_an_interruption_is_blamed_on_the_later_starter() -> None:
    table = call("C 0-5 我上个月住院了 | A 3-6 那跟我没关系")
    hits = _evaluate(table, "interruption").hits
    assert (hits.turn.tolist(), hits.start_ms.tolist(), hits.end_ms.tolist()) == ([1], [3000], [5000])


def test_ignored_words_can_be_changed() -> None:
    table = call("C 0-5 我上个月住院了 | A 3-6 知道知道")
    assert len(_evaluate(table, "interruption").hits) == 1
    assert len(_evaluate(table, "interruption", ignore=["知道"]).hits) == 0


def test_an_answer_has_the_wait_as_its_time() -> None:
    hits = _evaluate(call("C 0-2 怎么还 | A 9-10 您好"), "response_time", gt_ms=0).hits
    assert (hits.turn.tolist(), hits.start_ms.tolist(), hits.end_ms.tolist()) == ([1], [2000], [9000])


def test_rate_counts_what_is_spoken() -> None:
    rates = _evaluate(
        call("A 0-60 您好，hello world！ 123 ok."), "speech_rate", gt_chars_per_min=0
    ).hits.value
    assert rates.tolist() == [8.0]  # 您 好 hello world 1 2 3 ok


def test_pauses_between_characters_are_not_speech() -> None:
    table = call("A 0-10 今天还钱")
    starts = np.array([0, 200, 9600, 9800])
    paused = replace(table, char_start_ms=starts, char_end_ms=starts + 200)
    rate = _evaluate(paused, "speech_rate", gt_chars_per_min=0).hits.value
    assert rate.tolist() == [300.0]
    spiky = replace(table, char_start_ms=starts, char_end_ms=starts + 40)
    assert 300 <= _evaluate(spiky, "speech_rate", gt_chars_per_min=0).hits.value[0] < 700


def test_average_of_a_call_is_per_role() -> None:
    table = call("A 0-1 今天还钱 | C 1-3 今天还钱 | A 3-6 今天还钱")
    hits = _evaluate(table, "speech_rate", gt_chars_per_min=0, mode="call").hits
    assert hits.turn.tolist() == [-1, -1] and sorted(hits.value.tolist()) == [120.0, 120.0]
    one = _evaluate(table, "speech_rate", gt_chars_per_min=0, mode="call", role="agent").hits
    assert one.value.tolist() == [120.0]


def test_the_place_of_an_excuse_is_its_characters_not_its_turn() -> None:
    """The turn ends at 10 s and 稍等 begins at 8 s, whatever begins the turn."""
    table = call("A 0-10 我先跟您核对一下您稍等 | A 22-23 好了")
    assert len(_evaluate(table, "silence", excused_before=["稍等"], near_ms=2000).hits) == 0
    assert len(_evaluate(table, "silence", excused_before=["核对"], near_ms=2000).hits) == 1


def test_an_excuse_belongs_to_its_call() -> None:
    quiet = call("A 0-2 您好 | C 9-10 喂")
    tables = [call("A 0-1 请稍等"), quiet, call("A 0-1 您好 | C 1-2 久等")]
    asked = {"excused_before": ["稍等"], "excused_after": ["久等"], "near_ms": 1_000_000}
    assert _evaluate(concat(tables), "silence", **asked).hits.call.tolist() == [1]


def test_an_announcement_excuses_whatever_the_limit_says() -> None:
    table = call("C 0-2 喂 | O 3-5 正在为您转接 | A 52-53 您好")
    assert len(_evaluate(table, "silence", excused_up_to_ms=1000, excused_by="agent").hits) == 0


@settings(max_examples=100, deadline=None)
@given(turns, st.integers(0, 40), st.floats(0, 1))
def test_totals_keep_all_silences_of_a_call_or_none(
    rows: list[tuple[str, int, int]], total: int, share: float
) -> None:
    table = _call(rows)
    every = _evaluate(table, "silence", at_least_ms=100, hold=[]).hits.value
    enough = every.sum() >= total * 100 and every.sum() >= share * table.duration_ms[0]
    kept = _evaluate(
        table, "silence", at_least_ms=100, hold=[], total_at_least_ms=total * 100, share_at_least=share
    ).hits.value
    assert kept.tolist() == (every.tolist() if enough else [])


@settings(max_examples=100, deadline=None)
@given(turns, st.floats(0, 1))
def test_a_quantile_is_numpys(rows: list[tuple[str, int, int]], quantile: float) -> None:
    expected = []
    for role in "ACO":
        rates = [6 * 600 / n for r, _, n in rows if r == role and n > 0]
        expected += [float(np.quantile(rates, quantile))] if rates else []
    hits = _evaluate(
        _call(rows), "speech_rate", gt_chars_per_min=0, mode="quantile", quantile=quantile, min_chars=1
    ).hits
    np.testing.assert_allclose(sorted(hits.value), sorted(expected))


def test_first_speech_and_tail_come_from_speech_where_there_is_audio() -> None:
    table = call("A 2-3 您好 | C 4-6 喂")
    heard = replace(
        table,
        has_audio=np.array([True]),
        duration_ms=np.array([9000]),
        speech_start_ms=np.array([1900, 3900]),
        speech_end_ms=np.array([3100, 6100]),
    )
    for measure, value in (("agent_first_ms", 1900), ("customer_first_ms", 3900), ("tail_ms", 2900)):
        assert _evaluate(heard, "call_shape", measure=measure, gt=0).hits.value.tolist() == [value]
    shares = [
        _evaluate(heard, "call_shape", measure=f"{r}_talk_share", gt=0).hits.value[0] for r in ROLES[:2]
    ]
    assert sum(shares) == 1 and shares[0] == 1200 / 3400
