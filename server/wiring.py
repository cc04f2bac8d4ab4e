"""The parts put together: models, compiled rules and the road, for whichever command asks."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from operators.chain import load_registry
from operators.rules.judge import Judge, compile_pack
from operators.rules.pack import load_pack
from operators.rules.parse import RulesError
from server import config
from server.adapters import triton
from server.errors import BadRules
from server.pipeline.session import Road


@contextmanager
def open_road(settings: config.Settings) -> Iterator[Road]:
    """Models, compiled rules and the road, closed in the right order."""
    judges = {settings.pack: compiled(settings.pack)}
    with closing(triton.connect(settings)) as models, Road(settings, models, judges) as road:
        yield road


def compiled(pack: str) -> Judge:
    """The judge of a pack, by built-in name or folder.

    Raises:
        BadRules: the pack cannot be used; the text lists every problem.
    """
    try:
        return compile_pack(load_pack(pack, load_registry()))
    except RulesError as error:
        what, _, advice = str(error).partition("\nhelp: ")
        raise BadRules(what, help=advice or f"run `earshot rules check {pack}`") from None
