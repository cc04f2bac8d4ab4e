"""The officer's page in a real browser: it shows, it plays, and a transcript cannot take it over."""

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from operators.testing import call
from server.doors.page import CallView, render, view
from server.pipeline.call import Call
from server.pipeline.session import Inspection
from tests.browser import Browser
from tests.server.doors.page_calls import HOSTILE, bad_call, chat, failed_call

CALL = Call("c", {"direction": "outbound"}, (), 14_000, has_times=True, separated=True, has_audio=False)
META = {"attempts_same_number_today": 9}
SEPARATOR = "\u2028"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture
def shown(browser: Browser, tmp_path: Path) -> Iterator[Browser]:
    """The bad call, loaded; whatever a test does, the page neither complains nor runs its script."""
    yield load_html(browser, tmp_path, bad_page())
    assert browser.problems == []
    assert browser.evaluate("window.owned ?? null") is None


@lru_cache
def bad_page() -> str:
    return render([bad_call()])


def load(browser: Browser, folder: Path, *calls: CallView) -> Browser:
    return load_html(browser, folder, render(calls))


def load_html(browser: Browser, folder: Path, html: str) -> Browser:
    page = folder / "page.html"
    page.write_text(html, "utf-8")
    browser.problems.clear()
    browser.requests.clear()
    browser.open(page)
    return browser


def text(browser: Browser, selector: str) -> str:
    return str(browser.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))


def texts(browser: Browser, selector: str) -> list[str]:
    found = browser.evaluate(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText)")
    return [str(one) for one in found]


def current(browser: Browser) -> list[int]:
    found = browser.evaluate(
        "[...document.querySelectorAll('.turn[aria-current]')].map(e => +e.dataset.index)"
    )
    return [int(one) for one in found]


def seconds(browser: Browser) -> float:
    return float(browser.evaluate("document.querySelector('audio').currentTime"))


def test_findings_come_worst_first_with_their_words(shown: Browser) -> None:
    assert texts(shown, ".finding .title") == [
        "以上门和孩子相威胁", "引导客户向私人账户转账", "拒绝受理投诉", "坐席打断客户说困难",
        "坐席长时间不说话", "没有礼貌结束语",
    ]  # fmt: skip
    assert texts(shown, "#call-1-finding-1 blockquote.r-agent mark") == [
        "不还是吧？", "带人去你家门口坐着", "你孩子在实验小学上学",
    ]  # fmt: skip
    assert "静音 7.6 秒" in text(shown, "#call-1-finding-5")
    assert text(shown, ".score") == "18"
    assert "缺少随录字段：当日有效通话" in text(shown, "table.items .v-unknown")


def test_hostile_words_stay_words(shown: Browser) -> None:
    assert HOSTILE in text(shown, '.turn[data-index="7"] .said')
    assert shown.evaluate("document.querySelectorAll('img').length") == 0
    assert shown.evaluate(
        "JSON.parse(document.getElementById('results').textContent)[0].turns[7].text"
    ).endswith(HOSTILE)


def test_the_policy_alone_stops_injected_script(browser: Browser, tmp_path: Path) -> None:
    """Control: with the escaping defeated, the same words do become elements, and the policy still holds."""
    page = tmp_path / "page.html"
    page.write_text(bad_page().replace("<main>", f"<main>{HOSTILE}", 1), "utf-8")
    browser.problems.clear()
    browser.open(page)
    assert browser.evaluate("document.querySelectorAll('img').length") == 1
    assert browser.evaluate("window.owned ?? null") is None
    assert any("Content Security Policy" in problem for problem in browser.problems)


def test_hostile_words_do_run_without_escaping_and_policy(browser: Browser, tmp_path: Path) -> None:
    """Control: the hostile string is really an attack."""
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><script>{HOSTILE}", "utf-8")
    browser.open(page)
    browser.until("window.owned !== undefined")


def test_a_findings_button_moves_the_sound_and_the_transcript(shown: Browser) -> None:
    shown.click("#call-1-finding-1 .place .jump")
    shown.until("!document.querySelector('audio').seeking")
    start_ms = shown.evaluate("+document.querySelector('#call-1-finding-1 .place .jump').dataset.jump")
    assert start_ms == 38_200
    assert start_ms / 1000 <= seconds(shown) < start_ms / 1000 + 3
    assert current(shown) == [6]
    assert shown.evaluate("document.querySelector('.turns').scrollTop >= 0")
    shown.until("!document.querySelector('audio').paused")
    shown.until(f"document.querySelector('audio').currentTime > {start_ms / 1000 + 0.2}")
    shown.click(".play")
    assert shown.evaluate("document.querySelector('audio').paused")


