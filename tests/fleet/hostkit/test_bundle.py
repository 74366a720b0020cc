import ast
import hashlib
import subprocess
import sys
from pathlib import Path

from fleet.hostkit import bundle


def test_the_file_is_the_same_each_time_and_runs_alone(tmp_path: Path) -> None:
    digest = bundle.write(tmp_path / "dynohost")
    assert bundle.build() == bundle.build()
    assert digest == "sha256:" + hashlib.sha256((tmp_path / "dynohost").read_bytes()).hexdigest()
    argv = [sys.executable, "-I", "-S", str(tmp_path / "dynohost"), "--root", str(tmp_path / "root")]
    done = subprocess.run(argv, input=b'{"verb":"facts"}\n', capture_output=True, cwd="/", check=True, timeout=30)
    assert f'"digest":"{digest}"'.encode() in done.stdout
    assert done.stderr == b""


def test_every_part_is_in_it() -> None:
    here = {path.stem for path in Path(bundle.__file__).parent.glob("*.py")}
    assert here - {"__init__", "bundle"} == set(bundle.PARTS)


def test_python_3_8_can_read_it() -> None:
    for part in bundle.PARTS:
        ast.parse((Path(bundle.__file__).parent / f"{part}.py").read_text(), feature_version=(3, 8))


def test_it_imports_nothing_of_faultline_or_others() -> None:
    for part in bundle.PARTS:
        source = (Path(bundle.__file__).parent / f"{part}.py").read_text()
        names = [line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))]
        assert {name for name in names if name} <= sys.stdlib_module_names, part
