"""The whole road on real recordings, through the real Triton."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from server.errors import BadInput, BadMedia, DeadlineOver
from server.pipeline.session import Road
from tests.server.pipeline.media_files import encode
from tests.sounds import CALLS, demo_call, silence, wav


def inspect(road: Road, name: str, **more: Any) -> dict[str, Any]:
    meta = json.loads((CALLS / f"{name}.meta.json").read_text())
    return road.inspect_audio(demo_call(name), call_id=name, meta=meta, **more).result


def hits(result: Mapping[str, Any]) -> set[str]:
    return {finding["item"] for finding in result["findings"]}


def test_the_compliant_call_has_nothing_fatal(road: Road) -> None:
    assert [f["rule"] for f in inspect(road, "compliant")["findings"] if f["severity"] == "fatal"] == []


def test_channels_that_a_codec_mixed_stay_apart(road: Road) -> None:
    """Opus at 24 kbit/s leaves a copy of each speaker in the other channel."""
    audio = road.decoder.decode(demo_call("compliant"), sample_rate_hz=8000, deadline_s=60)
    mixed = encode(audio.pcm, 8000, "ogg", "libopus", bits_per_s=24_000)
    talk = dict.fromkeys(("agent", "customer"), "")
    for turn in road.inspect_audio(mixed, call_id="mixed", meta={}).result["turns"]:
        talk[turn["role"]] += turn["text"]
    alone = inspect(road, "compliant")["turns"]
    for role, said in talk.items():
        heard = sum(len(turn["text"]) for turn in alone if turn["role"] == role)
        assert abs(len(said) - heard) <= 0.2 * heard, (role, said)


def test_the_abusive_call_is_caught(road: Road) -> None:
    found = hits(inspect(road, "abusive"))
    assert {
        "threat_intimidation",
        "insult_profanity_discrimination",
        "prohibited_hours",
        "excessive_frequency",
    } <= found


def test_the_third_party_call_is_caught(road: Road) -> None:
    assert {"third_party_disclosure", "third_party_collection"} <= hits(inspect(road, "third_party"))


def test_every_finding_explains_itself(road: Road) -> None:
    result = inspect(road, "abusive")
    for finding in result["findings"]:
        assert finding["title"] and finding["why"] and finding["evidence"], finding["rule"]
        for piece in finding["evidence"]:
            if piece.get("turn") is not None and piece.get("char_end"):
                words = result["turns"][piece["turn"]]["text"][piece["char_start"] : piece["char_end"]]
                assert words == piece["text"], finding["rule"]
                assert piece["start_ms"] <= piece["end_ms"]


def test_turns_lie_inside_the_call_and_are_scored(road: Road) -> None:
    result = inspect(road, "third_party")
    assert all(0 <= t["start_ms"] <= t["end_ms"] <= result["duration_ms"] for t in result["turns"])
    assert all(len(t["emotion"]) == 5 and len(t["tags"]) == 36 for t in result["turns"])


def test_swapped_channels_swap_the_roles(road: Road) -> None:
    straight, swapped = inspect(road, "abusive"), inspect(road, "abusive", agent_channel=1)
    other = {"agent": "customer", "customer": "agent"}
    assert sorted(other[t["role"]] + t["text"] for t in straight["turns"]) == sorted(
        t["role"] + t["text"] for t in swapped["turns"]
    )
    assert "irregular_payment_or_fee" in hits(straight)
    assert "irregular_payment_or_fee" not in hits(swapped), (
        "the same words from the customer are no violation"
    )


def test_mono_is_flagged_and_two_sided_rules_are_unknown(road: Road) -> None:
    result = inspect(road, "mono")
    assert "mono" in result["warnings"] and {t["role"] for t in result["turns"]} == {"other"}
    assert [
        f for f in result["findings"] if f["evidence"][0]["operator"] in ("interruption", "silence")
    ] == []
    assert "unknown" in {v["verdict"] for v in result["rules"].values()}


def test_the_same_signal_on_both_channels_counts_as_mono(road: Road) -> None:
    one = road.inspect_audio(demo_call("mono"), call_id="m", meta={})
    assert one.audio is not None
    both = road.inspect_audio(wav(np.repeat(one.audio.pcm, 2, axis=0)), call_id="m", meta={}).result
    assert {t["role"] for t in both["turns"]} == {"other"}
    assert [t["text"] for t in both["turns"]] == [t["text"] for t in one.result["turns"]]


def test_silence_is_a_result_without_words(road: Road) -> None:
    result = road.inspect_audio(silence(5), call_id="quiet", meta={}).result
    assert result["turns"] == [] and result["error"] is None and result["duration_ms"] == 5000


def test_noise_is_not_words(road: Road) -> None:
    noise = np.random.default_rng(1).normal(0, 300, (2, 8000 * 6)).astype(np.int16)
    assert road.inspect_audio(wav(noise), call_id="noise", meta={}).result["turns"] == []


def test_calls_at_once_give_the_same_results_as_alone(road: Road) -> None:
    names = ["compliant", "abusive", "third_party", "mono"]
    alone = [inspect(road, name) for name in names]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda name: inspect(road, name), names * 4))
    for index, result in enumerate(together):
        assert result["findings"] == alone[index % 4]["findings"]
        assert [t["text"] for t in result["turns"]] == [t["text"] for t in alone[index % 4]["turns"]]


def test_a_transcript_of_the_call_gives_the_rules_the_same_words(road: Road) -> None:
    spoken = inspect(road, "abusive")
    meta = json.loads((CALLS / "abusive.meta.json").read_text())
    written = road.inspect_transcript({"meta": meta, "turns": spoken["turns"]}, call_id="t").result
    by_words = {"threat_intimidation", "insult_profanity_discrimination"}
    assert hits(written) & by_words == hits(spoken) & by_words


def test_a_chat_has_emotions_from_its_words_and_no_agitation(road: Road) -> None:
    turns = [
        {"role": "agent", "text": "您好请问是张先生吗"},
        {"role": "customer", "text": "你给我滚你这个骗子"},
    ]
    inspection = road.inspect_transcript({"turns": turns}, call_id="chat")
    calm, angry = (turn["emotion"] for turn in inspection.result["turns"])
    assert set(calm) == {"angry", "happy", "neutral", "sad"} and angry["angry"] > calm["angry"]
    assert inspection.table is not None
    agitated = inspection.table.emotion[:, inspection.table.emotion_labels.index("agitated")]
    assert np.isnan(agitated).all() and not inspection.table.lacks("emotion").any()


def test_faults_are_typed(road: Road) -> None:
    with pytest.raises(BadMedia):
        road.inspect_audio(b"not audio at all", call_id="x", meta={})
    with pytest.raises(DeadlineOver):
        road.inspect_audio(silence(2), call_id="x", meta={}, deadline_s=-1)
    with pytest.raises(BadInput, match="no pack 'nope'"):
        road.inspect_audio(silence(1), call_id="x", meta={}, pack="nope")
