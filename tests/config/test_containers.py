"""The compose file: it cannot be run here, but what it says can be held against the code."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from kombu.utils.url import parse_url

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = sorted(name for name, service in SERVICES.items() if "build" in service)
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def help_of(command: list[str]) -> list[str]:
    """The same program and sub-command, asked for its help."""
    words = {"celery": 4, "python": 3, "uvicorn": 1}[command[0]]
    return [*command[:words], "--help"]


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The programs of this Python first, as in the image."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize("name", OWN)
def test_the_commands_exist_and_know_their_options(name: str, environment: dict[str, str]) -> None:
    command = SERVICES[name]["command"]
    asked = subprocess.run(help_of(command), env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    for option in (word for word in command if word.startswith("--") and word != "--app"):
        assert re.search(rf"(?<![\w-]){option}(?![\w-])|{option.replace('--no-', '--.*/--no-')}", asked.stdout), option


def test_the_image_runs_what_the_compose_file_runs() -> None:
    command = re.search(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    assert command
    assert yaml.safe_load(command[1]) == SERVICES["web"]["command"]


def test_the_image_is_not_root_and_holds_only_locked_packages() -> None:
    assert re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE) == ["10001"]
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert installs
    assert all("--require-hashes" in line for line in installs)


def test_only_the_acting_worker_holds_the_key() -> None:
    assert [name for name, service in SERVICES.items() if "ssh_key" in str(service)] == ["acting"]
    assert "acting" in SERVICES["acting"]["command"]
    assert SERVICES["worker"]["command"][SERVICES["worker"]["command"].index("--queues") + 1] == "default"


def test_every_secret_comes_from_a_file_and_none_has_a_default() -> None:
    used = {entry if isinstance(entry, str) else entry["source"] for s in SERVICES.values() for entry in s["secrets"]}
    assert used == set(COMPOSE["secrets"])
    assert all(secret["file"].startswith("secrets/") for secret in COMPOSE["secrets"].values())
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert not re.search(r"PASS|SECRET|_URL|TOKEN|KEY", name) or name.endswith("_FILE"), name


def test_everything_is_watched_and_waits_for_what_it_needs() -> None:
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == {"migrate"}
    for name in set(OWN) - {"migrate"}:
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_the_image_gets_every_folder_that_python_needs() -> None:
    copied = set(re.findall(r"^COPY (\w+) \./", DOCKERFILE, re.MULTILINE))
    assert {"config", "fleet", "incidents", "templates", "static"} <= copied
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert copied <= allowed


def test_secrets_are_made_once_and_fit_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    make = ["sh", str(ROOT / "config/launch/secrets.sh"), str(folder)]
    folder.mkdir()
    (folder / "ssh_key").write_text("given\n")
    subprocess.run(make, check=True)
    first = {path.name: path.read_text() for path in folder.iterdir()}
    subprocess.run(make, check=True)
    assert {path.name: path.read_text() for path in folder.iterdir()} == first
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= set(first)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert first["database_password"] in first["database_url"]
    broker = parse_url(first["broker_url"])
    assert f"default_pass = {broker['password']}\n" in first["broker_settings"]
    assert broker["hostname"] in SERVICES
    assert len({first["secret_key"], first["database_password"], first["broker_password"]}) == 3
