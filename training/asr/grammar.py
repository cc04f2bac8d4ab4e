"""Spoken numbers and a small grammar of collections talk: money, dates, digits, names, banks."""

from __future__ import annotations

import random
import re
from pathlib import Path

DIGITS = "零一二三四五六七八九"


def _word_lists() -> dict[str, list[str]]:
    """Sections of words.txt, one token a list entry."""
    lists: dict[str, list[str]] = {}
    section = ""
    for line in (Path(__file__).parent / "words.txt").read_text(encoding="utf8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            lists[section] = []
        elif not line.startswith("#"):
            lists[section].extend(line.split())
    return lists


_LISTS = _word_lists()
SURNAMES, GIVEN = "".join(_LISTS["surnames"]), "".join(_LISTS["given"])
BANKS, PRODUCTS, DAYS, KIN = (_LISTS[name] for name in ("banks", "products", "days", "kin"))
_HOURS = ("上午", "下午", "中午", "晚上", "早上", "今晚", "明早")
_MINUTES = ("", "半", "钟", "前", "左右", "之前", "十分", "一刻", "二十", "四十五分")
TITLES, SHORT, TEMPLATES = (_LISTS[name] for name in ("titles", "short", "templates"))


def say_number(number: int, rng: random.Random) -> str:
    """Spoken form of 0 ≤ number < 10^8, 二 or 两 at random where both are said."""
    if number == 0:
        return "零"
    if number >= 10_000:
        rest = number % 10_000
        head = say_number(number // 10_000, rng)
        head = "两" if head == "二" and rng.random() < 0.7 else head
        return head + "万" + ("" if not rest else ("零" if rest < 1000 else "") + say_number(rest, rng))
    text, pending_zero = "", False
    for index, char in enumerate(str(number)):
        place = len(str(number)) - 1 - index
        if char == "0":
            pending_zero = True
            continue
        digit = DIGITS[int(char)]
        if char == "2" and place >= 2 and rng.random() < 0.7:
            digit = "两"
        if char == "1" and place == 1 and len(str(number)) == 2:
            digit = ""
        text += ("零" if pending_zero and text else "") + digit + ("", "十", "百", "千")[place]
        pending_zero = False
    return text


def say_digits(count: int, rng: random.Random) -> str:
    """`count` random digits read one by one, 1 mostly as 幺."""
    return "".join(
        "幺" if digit == 1 and rng.random() < 0.7 else DIGITS[digit]
        for digit in (rng.randrange(10) for _ in range(count))
    )


def say_money(rng: random.Random) -> str:
    """A sum of money as said in calls."""
    number = rng.choice(
        (
            rng.randint(1, 99) * 100,
            rng.randint(1, 60) * 1000,
            rng.randint(10, 999),
            rng.randint(100, 9999),
            rng.randint(100, 9999),
            rng.randint(10_000, 350_000),
        )
    )
    text = say_number(number, rng)
    kind = rng.random()
    if kind < 0.12:
        return text + rng.choice(("元", "块")) + DIGITS[rng.randint(1, 9)] + rng.choice(("", "角", "毛"))
    if kind < 0.2:
        return text + "点" + say_digits(2, rng).replace("幺", "一") + rng.choice(("元", ""))
    if kind < 0.25:
        return say_number(rng.randint(1, 30), rng) + "万" + rng.choice(("块", "元", "多块", ""))
    return text + rng.choice(("元", "块", "块钱", "元钱", ""))


def say_name(rng: random.Random) -> str:
    """A surname with one or two given-name characters."""
    weight = int(len(SURNAMES) * rng.random() ** 1.7)
    return SURNAMES[weight] + "".join(rng.choice(GIVEN) for _ in range(rng.choice((1, 2, 2))))


def _slot(name: str, rng: random.Random) -> str:
    """Fill one slot of a template."""
    makers = {
        "d4": lambda: say_digits(4, rng),
        "idtail": lambda: say_digits(3, rng) + rng.choice(("幺", "叉", "零", "八")),
        "phone": lambda: "幺" + rng.choice("三五七八九") + say_digits(9, rng),
        "service": lambda: rng.choice(("九五", "四零零", "零二幺")) + say_digits(rng.choice((3, 7)), rng),
        "hour": lambda: (
            rng.choice(_HOURS) + say_number(rng.randint(1, 12), rng) + "点" + rng.choice(_MINUTES)
        ),
        "year": lambda: "二零" + DIGITS[rng.randint(1, 2)] + DIGITS[rng.randint(0, 9)],
        "money": lambda: say_money(rng),
        "name": lambda: say_name(rng),
        "surname": lambda: rng.choice(SURNAMES),
        "title": lambda: rng.choice(SURNAMES) + rng.choice(TITLES),
        "bank": lambda: rng.choice(BANKS),
        "product": lambda: rng.choice(PRODUCTS),
        "day": lambda: rng.choice(DAYS),
        "kin": lambda: rng.choice(KIN),
        "num": lambda: say_number(rng.randint(1, 31), rng),
        "count": lambda: say_number(rng.randint(1, 400), rng),
        "month": lambda: say_number(rng.randint(1, 12), rng),
    }
    return makers[name]()


def sentence(rng: random.Random) -> str:
    """One random sentence of the grammar."""
    template = rng.choice(TEMPLATES)
    return re.sub(r"\{(\w+)\}", lambda match: _slot(match.group(1), rng), template)


def spoken(text: str, rng: random.Random) -> str:
    """Written digits of `text` as they would be said (years, percentages, decimals, codes)."""
    text = re.sub(r"(\d{4})年", lambda m: "".join(DIGITS[int(c)] for c in m.group(1)) + "年", text)
    text = re.sub(r"(\d+)\.(\d+)", lambda m: say_number(int(m.group(1)[:8]), rng) + "点" + m.group(2), text)
    text = re.sub(r"([一-龥\d点]+)[%％]", r"百分之\1", text)

    def one(match: re.Match[str]) -> str:
        digits = match.group()
        if len(digits) >= 6 or digits[0] == "0":
            return "".join(DIGITS[int(char)] for char in digits)
        return say_number(int(digits), rng)

    return re.sub(r"\d+", one, text)
