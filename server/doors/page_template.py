"""Fills page.html: one file, nothing fetched, only the page's own script allowed to run."""

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from server.doors.page_findings import moment
from server.doors.page_words import clock, length, name


def fill(calls: Sequence[object], data: object) -> str:
    """Return the page that shows ``calls`` and carries ``data`` as JSON; every text in it is escaped."""
    style, script = _asset("page.css"), _asset("page.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "media-src data:; base-uri 'none'; form-action 'none'"
    )
    page = (
        _environment()
        .get_template("page.html")
        .render(
            calls=calls,
            policy=policy,
            style=Markup(style),
            script=Markup(script),
            data=Markup(_script_json(data)),
        )
    )
    return page.encode("utf-8", "replace").decode("utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clock=clock, lasting=length)
    environment.globals.update(name=name, moment=moment)
    return environment


def _asset(file: str) -> str:
    return files("server.doors").joinpath(file).read_text("utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, nor trip an old JavaScript parser."""
    text = json.dumps(_finite(value), ensure_ascii=False, default=str, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    """JSON has no NaN or infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
