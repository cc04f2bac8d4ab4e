"""The page's words: Chinese names of ids, and figures as people read them."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

SEVERITIES = ("fatal", "major", "minor", "info")
"""Worst first."""

VERDICTS = ("hit", "unknown", "open", "pass", "not_applicable")
"""What needs a look comes first."""

VERDICT_SIGNS = {"hit": "✕", "unknown": "?", "open": "…", "pass": "✓", "not_applicable": "–"}

TITLES: Mapping[str, str] = {
    "fatal": "致命", "major": "严重", "minor": "轻微", "info": "提示", "hit": "命中", "unknown": "无法判定",
    "open": "待定", "pass": "通过", "not_applicable": "不适用", "agent": "坐席", "customer": "客户",
    "other": "其他", "angry": "愤怒", "impatient": "不耐烦", "sad": "悲伤", "fear": "恐惧",
    "agitated": "激动",
    "neutral": "平静", "happy": "高兴", "surprise": "惊讶", "disgust": "厌恶", "keyword": "关键词",
    "regex": "正则", "tag": "语义标签", "semantic_tag": "语义标签", "similar": "相似句", "emotion": "情绪",
    "speech_rate": "语速", "interruption": "抢话", "overlap": "抢话", "silence": "静音",
    "absent": "没有出现", "count": "次数", "response_time": "应答时长", "loudness": "音量",
    "repetition": "重复", "repeat": "重复", "entity": "实体", "meta": "随录信息", "metadata": "随录信息",
    "duration": "时长", "turn_count": "轮次", "hangup": "挂机方", "call_start_local": "开始时间",
    "call_end_local": "结束时间", "direction": "呼叫方向", "connected": "是否接通", "answered_by": "接听方",
    "duration_s": "时长", "callee_relation": "接听人身份", "offhours_consent": "同意非常规时段联系",
    "attempts_same_number_today": "当日同号拨打", "effective_calls_debtor_today": "当日有效通话",
    "third_party_contact_permitted": "允许联系第三人", "third_party_opted_out": "第三人已拒绝",
    "caller_id_type": "主叫号码", "agency_type": "催收方", "agency_whitelisted": "机构在白名单",
    "litigation_filed": "已立案", "legal_staff": "执业律师", "settlement_authorised": "有减免权限",
    "instalment_agreement_active": "分期履行中", "dispute_open": "有未结争议",
    "visit_authorised": "允许上门", "balance_yuan": "欠款余额", "days_past_due": "逾期天数",
    "creditor_names": "债权人", "hangup_by": "挂机方", "outbound": "呼出", "inbound": "呼入",
    "human": "真人", "voicemail": "语音信箱", "assistant": "语音助手", "debtor": "债务人本人",
    "guarantor": "担保人", "liable_third_party": "债务相关第三人", "unrelated_third_party": "无关第三人",
    "registered": "登记号码", "private": "私人号码", "in_house": "自营", "outsourced": "外包",
    "pack": "规则包", "earshot": "earshot", "models": "模型", "asr": "语音识别",
    "semantic_tags": "语义标签", "call_shape": "通话概况", "turns": "轮次", "silences": "静音次数",
    "silence_total": "静音合计", "silence_longest": "最长静音", "silence_ratio": "静音占比",
    "interruptions": "抢话次数", "interruption_total": "抢话合计", "talk": "说话时长",
    "talk_ratio": "说话占比", "speech_rate_p10": "语速低位", "speech_rate_p50": "语速中位",
    "speech_rate_p90": "语速高位", "response_p50": "应答中位", "agent_turns": "坐席轮次",
    "customer_turns": "客户轮次", "times": "时间", "separate sides": "分离的双声道",
    "emotion scores": "情绪得分", "tag scores": "标签得分", "audio": "录音",
    "tags": "语义标签", "text": "文字", "mono": "单声道录音：无法区分坐席和客户",
    "identical_channels": "两个声道内容相同：无法区分坐席和客户", "truncated": "录音文件不完整",
    "damaged": "录音文件有损坏的片段", "no_turns": "没有任何对话内容", "silent_channel": "声道没有声音",
    "clipped_channel": "声道削波失真，音量类结论可能偏低", "extra_audio_streams": "文件里还有未检查的音轨",
    "a_self_identify": "表明身份机构", "a_verify_identity": "核实对方身份",
    "a_recording_notice": "录音告知", "a_state_debt": "陈述本人债务",
    "a_neutral_third_contact": "对第三人中性联络", "a_guide_official_channel": "引导官方还款渠道",
    "a_confirm_ptp": "确认还款承诺", "a_offer_negotiation": "受理协商与方案",
    "a_empathy_care": "共情安抚关怀", "a_complaint_channel": "提供投诉监督渠道",
    "a_polite_closing": "礼貌结束", "a_lawful_consequence": "如实告知后果",
    "a_demand_immediate": "强硬限时催促", "a_threat_harm": "威胁恐吓", "a_insult": "辱骂贬损歧视",
    "a_impersonate": "冒充公检法监管律师", "a_false_legal": "虚假夸大法律恐吓",
    "a_threat_expose": "威胁公开曝光联系亲友", "a_disclose_other_debt": "向接听者说出他人债务",
    "a_demand_third_pay": "要求第三人代偿施压", "a_visit_threat": "上门胁迫",
    "a_induce_funding": "诱导借贷或非法筹资", "a_private_payment": "引导私人收款",
    "a_extra_fee": "索要合同外费用", "a_unauth_promise": "违规承诺减免征信",
    "a_privacy_misuse": "炫示滥用个人信息", "a_refuse_complaint": "阻挠投诉", "a_perfunctory": "敷衍推诿",
    "c_confirm_self": "确认本人", "c_not_debtor": "非本人或打错", "c_promise_to_pay": "承诺还款",
    "c_hardship_negotiate": "困难与协商诉求", "c_dispute_debt": "债务异议",
    "c_complaint_intent": "投诉举报意向", "c_stop_contact": "要求停止联系或不便",
    "c_vulnerable": "特殊人群或危机",
}  # fmt: skip
"""Names of ids the engine and the first field use; ``CallView.titles`` goes before them."""

_UNITS = {"ms": "ms", "s": "秒", "ratio": "", "cpm": "字/分", "chars_per_min": "字/分", "db": "dB",
          "dbfs": "dBFS", "count": "次", "score": "", "yuan": "元", "chars": "字", "turns": "轮"}  # fmt: skip


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


def date_and_time(text: str) -> str:
    """Return an ISO time as people read it, anything else as it is: ``2026-11-23 10:15:00（+08:00）``."""
    if text[10:11] != "T":
        return text
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = f"{moment:%z}"
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f"（{zone[:3]}:{zone[3:5]}）" if zone else "")


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
    return name(date_and_time(str(value)), titles)


def warning_text(code: str, titles: Mapping[str, str]) -> str:
    """Return a warning in words; a number at its end is a channel or a count: ``clipped_channel_1``."""
    stem, _, last = code.rpartition("_")
    if not (stem and last.isdigit()):
        return name(code, titles)
    which = f"第 {int(last) + 1} " if stem.endswith("channel") else ""
    return which + name(stem, titles) if name(stem, titles) != stem else code


def reason_text(reason: str, titles: Mapping[str, str]) -> str:
    """Return why something could not be decided; what a call lacks in Chinese, other words as they are."""

    def lacking(found: re.Match[str]) -> str:
        return "此通没有" + "、".join(name(need, titles) for need in found.group(1).split(", "))

    def absent(found: re.Match[str]) -> str:
        return f"缺少随录信息“{name(found.group(1), titles)}”，或其值无法比较"

    told = re.sub(r"the call has no ([\w ]+(?:, [\w ]+)*)", lacking, reason)
    return re.sub(r"metadata field (\w+) is absent or does not compare with .+?(?=; |$)", absent, told)


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
