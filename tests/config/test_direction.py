"""What import-linter cannot say of modules that are still to come: it wants every one by name."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PURE = [
    "fleet/lifecycle.py",
    "fleet/migration/plan.py",
    "fleet/ingest/formats/**/*.py",
    "fleet/runtimes/**/*.py",
    "incidents/lifecycle.py",
    "incidents/correlation/**/*.py",
    "incidents/backtesting/compare.py",
    "incidents/backtesting/thresholds.py",
    "incidents/notifying/message.py",
    "incidents/runbooks/plan.py",
    "incidents/runbooks/transitions.py",
]
IMPURE = {"django", "celery", "asyncssh", "psycopg", "plotly"}


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, in full."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def files(pattern: str) -> list[Path]:
    return sorted(path for path in ROOT.glob(pattern) if "management" not in path.parts)


@pytest.mark.parametrize("pattern", PURE)
def test_pure_code_imports_nothing_impure(pattern: str) -> None:
    for path in files(pattern):
        assert not IMPURE & {name.split(".")[0] for name in imported(path)}, path


def test_the_host_program_imports_only_the_standard_library_and_itself() -> None:
    found = files("fleet/hostkit/**/*.py")
    assert found
    for path in found:
        for name in imported(path):
            assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("fleet.hostkit"), f"{path}: {name}"


def test_no_app_imports_config() -> None:
    for path in [*files("fleet/**/*.py"), *files("incidents/**/*.py")]:
        assert not any(name.split(".")[0] == "config" for name in imported(path)), path
