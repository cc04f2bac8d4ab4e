"""Documents stay true: generated parts are fresh, links lead somewhere, promised things exist."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from operators import reference as operator_reference
from server import errors, reference
from server.config import Settings

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "bench").glob("*.md")])


def test_settings_table_is_fresh() -> None:
    text = (ROOT / "README.md").read_text()
    assert reference.readme(text) == text, "run `make docs`"


def test_operators_page_is_fresh() -> None:
    assert (ROOT / "docs" / "operators.md").read_text() == operator_reference.render(), "run `make docs`"


def test_every_setting_is_explained() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_commands_named_in_the_readme_exist() -> None:
    named = set(re.findall(r"earshot ((?:rules |models )?[a-z]+)", (ROOT / "README.md").read_text()))
    for words in sorted(named - {"inspects"}):
        done = subprocess.run(
            [sys.executable, "-m", "server", *words.split(), "--help"],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"earshot {words} --help: {done.stderr.decode()[-300:]}"


def test_every_error_has_codes_and_help() -> None:
    def below(kind: type[errors.EarshotError]) -> list[type[errors.EarshotError]]:
        return [kind, *(deeper for sub in kind.__subclasses__() for deeper in below(sub))]

    for kind in below(errors.EarshotError):
        error = kind("it broke with 7", help="mend it")
        assert "\nhelp: mend it" in str(error)
        assert error.as_dict() == {"code": error.code, "message": "it broke with 7", "help": "mend it"}
        assert kind.__name__ in (errors.__doc__ or "") or kind is errors.EarshotError


def test_tracked_tree_stays_small() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.split(b"\0")
    total = sum(
        (ROOT / name.decode()).stat().st_size for name in listed if name and (ROOT / name.decode()).exists()
    )
    assert total < 12 << 20
