"""The backtest's page in a real browser: what it draws, and that transcripts cannot take it over."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.doors.backtest_page import pieces, plot, render
from tests.browser import Browser

HOSTILE = "<script>window.owned=1</script><img src=x onerror=window.owned=1>你个笨蛋"


def example(change: str) -> dict[str, Any]:
    quote = {"turn": 0, "role": "agent", "start_ms": 1200, "text": HOSTILE, "marks": [[61, 66], [63, 70]]}
    return {"call_id": "c<1>", "source": "/calls/1.wav", "started": "2026-11-01T10:00:00+08:00",
            "rule": "insult", "start_ms": 1200, "quotes": [quote], "facts": ["meta (field hour)"],
            "why_not": ["words: keyword is false"] if change == "lost_hits" else []}  # fmt: skip


def line(kind: str, name: str, gained: int, lost: int, severity: str = "fatal") -> dict[str, Any]:
    verdicts = {"hit": 90 + gained, "pass": 8, "unknown": 2, "not_applicable": 0}
    share = {"value": 0.8, "ci95": [0.6, 0.9], "of": 20}
    quality = {"precision": share, "recall": None, "undecided": 1}
    examples = {"new_hits": [example("new_hits")] if gained else [],
                "lost_hits": [example("lost_hits")] if lost else []}  # fmt: skip
    return {"kind": kind, "name": name, "title": f"规则{name}", "severity": severity, "item": "rude",
            "new": verdicts, "old": verdicts, "new_hits": gained, "lost_hits": lost, "examples": examples,
            "reviews": {"n": 20, "new": quality, "old": quality} if name == "insult" else {"n": 0},
            }  # fmt: skip


def outcome(**changes: Any) -> dict[str, Any]:
    days = [{"day": f"2026-11-{n:02}", "calls": 100, "hits": {"rule:insult": [n, 2 * n], "item:rude": [n, n]}}
            for n in range(1, 21)]  # fmt: skip
    rules = [line("rule", "insult", 40, 10), line("rule", "shout", 0, 5, "minor"), line("rule", "calm", 0, 0)]
    drawn = {"call_id": "c9", "item": "rude", "stratum": "undecided", "calls_in_stratum": 40, "weight": 4.0,
             "started": "", "source": "/calls/9.wav", "verdict": ""}  # fmt: skip
    return {"calls": 2000, "turns": 120_000, "repeated_calls": 3, "seconds": 1.25, "calls_per_s": 1600.0,
            "new": {"pack": "p 2", "calls_with_hits": 120},
            "old": {"pack": "p 1", "kept": True, "calls_with_hits": 100},
            "rules": rules, "items": [line("item", "rude", 40, 15)], "days": days, "reviews": 20,
            "sample": [drawn],
            "faults": [{"code": "x", "message": "a.parquet is cut off", "help": "fetch it"}],
            "seconds_by_stage": {}, **changes}  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as one:
        yield one


def load(browser: Browser, folder: Path, result: dict[str, Any]) -> None:
    page = folder / "page.html"
    page.write_text(render(result), "utf-8")
    browser.problems.clear()
    browser.requests.clear()
    browser.open(page)


def width(browser: Browser, selector: str) -> float:
    return float(browser.evaluate(f"document.querySelector({selector!r}).getBoundingClientRect().width"))


def test_bars_are_as_long_as_the_changes(browser: Browser, tmp_path: Path) -> None:
    load(browser, tmp_path, outcome())
    gain, loss = width(browser, ".bars rect.gain"), width(browser, ".bars rect.loss")
    assert gain > 100 and loss == pytest.approx(gain / 4, rel=0.05)
    assert browser.evaluate("document.querySelectorAll('.bars svg').length") == 2
    browser.click(".bars a")
    browser.until("Math.abs(document.querySelector('#rule-insult').getBoundingClientRect().top) < 300")
    assert browser.problems == []


def test_transcripts_stay_text_and_nothing_is_loaded(browser: Browser, tmp_path: Path) -> None:
    load(browser, tmp_path, outcome())
    assert browser.evaluate("window.owned ?? null") is None
    said = browser.evaluate("document.querySelector('.example .said').textContent")
    assert said == HOSTILE
    marks = browser.evaluate(
        "[...document.querySelector('.example .said').querySelectorAll('mark')]"
        ".map(m => m.textContent).join('')"
    )
    assert marks == HOSTILE[61:70]
    assert [url for url in browser.requests if not url.startswith("file:")] == []
    assert browser.problems == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_and_has_both_lines(browser: Browser, tmp_path: Path, theme: str) -> None:
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    load(browser, tmp_path, outcome())
    for wide in (720, 1280):
        browser.resize(wide, 900)
        assert browser.evaluate("document.documentElement.scrollWidth") <= wide
        assert len(browser.screenshot(tmp_path / f"{theme}-{wide}.png")) > 20_000
    boxes = browser.evaluate(
        "[...document.querySelectorAll('.plot polyline')].map(p => p.getBoundingClientRect().height)"
    )
    assert boxes[1] == pytest.approx(2 * boxes[0], rel=0.15) and boxes[1] > 100
    browser.send("Emulation.setEmulatedMedia", features=[])


def test_without_an_old_pack_nothing_is_compared() -> None:
    alone = [{**line("rule", "insult", 0, 0), "new_hits": None, "lost_hits": None, "old": None}]
    page = render(outcome(old=None, rules=alone, items=[], days=[], sample=[], faults=[], repeated_calls=0))
    assert 'id="bars"' not in page and '<th scope="col" class="num">新增</th>' not in page
    assert re.search(r"规则insult", page)


def test_long_histories_are_drawn_in_fewer_points() -> None:
    days = [{"day": f"d{n:04}", "calls": 10, "hits": {"rule:x": [0, 1]}} for n in range(1000)]
    drawn = plot(days, ["rule:x"])
    assert drawn is not None and drawn.each == 11 and len(drawn.new.split()) == 91
    assert drawn.top == pytest.approx(100)
    assert plot(days[:1], ["rule:x"]) is None


def test_marks_that_overlap_are_marked_once() -> None:
    found = pieces({"text": "abcdef", "marks": [(1, 3), (2, 4), (3, 4)]})
    assert [(piece.text, piece.marked) for piece in found] == [
        ("a", False), ("bc", True), ("d", True), ("ef", False),
    ]  # fmt: skip
