"""The tag model: plain utterances, turns before, vectors, its canary, batches, refusals."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.shipped import load

MODEL = Path(__file__).parents[2] / "model_repository/semantic_tags"
ASKED_WHO = "喂您好请问是周先生本人吗"

classifier_module = load("semantic_tags", "classifier")


@pytest.fixture(scope="module")
def classifier():
    return classifier_module.TagClassifier(MODEL / "1")


@pytest.fixture(scope="module")
def labels() -> list[str]:
    config = (MODEL / "config.pbtxt").read_text(encoding="utf-8")
    found = re.search(r'"labels"\s*value:\s*{\s*string_value:\s*"([^"]+)"', config)
    assert found is not None
    return found.group(1).split(",")


@pytest.mark.parametrize(
    ("text", "role", "previous", "tag"),
    [
        ("您好我这边是海岳银行信用卡中心的工号二六一八", "agent", "喂", "a_self_identify"),
        ("请问您是周海波先生本人吗", "agent", "喂你好", "a_verify_identity"),
        ("我们这个通话全程会有录音", "agent", "嗯你说", "a_recording_notice"),
        ("您这张卡现在逾期二十三天应还四千一百块", "agent", "我是", "a_state_debt"),
        ("那麻烦您让他给我们回个电话好吗", "agent", "他现在不在家", "a_neutral_third_contact"),
        ("您在手机银行里面点信用卡还款就行", "agent", "那我怎么还", "a_guide_official_channel"),
        ("好的感谢您的接听祝您生活愉快再见", "agent", "好", "a_polite_closing"),
        ("你出门给我小心点别让我碰见你", "agent", "我没钱", "a_threat_harm"),
        ("我明天就带人去你家堵门", "agent", "我真没钱", "a_visit_threat"),
        ("你老公在我们这里欠了两万多已经逾期三个月了", "agent", "我是他老婆", "a_disclose_other_debt"),
        ("我是江州市公安局的民警你这个案子归我管", "agent", "你谁啊", "a_impersonate"),
        ("你要是不还明天警察就去抓你要坐牢的", "agent", "我真没钱", "a_false_legal"),
        ("你把钱转到我微信上我帮你还进去", "agent", "那怎么还呢", "a_private_payment"),
        ("对我就是", "customer", ASKED_WHO, "c_confirm_self"),
        ("你打错了我不认识这个人", "customer", ASKED_WHO, "c_not_debtor"),
        ("我要投诉你们我要打银监会的电话举报", "customer", "今天必须还", "c_complaint_intent"),
        ("我下个月十号发工资就还两千", "customer", "您看什么时候能还", "c_promise_to_pay"),
    ],
)
def test_plain_utterance_is_tagged(classifier, labels, text, role, previous, tag):
    scores = dict(zip(labels, classifier.scores([text], [role], [previous])[0], strict=True))
    assert scores[tag] > 0.5, sorted(scores.items(), key=lambda item: -item[1])[:3]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("明天下午要下雨记得带伞", "agent"), ("这家火锅店人均八十块味道不错", "agent"),
        ("周末我们一起去看电影吧", "customer"), ("那个酒店离地铁站有多远", "customer"),
    ],
)  # fmt: skip
def test_harmless_talk_has_no_violation(classifier, labels, text, role):
    benign = {"a_polite_closing", "a_empathy_care", "c_promise_to_pay"}
    scores = dict(zip(labels, classifier.scores([text], [role], [""])[0], strict=True))
    assert {tag for tag, score in scores.items() if score > 0.5} <= benign


def test_labels_of_the_config_are_the_columns_of_the_weights(classifier, labels):
    assert len(labels) == len(set(labels)) == classifier.n_labels == 36
    assert f"dims: [ {classifier.n_labels} ]" in (MODEL / "config.pbtxt").read_text(encoding="utf-8")


def test_known_role_never_carries_the_other_sides_tags(classifier, labels):
    text = "我是张伟本人我要投诉你们"
    agent, customer, other = classifier.scores([text] * 3, ["agent", "customer", "other"], [""] * 3)
    customers = np.array([label.startswith("c_") for label in labels])
    assert not agent[customers].any()
    assert not customer[~customers].any()
    assert other[customers].any() and other[~customers].any()


def test_answer_does_not_depend_on_the_batch(classifier):
    texts = ["嗯", "", "你好" * 300, "您这边逾期三天了", "abc 123 ！", "再不还就等着瞧"] * 4
    roles = ["customer", "agent", "agent", "agent", "other", "agent"] * 4
    together = classifier.scores(texts, roles, texts[::-1])
    for row, text, role, previous in zip(together, texts, roles, texts[::-1], strict=True):
        np.testing.assert_allclose(classifier.scores([text], [role], [previous])[0], row, atol=1e-5)


def test_short_answer_is_read_by_the_question_before_it(classifier, labels):
    asked = ["customer:喂\nagent:请问您是周海波先生本人吗", "customer:我下个月还\nagent:今天外面雨下得大吗"]
    scores = classifier.scores(["对"] * 2, ["customer"] * 2, asked)[:, labels.index("c_confirm_self")]
    assert scores[0] > 0.5 > scores[1]


def test_debt_is_the_listeners_own_or_anothers_by_who_answered_earlier(classifier, labels):
    told = "一共是八千六百块逾期四十三天了"
    owner = "agent:请问是刘伟先生本人吗\ncustomer:我是\nagent:您这个卡逾期了\ncustomer:多少"
    mother = "agent:请问是刘伟先生本人吗\ncustomer:我是他妈他不在家\nagent:他欠我们银行的钱\ncustomer:多少"
    place = [labels.index("a_state_debt"), labels.index("a_disclose_other_debt")]
    own, other = classifier.scores([told] * 2, ["agent"] * 2, [owner, mother])[:, place]
    assert own[0] > own[1] and other[1] > own[1]


def test_turns_before_need_no_roles_where_sides_take_turns(classifier):
    named = "agent:请问您是周先生吗\ncustomer:你哪里\nagent:银行的"
    plain = "请问您是周先生吗\n你哪里\n银行的"
    one, other = classifier.scores(["哦我是"] * 2, ["customer"] * 2, [named, plain])
    np.testing.assert_allclose(one, other, atol=1e-6)
    swapped = named.replace("agent", "x").replace("customer", "agent").replace("x", "customer")
    assert np.abs(classifier.scores(["哦我是"], ["customer"], [swapped])[0] - one).max() > 1e-4  # the control


def test_turns_farther_than_six_do_not_count(classifier):
    six = "\n".join(["agent:您好", "customer:嗯", "agent:您这边逾期了"] * 2)
    scores = classifier.scores(
        ["我没钱"] * 3, ["customer"] * 3, [six, "agent:我找您\n" + six, six + "\nagent:我找您"]
    )
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-6)
    assert np.abs(scores[0] - scores[2]).max() > 1e-4  # the control


def test_vector_is_near_to_those_of_turns_like_it_and_blind_to_other_turns(classifier):
    texts = ["请问您是周海波先生本人吗", "您好您是周先生本人对吧", "你把钱转到我微信上"]
    found = classifier.answer(texts, ["agent"] * 3, [""] * 3).vectors
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    likeness = found @ found.T
    assert likeness[0, 1] > likeness[0, 2] + 0.2
    again = classifier.answer(texts[:1], ["agent"], ["customer:喂"]).vectors
    np.testing.assert_allclose(again[0], found[0], atol=1e-5)


def test_violation_in_the_middle_of_a_long_turn_is_found(classifier, labels):
    padding = "我们这边跟您说明一下这个账单的情况就是这样的"
    turn = padding * 8 + "你这种穷鬼就是个垃圾" + padding * 8
    insult, padded = classifier.scores([turn, padding * 17], ["agent"] * 2, [""] * 2)[
        :, labels.index("a_insult")
    ]
    assert padded < 0.5 < insult


def test_text_without_words_scores_zero(classifier):
    found = classifier.answer(["", "。！？ …"], ["agent", "customer"], ["喂", ""])
    assert not found.scores.any() and not found.vectors.any()


def test_no_turns_no_scores(classifier):
    assert classifier.scores([], [], []).shape == (0, 36)


@pytest.mark.parametrize(
    ("text", "role", "says"),
    [("你好", "robot", "ROLE is 'robot'"), ("长" * 20_001, "agent", "20001 characters")],
)
def test_what_cannot_be_scored_is_refused_with_help(classifier, text, role, says):
    with pytest.raises(classifier_module.BadText, match=f"{says}.*\nhelp: "):
        classifier.scores([text], [role], [""])


def test_canary_answers_as_written(classifier):
    inputs, expected = load("semantic_tags", "canary_case").build()
    stored = json.loads((MODEL / "canary.json").read_text(encoding="utf-8"))
    columns = [inputs[name].ravel().tolist() for name in ("TEXT", "ROLE", "PREVIOUS_TEXT")]
    assert [stored["inputs"][name]["data"] for name in ("TEXT", "ROLE", "PREVIOUS_TEXT")] == columns
    found = classifier.answer(*columns)
    np.testing.assert_allclose(found.scores, expected["SCORES"], atol=1e-3)
    np.testing.assert_allclose(found.vectors, expected["VECTOR"], atol=1e-3)
    assert expected["SCORES"].max() > 0.5