def test_the_sound_is_the_whole_call(shown: Browser) -> None:
    shown.until("document.querySelector('audio').readyState >= 1")
    assert shown.evaluate("document.querySelector('audio').duration") == pytest.approx(76.0, abs=0.1)
    assert shown.evaluate("document.querySelector('audio').error") is None


def test_a_click_on_the_line_seeks(shown: Browser) -> None:
    x, y, width = shown.evaluate(
        "(() => { scrollTo(0, 0); const r = document.querySelector('svg.time').getBoundingClientRect();"
        "return [r.x, r.y + r.height / 2, r.width]; })()"
    )
    shown.click_at(x + width / 2, y)
    shown.until("!document.querySelector('audio').seeking")
    assert seconds(shown) == pytest.approx(38.0, abs=0.2)
    assert shown.evaluate("document.querySelector('.playhead line').getAttribute('x1')").startswith("50")


def test_keys_move_and_play(shown: Browser) -> None:
    shown.press("ArrowRight")
    assert seconds(shown) == pytest.approx(5.0)
    assert current(shown) == [0]
    shown.press("ArrowDown")
    assert current(shown) == [1]
    shown.press(" ")
    shown.until("!document.querySelector('audio').paused")
    shown.press(" ")
    assert shown.evaluate("document.querySelector('audio').paused")


def test_two_people_at_once_are_both_current(shown: Browser) -> None:
    shown.click("#call-1-finding-4 .place .jump")
    assert current(shown) == [3, 4]


def test_both_channels_are_drawn(shown: Browser, tmp_path: Path) -> None:
    """The picture itself: each lane's strip has many pixels in its role's colour."""
    shown.evaluate("scrollTo(0, 0)")
    assert len(shown.screenshot(tmp_path / "page.png")) > 50_000
    for role in ("agent", "customer"):
        box = shown.evaluate(
            f"(() => {{ const r = document.querySelector('svg.wave.r-{role}').getBoundingClientRect();"
            "return [r.width, r.height]; })()"
        )
        assert box[0] > 1000 and box[1] > 40
        assert painted(shown, f"svg.wave.r-{role}") > 0.05
    assert painted(shown, ".brand", colour="agent") == 0


def painted(browser: Browser, selector: str, colour: str = "") -> float:
    """Share of an element's pixels on the screen that have the role's wave colour."""
    role = colour or selector.rsplit("-", 1)[-1]
    x, y, width, height = browser.evaluate(
        f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        "return [r.x, r.y, r.width, r.height]; })()"
    )
    clip = {"x": x, "y": y, "width": width, "height": height, "scale": 1}
    data = browser.send("Page.captureScreenshot", format="png", clip=clip)["data"]
    pixels = decode_png(data)
    wanted = browser.evaluate(
        f"getComputedStyle(document.querySelector('svg.wave.r-{role} path')).fill.match(/\\d+/g).map(Number)"
    )
    return float(np.mean(np.all(np.abs(pixels[..., :3].astype(int) - wanted) < 24, axis=-1)))


def decode_png(data: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with av.open(io.BytesIO(base64.b64decode(data))) as picture:
        return next(picture.decode(video=0)).to_ndarray(format="rgb24")


def test_nothing_is_loaded_from_anywhere(shown: Browser) -> None:
    assert [url for url in shown.requests if not url.startswith(("file:", "data:"))] == []
    assert [url for url in shown.requests if url.startswith("file:")] == [shown.evaluate("location.href")]


@lru_cache
def many_page() -> str:
    return render([bad_call(), chat(), failed_call(), bad_call(channels=1, call_id="mono")])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_sticks_out(browser: Browser, tmp_path: Path, theme: str) -> None:
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    load_html(browser, tmp_path, many_page())
    for width in (720, 1000, 1280):
        browser.resize(width, 900)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert len(browser.screenshot(tmp_path / f"{theme}-{width}.png")) > 30_000
    dark = browser.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(c => c < 64)"
    )
    assert dark == (theme == "dark")
    browser.send("Emulation.setEmulatedMedia", features=[])


def test_several_calls_begin_with_an_overview(browser: Browser, tmp_path: Path) -> None:
    load_html(browser, tmp_path, many_page())
    assert texts(browser, ".overview tbody th") == [
        "CS20261123-101500-8205",
        "chat-7741",
        "CS-corrupt-1",
        "mono",
    ]
    browser.click('.overview a[href="#call-4"]')
    browser.until("Math.abs(document.querySelector('#call-4').getBoundingClientRect().top) < 200")
    assert "重新导出录音后再提交" in text(browser, "#call-3")
    assert browser.evaluate("document.querySelectorAll('#call-4 svg.wave').length") == 1
    assert browser.problems == []


