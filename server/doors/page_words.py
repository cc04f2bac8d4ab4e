"""The page's words: Chinese names of ids, and figures as people read them."""

from collections.abc import Mapping, Sequence
from typing import Any

SEVERITIES = ("fatal", "major", "minor", "info")
"""Worst first."""

VERDICTS = ("hit", "unknown", "open", "pass", "not_applicable")
"""What needs a look comes first."""

VERDICT_SIGNS = {"hit": "✕", "unknown": "?", "open": "…", "pass": "✓", "not_applicable": "–"}

TITLES: Mapping[str, str] = {
    "fatal": "致命", "major": "严重", "minor": "轻微", "info": "提示",
    "hit": "命中", "unknown": "无法判定", "open": "待定", "pass": "通过", "not_applicable": "不适用",
    "agent": "坐席", "customer": "客户", "other": "其他",
    "angry": "愤怒", "impatient": "不耐烦", "sad": "悲伤", "fear": "恐惧", "neutral": "平静", "happy": "高兴",
    "surprise": "惊讶", "disgust": "厌恶",
    "keyword": "关键词", "regex": "正则", "tag": "语义标签", "semantic_tag": "语义标签", "similar": "相似句",
    "emotion": "情绪", "speech_rate": "语速", "interruption": "抢话", "overlap": "抢话", "silence": "静音",
    "absent": "没有出现", "count": "次数", "response_time": "应答时长", "loudness": "音量", "repetition": "重复", "repeat": "重复", "entity": "实体",
    "meta": "随录信息", "metadata": "随录信息", "duration": "时长", "turn_count": "轮次", "hangup": "挂机方",
    "call_start_local": "开始时间", "call_end_local": "结束时间", "direction": "呼叫方向",
    "connected": "是否接通",
    "answered_by": "接听方", "duration_s": "时长", "callee_relation": "接听人身份",
    "offhours_consent": "同意非常规时段联系", "attempts_same_number_today": "当日同号拨打",
    "effective_calls_debtor_today": "当日有效通话", "third_party_contact_permitted": "允许联系第三人",
    "third_party_opted_out": "第三人已拒绝", "caller_id_type": "主叫号码", "agency_type": "催收方",
    "agency_whitelisted": "机构在白名单", "litigation_filed": "已立案", "legal_staff": "执业律师",
    "settlement_authorised": "有减免权限", "instalment_agreement_active": "分期履行中",
    "dispute_open": "有未结争议", "visit_authorised": "允许上门", "balance_yuan": "欠款余额",
    "days_past_due": "逾期天数", "creditor_names": "债权人", "hangup_by": "挂机方",
    "outbound": "呼出", "inbound": "呼入", "human": "真人", "voicemail": "语音信箱", "assistant": "语音助手",
    "debtor": "债务人本人", "guarantor": "担保人", "liable_third_party": "债务相关第三人",
    "unrelated_third_party": "无关第三人", "registered": "登记号码", "private": "私人号码",
    "in_house": "自营", "outsourced": "外包", "pack": "规则包", "earshot": "earshot",
    "models": "模型", "asr": "语音识别",
    "semantic_tags": "语义标签",
}  # fmt: skip
"""Names of ids the engine and the first field use; ``CallView.titles`` goes before them."""

_UNITS = {"ms": "ms", "s": "秒", "ratio": "", "cpm": "字/分", "chars_per_min": "字/分", "db": "dB",
          "dbfs": "dBFS", "count": "次", "yuan": "元", "chars": "字", "turns": "轮"}  # fmt: skip


def clock(ms: int | None, *, tenths: bool = False) -> str:
    """Return a time in the call: ``01:23``, ``1:02:03`` from an hour on, with tenths ``01:23.4``."""
    if ms is None:
        return ""
    seconds, rest = divmod(max(int(ms), 0), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"
    return f"{head}.{rest // 100}" if tenths else head


def length(ms: int | None) -> str:
    """Return a length of time as people say it: ``6.2 秒``, ``3 分 05 秒``."""
    if ms is None:
        return ""
    if ms < 60_000:
        return f"{ms / 1000:.1f} 秒"
    minutes, seconds = divmod(round(ms / 1000), 60)
    return f"{minutes} 分 {seconds:02d} 秒"


def number(value: float) -> str:
    """Return a figure without needless digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}".rstrip("0").rstrip(".")


def value_text(value: Any, unit: str, titles: Mapping[str, str]) -> str:
    """Return a value with its unit; times in seconds, truths and ids in Chinese, lists joined."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int | float):
        if unit == "ms":
            return length(round(value))
        if unit == "ratio":
            return f"{value:.0%}"
        return f"{number(value)} {_UNITS.get(unit, unit)}".rstrip()
    if isinstance(value, list | tuple):
        return "、".join(value_text(v, unit, titles) for v in value)
    return name(str(value), titles)


def unit_of(key: str) -> str:
    """Return the unit a measure's name ends in (``…_ms``), empty when it names none."""
    return next((unit for unit in sorted(_UNITS, key=len, reverse=True) if key.endswith(f"_{unit}")), "")


def name(key: str, titles: Mapping[str, str]) -> str:
    """Return the Chinese name of an id, the id itself when there is none."""
    return titles.get(key) or TITLES.get(key, key)


def flat(tree: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """Return the leaves of nested mappings with their paths, in order."""
    leaves: list[tuple[tuple[str, ...], Any]] = []
    for key, value in tree.items():
        path = (*prefix, str(key))
        leaves.extend(flat(value, path) if isinstance(value, Mapping) else [(path, value)])
    return leaves


def rank(order: Sequence[str], value: Any) -> int:
    """Return the place of ``value`` in ``order``, past its end when it is not there."""
    return order.index(value) if value in order else len(order)
