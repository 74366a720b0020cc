"""What import-linter cannot say of modules that are still to come: it wants every one by name."""

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PURE = [
    "fleet/ingest/formats/**/*.py",
    "fleet/runtimes/**/*.py",
    "incidents/correlation/**/*.py",
]
IMPURE = {"django", "celery", "asyncssh", "psycopg", "plotly"}


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file imports, in full; and the names taken from it, which may be modules too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return frozenset(found)


def files(pattern: str) -> list[Path]:
    return sorted(path for path in ROOT.glob(pattern) if "management" not in path.parts)


def sources(module: str) -> list[Path]:
    """The file of a module of ours, none for another."""
    place = ROOT.joinpath(*module.split("."))
    return [path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()]


def reached(path: Path) -> set[str]:
    """Every module that a file imports, and that those of ours import in turn."""
    found: set[str] = set()
    waiting, seen = [path], set[Path]()
    while waiting:
        if (file := waiting.pop()) not in seen:
            seen.add(file)
            names = imported(file) - found
            found |= names
            waiting += [source for name in names for source in sources(name)]
    return found


def says_that_it_is_pure(path: Path) -> bool:
    return (ast.get_docstring(ast.parse(path.read_text())) or "").startswith("PURE")


@pytest.mark.parametrize("pattern", PURE)
def test_pure_code_imports_nothing_impure(pattern: str) -> None:
    for path in files(pattern):
        assert not IMPURE & {name.split(".")[0] for name in reached(path)}, path


def test_what_calls_itself_pure_reaches_nothing_impure() -> None:
    pure = [path for app in ("config", "fleet", "incidents") for path in files(f"{app}/**/*.py")]
    pure = [path for path in pure if says_that_it_is_pure(path)]
    assert {"charts.py", "lifecycle.py", "plan.py", "wording.py"} <= {path.name for path in pure}
    for path in pure:
        assert not IMPURE & {name.split(".")[0] for name in reached(path)}, path


def test_the_host_program_imports_only_the_standard_library_and_itself() -> None:
    found = files("fleet/hostkit/**/*.py")
    assert found
    for path in found:
        for name in imported(path):
            assert name.split(".")[0] in sys.stdlib_module_names or name.startswith("fleet.hostkit"), f"{path}: {name}"


def test_no_app_imports_config() -> None:
    for path in [*files("fleet/**/*.py"), *files("incidents/**/*.py")]:
        assert not any(name.split(".")[0] == "config" for name in imported(path)), path
