"""Folders are the architecture: who may import whom, guarded."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

_DECLARING = ("operators.table", "operators.spec", "operators.columns", "operators.text")
_TEXT = ("operators.words", "operators.atoms", "operators.sound", "operators.spans")

# The map newcomers read: a package, and which packages of ours it may import. First match wins.
LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("operators.table", ()),
    ("operators.spec", ("operators.table",)),
    ("operators.text", ("operators.table", "operators.columns")),
    ("operators.words", ("operators.table", "operators.columns", "operators.text")),
    ("operators.sound", ("operators.table", "operators.text")),
    ("operators.spans", ("operators.table", "operators.columns")),
    ("operators.atoms", ()),
    ("operators.columns", ("operators.table", "operators.spec")),
    ("operators.testing", ("operators.table",)),
    (
        "operators.numbers",
        ("operators.numbers", "operators.table", "operators.columns", "operators.spec"),
    ),
    ("operators.bitstate", ("operators.table", "operators.columns")),
    (
        "operators.patterns",
        (*_DECLARING, "operators.words", "operators.atoms", "operators.bitstate"),
    ),
    ("operators.builtin", (*_DECLARING, *_TEXT, "operators.patterns", "operators.numbers")),
    ("operators.chain", (*_DECLARING, "operators.builtin")),
    ("operators.measures", ("operators.table", "operators.columns", "operators.chain")),
    ("operators.reference", ("operators.spec", "operators.chain")),
    ("operators.rules", (*_DECLARING, "operators.chain", "operators.rules", "operators.testing")),
    ("operators", ()),
    ("server.api", ("server.api",)),
    ("server.config", ("server.errors",)),
    ("server.errors", ()),
    ("server.telemetry", ()),
    (
        "server.pipeline",
        ("operators", "server.pipeline", "server.config", "server.errors", "server.telemetry"),
    ),
    ("server.adapters.store_columns", ("operators.table",)),
    ("server.adapters.store", ("operators.table", "server.adapters.store_columns", "server.errors")),
    (
        "server.adapters",
        ("server.adapters", "server.pipeline", "server.config", "server.errors", "server.telemetry"),
    ),
    (
        "server.doors",
        (
            "server.doors",
            "server.pipeline",
            "server.api",
            "server.evaluation",
            "operators",
            "server.config",
            "server.errors",
            "server.telemetry",
        ),
    ),
    (
        "server.jobs",
        ("server.jobs", "server.pipeline", "operators", "server.config", "server.errors", "server.telemetry"),
    ),
    ("model_runtime", ("model_runtime",)),
    ("server.importers", ("server.importers", "model_runtime", "server.errors")),
    ("server.reference", ("server.config",)),
    (
        "server.evaluation",
        ("server.evaluation", "server.errors", "server.pipeline.models", "operators.table"),
    ),
    ("server.importing", ("server.importers", "server.adapters", "server.config", "server.errors")),
    (
        "server.wiring",
        ("operators", "server.adapters", "server.pipeline", "server.config", "server.errors"),
    ),
    ("server.keeping", ("operators", "server.adapters.store", "server.pipeline")),
    (
        "server.backtest",
        ("operators", "server.backtest", "server.adapters.store", "server.errors", "server.wiring"),
    ),
    ("server.models_app", ("server",)),
    ("server.backtest_app", ("server",)),
    ("server.rules_app", ("server", "operators")),
    ("server.evaluate_app", ("server",)),
    ("server.gpu_app", ("server",)),
    ("server.__main__", ("server", "operators")),
    ("server", ()),
)
OUTSIDE = {
    "tritonclient": ("server.adapters.triton",),
    "redis": ("server.adapters.streams",),
    "pyarrow": ("server.adapters.store",),
}
OURS = ("server", "operators", "model_runtime", "training", "bench", "demo", "tests")


def _name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _imports(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def _inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def violations(module: str, source: str) -> list[str]:
    """What ``module`` imports against the map."""
    imports = _imports(source)
    allowed = next((may for package, may in LAYERS if _inside(module, package)), None)
    if allowed is None:
        return [f"{module} is in no layer\nhelp: add it to LAYERS in tests/test_layers.py"]
    bad = []
    for name in sorted(imports):
        if name.split(".")[0] in OURS:
            targets = (
                [name]
                if (ROOT / Path(*name.split("."))).with_suffix(".py").exists() or "." not in name
                else [name, name.rpartition(".")[0]]
            )
            if not any(_inside(target, package) for target in targets for package in (*allowed, module)):
                if any(other.startswith(f"{name}.") for other in imports):
                    continue  # `from a import b` also lists `a` itself
                bad.append(f"{module} imports {name}\nhelp: allowed are {allowed}")
        top = name.split(".")[0]
        if top in OUTSIDE and not any(module.startswith(home) for home in OUTSIDE[top]):
            bad.append(f"{module} imports {name}\nhelp: only {OUTSIDE[top]} may")
    return bad


def _modules() -> list[Path]:
    return sorted(
        p
        for package in ("server", "operators", "model_runtime")
        for p in (ROOT / package).rglob("*.py")
        if "/api/earshot/" not in str(p)
    )


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_layer(path: Path) -> None:
    assert violations(_name(path), path.read_text()) == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "model_repository").glob("*/1/*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_model_files_stand_alone(path: Path) -> None:
    imported = {name.split(".")[0] for name in _imports(path.read_text())}
    assert not imported & set(OURS), "Triton puts only the model's own folder on sys.path"


def test_builtin_operators_do_not_import_one_another() -> None:
    for path in (ROOT / "operators" / "builtin").glob("[!_]*.py"):
        assert not [name for name in _imports(path.read_text()) if name.startswith("operators.builtin")], (
            path.name
        )


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("operators.builtin.keyword", "from server.pipeline import turns"),
        ("operators.table", "from operators.spec import Hits"),
        ("server.pipeline.turns", "from server.adapters import triton"),
        ("server.errors", "import server.config"),
        ("server.doors.unary", "import tritonclient.grpc"),
        ("server.console.app", "from server.pipeline import session"),
    ],
)
def test_the_guard_notices(module: str, source: str) -> None:
    assert violations(module, source)
