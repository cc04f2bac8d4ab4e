"""A slow reading of docs/rules.md: one call, loops over hits, frames as plain values.

Written from the page and not from the judge, to be compared with it. What operators find is asked of the
operators themselves; everything that the rule language adds is done here once more.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from operators.chain import Plan, check_use
from operators.spec import Registry
from operators.table import ROLES, CallTable

FALSE, UNKNOWN, TRUE = 0, 1, 2
NEVER = 1 << 60
Rule = Mapping[str, Any]
COMMON = ("as", "role", "scope", "count")
Place = tuple[int, int]
"""Row of the call and character; row -1 stands in front of the first."""


@dataclass(frozen=True, order=True)
class Hit:
    """Something found, from ``begin`` to before ``end``."""

    begin: Place
    end: Place
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Frame:
    """A stretch of the call: what begins in it is in it."""

    lo: Place = (-2, 0)
    hi: Place = (NEVER, 0)
    from_ms: int = -NEVER
    to_ms: int = NEVER
    anchor: Hit | None = None

    def holds(self, hit: Hit) -> bool:
        """Whether a hit lies in it."""
        return self.lo <= hit.begin < self.hi and self.from_ms <= hit.start_ms < self.to_ms


@dataclass(frozen=True)
class Found:
    """The answer of one condition in one frame; ``more``: there may be further hits."""

    truth: int
    hits: tuple[Hit, ...] = ()
    more: bool = False


def found(hits: Iterator[Hit] | list[Hit], more: object) -> Found:
    """True when there are hits, else unknown when there may be some."""
    unique = tuple(sorted(set(hits)))
    return Found(TRUE if unique else UNKNOWN if more else FALSE, unique, bool(more))


@dataclass
class Reading:
    """One call, read rule by rule."""

    rules: Mapping[str, Mapping[str, Any]]
    table: CallTable
    registry: Registry
    _leaves: dict[str, Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self.table
        assert table.n_calls == 1
        self.roles = [ROLES[role] for role in table.turn_role]
        self.texts = [table.turn_text(row) for row in range(table.n_turns)]
        self.timed = bool(table.has_times[0])
        self.turns: list[range] = []
        for row, role in enumerate(self.roles):
            if self.turns and self.roles[row - 1] == role:
                self.turns[-1] = range(self.turns[-1].start, row + 1)
            else:
                self.turns.append(range(row, row + 1))

    def verdict(self, name: str) -> str:
        """The table of the page's section Verdicts."""
        rule = self.rules[name]
        if not self.in_force(rule):
            return "not_applicable"
        if "gate" in rule:
            gate = self.root(name, "gate").truth
            if gate != TRUE:
                return "unknown" if gate == UNKNOWN else "not_applicable"
        truth = self.root(name, "when").truth
        if "unless" in rule:
            truth = min(truth, TRUE - self.root(name, "unless").truth)
        return ("pass", "unknown", "hit")[truth]

    def in_force(self, rule: Rule) -> bool:
        """Whether the day of the call lies in the rule's period, or is not known."""
        day = str(self.table.meta["call_start_local"][0] or "")[:10]
        return not day or rule.get("effective_from", day) <= day <= rule.get("effective_to", day)

    def root(self, name: str, part: str) -> Found:
        """One of a rule's conditions in the whole call."""
        return self.judge(self.rules[name], self.rules[name][part], Frame(), None)

    def judge(self, rule: Rule, cond: Rule, frame: Frame, role: str | None) -> Found:
        """A condition with its ``role``, ``count`` and ``scope``."""
        (head,) = [key for key in cond if key not in COMMON]
        role = cond.get("role", role)
        if head == "absent":
            return self.absent(rule, cond, frame, role)

        def plain(within: Frame) -> Found:
            answer = self.head(rule, head, cond[head], within, role)
            return self.count(answer, cond["count"]) if "count" in cond else answer

        if "scope" not in cond:
            return plain(frame)
        return self.scoped(rule, cond["scope"], frame, plain, empty=head == "not" and "count" not in cond)

    def head(self, rule: Rule, head: str, body: Any, frame: Frame, role: str | None) -> Found:
        if head in ("all", "any", "at_least"):
            n, of = (body["n"], body["of"]) if head == "at_least" else (1, body)
            parts = [self.judge(rule, part, frame, role) for part in of]
            return self.at_least(len(parts) if head == "all" else n, parts)
        if head == "not":
            part = self.judge(rule, body, frame, role)
            return Found(TRUE - part.truth, (), part.more)
        if head == "seq":
            return self.seq(rule, body if isinstance(body, dict) else {"of": body}, frame, role)
        if head == "ref":
            return self.judge(rule, rule["define"][body], frame, None)
        if head == "block":
            other = self.rules[body]
            if not self.in_force(other):
                return Found(FALSE)
            parts = [self.judge(other, other[key], frame, None) for key in ("gate", "when") if key in other]
            if "unless" in other:
                part = self.judge(other, other["unless"], frame, None)
                parts.append(Found(TRUE - part.truth, (), part.more))
            return self.at_least(len(parts), parts)
        return self.leaf(head, body, frame, role)

    def leaf(self, name: str, params: Mapping[str, Any], frame: Frame, role: str | None) -> Found:
        own = role is not None and "role" in self.registry.get(name).params  # type: ignore[union-attr]
        use = check_use(self.registry, name, {"role": role, **params} if own else params)
        key = f"{use.key} {role}"
        if key not in self._leaves:
            hits = Plan([use]).evaluate(self.table).hits
            spoken = [self.roles[turn] if turn >= 0 else None for turn in hits.turn]
            rows = [row for row in range(len(hits)) if own or role is None or spoken[row] == role]
            places = [self.place(int(hits.turn[r]), int(hits.start_ms[r]), int(hits.char_start[r]),
                                 int(hits.char_end[r]), int(hits.end_ms[r])) for r in rows]  # fmt: skip
            self._leaves[key] = found(places, hits.unknown[0][0])
        whole = self._leaves[key]
        return found([hit for hit in whole.hits if frame.holds(hit)], whole.more)

    def place(self, turn: int, start_ms: int, char_start: int, char_end: int, end_ms: int) -> Hit:
        if turn < 0:
            before = [row for row, at in enumerate(self.table.turn_start_ms) if at < start_ms]
            last = max(before, default=-1)
            return Hit((last, NEVER), (last + 1, 0), start_ms, end_ms)
        if char_start < 0:
            return Hit((turn, 0), (turn + 1, 0), start_ms, end_ms)
        return Hit((turn, char_start), (turn, char_end), start_ms, end_ms)

    def at_least(self, n: int, parts: list[Found]) -> Found:
        sure, possible = (sum(part.truth >= least for part in parts) for least in (TRUE, UNKNOWN))
        truth = TRUE if sure >= n else UNKNOWN if possible >= n else FALSE
        hits = sorted({hit for part in parts for hit in part.hits}) if truth == TRUE else []
        more = truth != FALSE and any(part.more or part.truth == UNKNOWN for part in parts)
        return Found(truth, tuple(hits), more)

    def count(self, part: Found, asked: Any) -> Found:
        limits = {"at_least": asked} if isinstance(asked, int) else asked
        least, most, within = limits.get("at_least", 0), limits.get("at_most"), limits.get("within_ms")
        hits = list(part.hits)
        if limits.get("distinct") == "turn":
            first: dict[int, Hit] = {}
            for hit in sorted(hits, key=lambda hit: (hit.start_ms, hit.begin)):
                first.setdefault(self.turn_of(hit.begin), hit)
            hits = list(first.values())
        enough, more = len(hits) >= least, part.more
        if within is not None and enough:
            starts = sorted(hit.start_ms for hit in hits)
            reach = max(least, 1) - 1
            close = any(starts[i + reach] - starts[i] <= within for i in range(len(starts) - reach))
            more |= not self.timed
            enough = close and self.timed
        truth = TRUE if enough else UNKNOWN if more else FALSE
        if most is not None:
            truth = min(truth, FALSE if len(hits) > most else UNKNOWN if part.more else TRUE)
        return Found(truth, part.hits if truth == TRUE else (), more)

    def seq(self, rule: Rule, body: Mapping[str, Any], frame: Frame, role: str | None) -> Found:
        parts = [self.judge(rule, part, frame, role) for part in body["of"]]
        chains = list(parts[0].hits)
        for part in parts[1:]:
            chains = [joined for hit in part.hits if (joined := self.join(chains, hit, body)) is not None]
        doubtful = "within_ms" in body and not self.timed
        more = any(part.more for part in parts) and all(part.truth != FALSE for part in parts)
        return found([] if doubtful else chains, more or (doubtful and bool(chains)))

    def join(self, chains: list[Hit], hit: Hit, body: Mapping[str, Any]) -> Hit | None:
        """The chain that ends nearest before ``hit``, lengthened by it, if the limits allow."""
        earlier = [chain for chain in chains if chain.end <= hit.begin]
        if not earlier:
            return None
        near = max(earlier, key=lambda chain: (chain.end, chain.begin))
        apart = self.turn_of(hit.begin) - self.turn_of(self.last(near))
        if apart > body.get("within_turns", NEVER):
            return None
        if self.timed and hit.start_ms - near.end_ms > body.get("within_ms", NEVER):
            return None
        return replace(hit, begin=near.begin, start_ms=near.start_ms)

    def last(self, hit: Hit) -> Place:
        """The last place that belongs to a hit."""
        row, char = hit.end
        return (row, char - 1) if char else (row - 1, NEVER)

    def turn_of(self, place: Place) -> int:
        row = min(max(place[0], 0), len(self.roles) - 1)
        return next((n for n, rows in enumerate(self.turns) if row in rows), 0)

    def absent(self, rule: Rule, cond: Rule, frame: Frame, role: str | None) -> Found:
        inner, scope = cond["absent"], cond.get("scope")
        if scope is None and "scope" in inner and "absent" not in inner:
            scope, inner = inner["scope"], {key: inner[key] for key in inner if key != "scope"}
        watched = set(self.watched(rule, inner, role))
        side = watched.pop() if len(watched) == 1 else None

        def silent(within: Frame) -> Found:
            part = self.judge(rule, inner, within, role)
            return Found(TRUE - part.truth, (), part.more)

        def counts(window: Frame) -> bool:
            sides = [row for row, role in enumerate(self.roles) if side in (None, role)]
            if scope is not None and {"before", "around"} & set(scope):
                return bool(sides)
            return any(self.speaks(row, window) for row in sides)

        return self.scoped(rule, scope or {}, frame, silent, empty=True, counts=counts)

    def speaks(self, row: int, window: Frame) -> bool:
        """Whether row ``row`` begins or goes on in the window."""
        start, end = int(self.table.turn_start_ms[row]), int(self.table.turn_end_ms[row])
        there = (row, 0) < window.hi and (row, max(len(self.texts[row]), 1)) > window.lo
        return (
            there
            and window.lo < window.hi
            and start < window.to_ms
            and (start >= window.from_ms or end > window.from_ms)
        )

    def watched(self, rule: Rule, cond: Rule, role: str | None) -> Iterator[str | None]:
        """Who must speak for each operator of a condition; anchors are not watched."""
        (head,) = [key for key in cond if key not in COMMON]
        role, body = cond.get("role", role), cond[head]
        if head == "ref":
            yield from self.watched(rule, rule["define"][body], None)
        elif head == "block":
            for key in ("gate", "when", "unless"):
                if key in self.rules[body]:
                    yield from self.watched(self.rules[body], self.rules[body][key], None)
        elif head in ("all", "any", "at_least", "seq"):
            for part in body["of"] if isinstance(body, dict) else body:
                yield from self.watched(rule, part, role)
        elif head in ("not", "absent"):
            yield from self.watched(rule, body, role)
        else:
            yield body.get("role", role)

    def scoped(
        self, rule: Rule, scope: Rule, frame: Frame, body: Any, *, empty: bool,
        counts: Any = lambda window: True,
    ) -> Found:  # fmt: skip
        """``body`` judged in every window; ``empty``: what is found are the anchors of true windows."""
        kind = next((key for key in scope if key in KINDS), "")
        anchor = self.judge(rule, rule["define"][scope[kind]], frame, None) if kind in ANCHORED else None
        until = self.judge(rule, rule["define"][scope["until"]], frame, None) if "until" in scope else None
        hit = scope.get("hit", "any")
        unsure = anchor is not None and anchor.more
        blind = (("ms" in scope or kind in TIMED) and not self.timed) or (until is not None and until.more)
        blind &= anchor is None or anchor.truth != FALSE
        windows = [w for w in self.windows(kind, scope, frame, anchor, until) if counts(w)]
        answers = [body(window) for window in windows]
        truths = [answer.truth for answer in answers]
        truth = FALSE if not truths else min(truths) if hit == "each" else max(truths)
        settled = (hit == "any" and truth == TRUE) or (hit == "each" and bool(truths) and truth == FALSE)
        truth = UNKNOWN if blind or (unsure and not settled) else truth
        if empty:
            hits = [w.anchor for w, answer in zip(windows, answers, strict=True)
                    if answer.truth == TRUE and w.anchor is not None]  # fmt: skip
        else:
            hits = [one for answer in answers for one in answer.hits]
        more = unsure or blind or any(answer.more for answer in answers)
        return Found(truth, tuple(sorted(set(hits))) if truth == TRUE else (), more)

    def windows(
        self, kind: str, scope: Rule, frame: Frame, anchor: Found | None, until: Found | None
    ) -> list[Frame]:
        if anchor is None:
            return [cut(frame, self.counted(kind, scope))]
        chosen = {"first": 1, "last": -1}.get(scope.get("hit", "any"), scope.get("hit", "any"))
        hits = anchor.hits
        if isinstance(chosen, int):
            at = chosen - 1 if chosen > 0 else len(hits) + chosen
            hits = hits[at : at + 1] if at >= 0 else ()
        made = []
        for hit in hits:
            window = self.anchored(kind, scope, hit)
            ends = [stop.begin for stop in until.hits if stop.begin >= hit.end] if until else []
            made.append(replace(cut(frame, cut(window, Frame(hi=min(ends, default=(NEVER, 0))))), anchor=hit))
        return made

    def counted(self, kind: str, scope: Rule) -> Frame:
        if not kind:
            return Frame()
        n, of = scope[kind], scope.get("of")
        turns = [rows for rows in self.turns if of in (None, self.roles[rows.start])]
        if kind == "first_turns":
            return Frame(hi=(turns[n - 1].stop, 0) if 0 < n <= len(turns) else (NEVER if n else -2, 0))
        if kind == "last_turns":
            return Frame(lo=(turns[-n].start, 0) if 0 < n <= len(turns) else (-2 if n else NEVER, 0))
        duration = int(self.table.duration_ms[0])
        if kind.startswith("first"):
            return Frame(to_ms=n if kind == "first_ms" else -(-duration * n // 100))
        return Frame(from_ms=duration - n if kind == "last_ms" else -(-duration * (100 - n) // 100))

    def anchored(self, kind: str, scope: Rule, hit: Hit) -> Frame:
        first, last = self.turn_of(hit.begin), self.turn_of(self.last(hit))
        n, of, ms = scope.get("turns"), scope.get("of"), scope.get("ms")
        if kind == "same_turn":
            return (
                Frame(lo=(self.turns[first].start, 0), hi=(self.turns[last].stop, 0))
                if self.turns
                else Frame()
            )
        lo, hi = hit.end if kind == "after" else (-2, 0), hit.begin if kind == "before" else (NEVER, 0)
        if n is not None and self.turns:
            mine = [number for number, rows in enumerate(self.turns) if of in (None, self.roles[rows.start])]
            later, earlier = [t for t in mine if t > last], [t for t in mine if t < first]
            if kind != "before" and n <= len(later):
                hi = (self.turns[later[n - 1] if n else last].stop, 0)
            if kind != "after" and n <= len(earlier):
                lo = (self.turns[earlier[-n] if n else first].start, 0)
        if ms is None:
            return Frame(lo, hi)
        from_ms = hit.start_ms - ms if kind != "after" else -NEVER
        return Frame(lo, hi, from_ms, hit.end_ms + ms + 1 if kind != "before" else NEVER)


ANCHORED = ("after", "before", "around", "same_turn")
TIMED = ("first_ms", "last_ms", "first_percent", "last_percent")
KINDS = (*ANCHORED, *TIMED, "first_turns", "last_turns")


def cut(outer: Frame, inner: Frame) -> Frame:
    """What both frames hold."""
    return Frame(max(outer.lo, inner.lo), min(outer.hi, inner.hi),
                 max(outer.from_ms, inner.from_ms), min(outer.to_ms, inner.to_ms), inner.anchor)  # fmt: skip
