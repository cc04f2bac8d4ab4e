"""The pack that ships: sound, its cases hold, and it is silent on a clean call."""

import pytest

from operators.chain import load_registry
from operators.rules import cases, lint
from operators.rules.judge import Judge
from operators.rules.pack import load_pack
from operators.testing import call

CLEAN = (
    "A 0-9 您好我这边是江澜银行委托的诚达公司工号三零七二本次通话有录音请问是张伟先生本人吗 "
    "{a_self_identify:0.9,a_recording_notice:0.9,a_verify_identity:0.9} (neutral:0.9)"
    " | C 9.5-10.5 对是我 {c_confirm_self:0.9}"
    " | A 11-16 您江澜银行的信用卡逾期十二天了应还一千五百块 {a_state_debt:0.9}"
    " | C 16.5-20 哦我十五号发工资发了就还 "
    "{c_promise_to_pay:0.9}"
    " | A 20.5-27 好那跟您确认十五号还一千五对吧您在手机银行app上还就行 {a_confirm_ptp:0.9} | "
    "C 27.5-28 行 | A 28.5-31 感谢您的接听再见 {a_polite_closing:0.9}"
)
META = {
    "direction": "outbound", "call_start_local": "2026-11-23T10:15:00+08:00", "offhours_consent": False,
    "attempts_same_number_today": 1, "effective_calls_debtor_today": 1, "callee_relation": "debtor",
    "agency_type": "outsourced", "hangup_by": "agent", "litigation_filed": False,
    "settlement_authorised": False,
    "legal_staff": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge(load_pack("collections_zh", load_registry()))


def test_pack_is_sound() -> None:
    assert [str(problem) for problem in lint.check("collections_zh", load_registry())] == []


def test_cases_hold() -> None:
    report = cases.run("collections_zh", load_registry())
    assert report.ok, str(report)
    assert report.counts["hit"] >= 2 * 24


def test_clean_call_scores_full(judge: Judge) -> None:
    labels = judge.labels_needed()
    written = call(CLEAN, META)
    tags = tuple(sorted({*labels["tag"], *written.tag_labels}))
    emotions = tuple(sorted({*labels["emotion"], *written.emotion_labels}))
    (judgement,) = judge.judge(call(CLEAN, META, tag_labels=tags, emotion_labels=emotions))
    assert [f.as_dict() for f in judgement.findings] == []
    assert judgement.score == 100
    assert len(judgement.items) >= 18


def test_threat_by_words_needs_no_model(judge: Judge) -> None:
    (judgement,) = judge.judge(call(CLEAN.replace("感谢您的接听再见", "不还就打断你的腿"), META))
    assert judgement.verdicts["threat"] == "hit"
    assert judgement.score == 0


def test_customer_words_never_count_against_the_agent(judge: Judge) -> None:
    (judgement,) = judge.judge(call("C 0-4 你他妈再打我就打断你的腿 | A 5-7 您消消气", META))
    assert "hit" not in {
        judgement.verdicts[rule] for rule in ("threat", "profanity", "threat_veiled", "insult")
    }
