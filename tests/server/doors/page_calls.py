# ruff: noqa: E501 - a Chinese character counts as two columns: broken sentences would read worse
"""Realistic calls for the page's tests: results as the road gives them, sound made of tones."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from server.doors.page import CallView, Stretch
from server.pipeline.call import Audio, Speech

RATE_HZ = 8000
HOSTILE = "</script><img src=x onerror=\"window.owned='img'\"><script>window.owned='script'</script>"
"""What a customer could never say but a transcript file may hold."""

TALK = (
    ("agent", 400, 7200, "您好，我这边是受锦澜银行委托的服务机构，工号八二零五，通话会录音，请问是陈建国先生本人吗？",
     {"a_self_identify": 0.97, "a_recording_notice": 0.93, "a_verify_identity": 0.95}, "neutral"),
    ("customer", 7900, 9600, "是我，你说吧。", {"c_confirm_self": 0.96}, "neutral"),
    ("agent", 10_100, 17_800, "您名下的消费贷已经逾期三十六天了，欠款一共是一万两千四百块，今天能处理一下吗？",
     {"a_state_debt": 0.98}, "neutral"),
    ("customer", 18_500, 24_600, "我上个月刚失业，现在手里真没有，能不能先给我分几期慢慢还？",
     {"c_hardship_negotiate": 0.94}, "sad"),
    ("agent", 23_100, 28_400, "别跟我讲这些，你今天下午五点之前必须把钱转过来。", {"a_demand_immediate": 0.91}, "impatient"),
    ("customer", 34_900, 37_700, "我不是不还，你们总得讲点道理吧。", {}, "sad"),
    ("agent", 38_200, 45_600, "不还是吧？那我明天带人去你家门口坐着，你孩子在实验小学上学对不对？",
     {"a_visit_threat": 0.95, "a_threat_harm": 0.92}, "angry"),
    ("customer", 46_000, 50_900, "你这是在威胁我，我要投诉你们！" + HOSTILE, {"c_complaint_intent": 0.93}, "angry"),
    ("agent", 51_200, 54_800, "随便你投诉，投诉也没人管你。", {"a_refuse_complaint": 0.9}, "impatient"),
    ("customer", 62_400, 64_000, "喂？", {}, "neutral"),
    ("agent", 64_300, 70_200, "你加我微信，直接转给我，我帮你还进去，利息给你全免。",
     {"a_private_payment": 0.96, "a_unauth_promise": 0.88}, "neutral"),
    ("customer", 70_900, 73_500, "那我先问问银行客服再说。", {}, "neutral"),
)  # fmt: skip
DURATION_MS = 76_000
TITLES = {
    "a_self_identify": "自报身份", "a_recording_notice": "录音告知", "a_verify_identity": "核实身份",
    "c_confirm_self": "确认本人", "a_state_debt": "告知欠款", "c_hardship_negotiate": "困难协商",
    "a_demand_immediate": "限时施压", "a_visit_threat": "上门胁迫", "a_threat_harm": "威胁恐吓",
    "c_complaint_intent": "投诉意向", "a_refuse_complaint": "拒绝投诉", "a_private_payment": "引导私人收款",
    "a_unauth_promise": "违规承诺减免", "speech_rate": "语速", "silence_total": "静音合计", "silence_ratio": "静音占比",
    "interruptions": "抢话次数", "talk_ratio": "说话占比", "response": "应答等待",
}  # fmt: skip
EMOTIONS = ("neutral", "angry", "impatient", "sad", "fear")


def bad_call(*, audio: bool = True, channels: int = 2, call_id: str = "CS20261123-101500-8205") -> CallView:
    """A call with something of everything: threats, private payment, an interruption, two silences."""
    return CallView(
        result={
            "call_id": call_id,
            "score": 18,
            "meta": {
                "call_start_local": "2026-11-23T10:15:00+08:00", "direction": "outbound", "callee_relation": "debtor",
                "agency_type": "outsourced", "hangup_by": "customer", "attempts_same_number_today": 2,
                "balance_yuan": 12400, "days_past_due": 36, "creditor_names": ["锦澜银行", "锦澜"],
            },
            "items": _items(),
            "findings": _findings(),
            "turns": [_turn(i) for i in range(len(TALK))],
            "measures": {
                "duration_ms": DURATION_MS, "silence_total_ms": 14_700, "silence_ratio": 0.193, "interruptions": 1,
                "agent": {"speech_rate_cpm": 312.4, "talk_ratio": 0.47},
                "customer": {"speech_rate_cpm": 236.0, "talk_ratio": 0.23},
            },
            "versions": {"pack": "debt_collection_cn 3", "models": {"asr": "a41c09", "emotion": "77de10",
                         "semantic_tags": "0b93fe"}, "earshot": "0.1.0"},
            "warnings": ["客户声道有 0.4% 的采样削波，音量类结论可能偏低。"],
            "error": None,
        },
        audio=Audio(tones(channels), RATE_HZ, "wav/pcm_alaw") if audio else None,
        speech=_speech() if audio else {},
        silences=(Stretch(28_400, 34_900, "response", "customer"), Stretch(54_800, 62_400, "response", "agent")),
        interruptions=(Stretch(23_100, 24_600, "", "agent"),),
        titles=TITLES,
    )  # fmt: skip


def chat() -> CallView:
    """A chat: no times, no sound, an item that cannot be decided."""
    turns = [
        {
            "role": "agent",
            "text": "您好，我是锦澜银行在线客服，工号三三一。",
            "start_ms": None,
            "end_ms": None,
        },
        {"role": "customer", "text": "我想问下账单 " + HOSTILE, "start_ms": None, "end_ms": None},
        {"role": "agent", "text": "你自己不会看吗？真是没见过你这么笨的。", "start_ms": None, "end_ms": None},
    ]
    finding = {
        "rule": "insult", "item": "insult_profanity_discrimination", "title": "辱骂侮辱客户", "verdict": "hit",
        "severity": "major", "score": -30, "turns": [2], "start_ms": None, "end_ms": None,
        "why": "辱骂会激化矛盾，属于明令禁止的行为。", "instead": "我帮您查一下，请稍等。",
        "evidence": [{"operator": "keyword", "text": "笨", "turn": 2, "char_start": 16, "char_end": 17}],
    }  # fmt: skip
    items = {
        "insult_profanity_discrimination": {"title": "辱骂侮辱与歧视", "verdict": "hit", "severity": "major"},
        "long_silence": {
            "title": "长时间静音",
            "verdict": "unknown",
            "severity": "minor",
            "reason": "文字会话没有时间",
        },
    }
    return CallView(
        result={
            "call_id": "chat-7741", "score": 70, "findings": [finding], "turns": turns, "items": items,
            "versions": {"pack": "debt_collection_cn 3"}, "warnings": [], "error": None,
        }
    )  # fmt: skip


def failed_call() -> CallView:
    """A call that could not be inspected."""
    error = {"code": "corrupt", "message": "第 3 秒后无法解码", "help": "重新导出录音后再提交"}
    return CallView(
        result={"call_id": "CS-corrupt-1", "score": None, "items": {}, "findings": [], "error": error}
    )


def tones(channels: int) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Speech-like tones where TALK has speech: agent low, customer high, syllables at 4 Hz."""
    pcm = np.zeros((2, DURATION_MS * RATE_HZ // 1000), np.float64)
    for role, start_ms, end_ms, *_, emotion in TALK:
        row, loud = (0, 7000) if role == "agent" else (1, 5000)
        first, last = start_ms * RATE_HZ // 1000, end_ms * RATE_HZ // 1000
        t = np.arange(last - first) / RATE_HZ
        wave = np.sin(2 * np.pi * (180 + 90 * row) * t) + 0.3 * np.sin(2 * np.pi * 1400 * t)
        envelope = np.abs(np.sin(2 * np.pi * 2.1 * t)) * (0.6 + 0.4 * np.sin(2 * np.pi * 0.35 * t))
        pcm[row, first:last] += loud * (2.2 if emotion == "angry" else 1.0) * wave * envelope
    pcm += np.random.default_rng(7).normal(0, 30, pcm.shape)
    whole = pcm if channels == 2 else pcm.sum(0, keepdims=True)
    return np.clip(whole, -32767, 32767).astype(np.int16)


def _speech() -> dict[str, Speech]:
    spans = {role: [(s, e) for r, s, e, *_ in TALK if r == role] for role in ("agent", "customer")}
    return {role: Speech(*np.array(pairs, np.int64).T) for role, pairs in spans.items()}


def _turn(index: int) -> dict[str, Any]:
    role, start_ms, end_ms, text, tags, emotion = TALK[index]
    return {
        "role": role, "text": text, "start_ms": start_ms, "end_ms": end_ms,
        "tags": {**tags, "a_perfunctory": 0.08},
        "emotion": {e: 0.83 if e == emotion else 0.04 for e in EMOTIONS},
        "confidence": 0.44 if text == "喂？" else 0.93,
    }  # fmt: skip


def _evidence(turn: int, words: str, operator: str = "keyword", **more: Any) -> dict[str, Any]:
    _, start_ms, end_ms, text, *_ = TALK[turn]
    at = text.index(words)
    per_character_ms = (end_ms - start_ms) / len(text)
    return {
        "operator": operator, "text": words, "value": None, "unit": "", "turn": turn,
        "start_ms": round(start_ms + at * per_character_ms),
        "end_ms": round(start_ms + (at + len(words)) * per_character_ms),
        "char_start": at, "char_end": at + len(words), "note": "", **more,
    }  # fmt: skip


def _finding(
    rule: str, item: str, severity: str, score: int, words: Mapping[str, str], *evidence: Any
) -> Any:
    turns = sorted({e["turn"] for e in evidence if e["turn"] is not None})
    times = [e["start_ms"] for e in evidence if e["start_ms"] is not None]
    ends = [e["end_ms"] for e in evidence if e["end_ms"] is not None]
    return {
        "rule": rule, "item": item, "severity": severity, "score": score, "verdict": "hit", "turns": turns,
        "start_ms": min(times, default=None), "end_ms": max(ends, default=None), "evidence": list(evidence), **words,
    }  # fmt: skip


def _findings() -> list[dict[str, Any]]:
    silence = {"operator": "silence", "text": "", "value": 7600, "unit": "ms", "turn": None, "start_ms": 54_800,
               "end_ms": 62_400, "char_start": -1, "char_end": -1, "note": "坐席说完后通话中断响应"}  # fmt: skip
    overlap = _evidence(
        4, "别跟我讲这些", "interruption", value=1500, unit="ms", start_ms=23_100, end_ms=24_600
    )
    closing = {"operator": "absent", "text": "", "value": None, "unit": "", "turn": None, "start_ms": None,
               "end_ms": None, "char_start": -1, "char_end": -1, "note": "最后 3 轮没有结束语"}  # fmt: skip
    return [
        _finding("long_silence", "long_silence", "minor", -2, {
            "title": "坐席长时间不说话", "why": "长时间静音让客户无所适从，也常是坐席离席或处理其他事务的信号。",
            "instead": "请您稍等，我查一下，大约需要一分钟。"}, silence),
        _finding("agent_interrupts", "interruption", "minor", -3, {
            "title": "坐席打断客户说困难", "why": "客户正在说明还款困难时被打断，容易激化情绪，也错过协商机会。",
            "instead": "您先说，我在听。您大概每月能还多少？"}, overlap),
        _finding("no_closing", "polite_closing", "info", -1, {
            "title": "没有礼貌结束语", "why": "", "instead": "感谢您的接听，再见。"}, closing),
        _finding("visit_threat", "threat_intimidation", "fatal", -40, {
            "title": "以上门和孩子相威胁", "why": "以上门蹲守、提及子女学校施压，属于威胁恐吓，一次即为致命违规，并可能引发投诉和监管处罚。",
            "instead": "如果您目前有困难，我们可以一起看看分期方案，也可以约一个您方便的时间再沟通。"},
            _evidence(6, "带人去你家门口坐着"), _evidence(6, "你孩子在实验小学上学"),
            _evidence(6, "不还是吧？", "tag", value=0.95, note="上门胁迫"),
            _evidence(7, "你这是在威胁我", "regex", note="客户的反应")),
        _finding("private_payment", "private_payment", "fatal", -40, {
            "title": "引导客户向私人账户转账", "why": "钱款必须进入官方渠道；私下收款有侵占风险，客户的还款也无法核销。",
            "instead": "请您通过锦澜银行手机银行或官方公众号还款，不要转到任何个人账户。"},
            _evidence(10, "加我微信，直接转给我", "regex"), _evidence(10, "利息给你全免", "tag", value=0.88, note="违规承诺减免")),
        _finding("refuse_complaint", "complaint_handling", "major", -15, {
            "title": "拒绝受理投诉", "why": "客户明确表示投诉时，应告知渠道并记录；推诿会升级为监管投诉。",
            "instead": "我理解您的不满，您可以拨打客服热线投诉，我这边也帮您登记。"},
            _evidence(7, "我要投诉你们", "keyword"), _evidence(8, "投诉也没人管你", "similar", value=0.87)),
    ]  # fmt: skip


def _items() -> dict[str, dict[str, Any]]:
    rows = (
        ("self_identify", "自报身份与机构", "pass", "major", ""), ("recording_notice", "录音告知", "pass", "minor", ""),
        ("verify_identity", "核实本人身份", "pass", "major", ""),
        ("threat_intimidation", "威胁恐吓", "hit", "fatal", ""),
        ("insult_profanity_discrimination", "辱骂侮辱与歧视", "pass", "fatal", ""),
        ("private_payment", "引导私人收款", "hit", "fatal", ""),
        ("complaint_handling", "投诉受理", "hit", "major", ""),
        ("third_party_disclosure", "向第三人泄露债务信息", "not_applicable", "fatal", "接听人是债务人本人"),
        ("impersonate_authority", "冒充公检法、监管、律师或债权银行", "pass", "fatal", ""),
        ("offhours_contact", "非常规时段催收", "pass", "fatal", ""),
        ("call_frequency", "拨打频次", "unknown", "major", "缺少随录字段：当日有效通话"),
        ("interruption", "打断客户", "hit", "minor", ""), ("long_silence", "长时间静音", "hit", "minor", ""),
        ("polite_closing", "礼貌结束语", "hit", "info", ""),
        ("emotion_escalation", "情绪升级", "unknown", "minor", "客户声道削波，情绪结论不可靠"),
        ("instalment_kept", "分期履行期间停催", "not_applicable", "major", "没有履行中的分期协议"),
    )  # fmt: skip
    return {
        key: {"title": title, "verdict": verdict, "severity": severity, "reason": reason}
        for key, title, verdict, severity, reason in rows
    }