def test_a_chat_has_no_line_but_its_buttons_lead_to_the_turn(browser: Browser, tmp_path: Path) -> None:
    load(browser, tmp_path, chat())
    assert browser.evaluate("document.querySelectorAll('audio, svg.time').length") == 0
    browser.click("#call-1-finding-1 .place .jump")
    assert current(browser) == [2]
    assert texts(browser, "#call-1-finding-1 mark") == ["笨"]
    browser.press(" ")
    assert browser.problems == []


def test_a_call_without_sound_still_points(browser: Browser, tmp_path: Path) -> None:
    load(browser, tmp_path, bad_call(audio=False))
    browser.click("#call-1-finding-2 .place .jump")
    assert current(browser) == [10]
    assert text(browser, ".now") == "01:04.5"
    assert browser.evaluate("document.querySelectorAll('svg.time .turn').length") == 12


@pytest.mark.parametrize(
    "result",
    [
        {"call_id": "bare"},
        {"call_id": "nan", "score": None, "measures": {"x_ratio": float("nan")}, "turns": []},
        {"call_id": "\ud800 lone surrogate", "turns": [{"role": "agent", "text": f"a{SEPARATOR}b"}]},
        {"call_id": "odd", "turns": [{"role": "robot", "text": "嘀", "start_ms": 5, "end_ms": 5}],
         "findings": [{"rule": "r", "turns": [99], "evidence": [{"operator": "o", "turn": 99}]}]},
    ],
    ids=lambda result: str(result["call_id"])[-9:],
)  # fmt: skip
def test_thin_and_odd_results_still_make_a_page(result: dict[str, Any]) -> None:
    page = render([CallView(result)])
    page.encode("utf-8")
    data = re.search(r'<script type="application/json" id="results">(.*?)</script>', page, re.S)
    assert data is not None
    assert SEPARATOR not in data.group(1)
    assert "call_id" in json.loads(data.group(1), parse_constant=lambda name: pytest.fail(name))[0]


def test_a_call_too_long_to_embed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.doors.page.MAX_SOUND_MS", 100_000)
    page = render([bad_call(call_id="first"), bad_call(call_id="second")])
    assert page.count("<audio") == 1
    assert page.count("未嵌入录音") == 1


def test_words_are_found_where_no_characters_are_given() -> None:
    view = chat()
    evidence = {"operator": "keyword", "text": "真是没见过", "turn": 2}
    finding = {**view.result["findings"][0], "evidence": [evidence]}
    page = render([replace(view, result={**view.result, "findings": [finding]})])
    assert page.count(">真是没见过</mark>") == 2


def test_evidence_says_what_operators_saw() -> None:
    """The shapes operators give: metadata compared, a tag that is missing, a shape of the call."""
    seen = (
        {
            "operator": "meta",
            "params": {"field": "attempts_same_number_today", "cmp": "gt", "value": 6},
            "start_ms": 0,
        },
        {"operator": "tag", "params": {"any": ["a_self_identify"]}, "holds": False},
        {"operator": "speech_rate", "params": {}, "value": 341.6, "turn": 0},
    )
    turns = [{"role": "agent", "text": "您好", "start_ms": 0, "end_ms": 900}]
    finding = {"rule": "r", "severity": "minor", "evidence": seen}
    page = render([CallView({"call_id": "c", "meta": META, "turns": turns, "findings": [finding]})])
    assert "随录信息 当日同号拨打 9（&gt; 6）" in page
    assert "没有出现：语义标签 表明身份机构" in page
    assert "语速 341.6 字/分" in page


def test_events_are_the_operators_own() -> None:
    """The view of an inspected call has the silence and the interruption that rules would find."""
    script = "A 0-4 您好这里是锦澜银行 | C 2.5-5 你们怎么又打过来 | A 12-14 请您听我说完"
    view_of = view(Inspection({"call_id": "c"}, CALL, call(script)))
    assert [(s.start_ms, s.end_ms, s.role) for s in view_of.silences] == [(5000, 12_000, "agent")]
    assert [(s.start_ms, s.end_ms, s.role) for s in view_of.interruptions] == [(2500, 4000, "customer")]


def test_a_call_that_failed_has_a_view() -> None:
    done = Inspection({"call_id": "c", "error": {"code": "empty", "message": "空文件", "help": "换一个"}})
    assert "空文件" in render([view(done)])
