"""What the tests of the real lab ask its hosts."""

import asyncio
import contextlib
import itertools
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from fleet.hostkit.dynohost import Json
from fleet.lab.real.host import RealHost
from fleet.lab.real.lab import RealLab

_numbers = itertools.count()


def ask(host: RealHost, verb: str, **arguments: Any) -> Json:
    """One request to the host program, from inside its host; raises on a refusal."""
    request = {"verb": verb, "operation": f"test-{next(_numbers)}", "fence": 1, **arguments}
    return host.ask([request])[0]


def crashes(host: RealHost) -> list[Json]:
    """All crashes of a host so far."""
    found: list[Json] = ask(host, "crashes", cursor=None)["crashes"]
    return found


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Whether it comes true in that time."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def redeploy(lab: RealLab, tools: str) -> dict[str, str]:
    """What the standard abort procedure does: the original everywhere; then pages are read anew."""
    outcomes = {}
    for name in lab.real_hosts:
        installing = lab.install(name, stack="cedar-14", image=lab.images["original"], tools=tools)
        outcomes[name] = asyncio.run(installing)
        asyncio.run(lab.drop_caches(name))
    return outcomes


def ssh(
    lab: RealLab, name: str, line: str, *more: str, options: Sequence[str] = (), user: str = ""
) -> subprocess.CompletedProcess[str]:
    """A plain OpenSSH client into a host, its key pinned."""
    host = next(host for host in lab.hosts if host.name == name)
    known = lab.folder / "known_hosts"
    known.write_text(f"{host.address} {host.host_key}\n")
    argv = [
        "ssh",
        "-F",
        "none",
        *(options or ["-T"]),
        "-i",
        str(lab.client_key),
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "BatchMode=yes",
    ]
    argv += ["-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes"]
    argv.append(f"{user or host.user}@{host.address}")
    with contextlib.suppress(FileNotFoundError):
        return subprocess.run([*argv, *more], input=line, capture_output=True, text=True, timeout=30, check=False)
    raise AssertionError("no ssh client")


@contextlib.contextmanager
def loop_device(image: Path) -> Iterator[Path]:
    """A loop device of our own on a file."""
    done = subprocess.run(["losetup", "-f", "--show", image], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PermissionError(done.stderr)
    device = done.stdout.strip()
    try:
        yield Path(device)
    finally:
        subprocess.run(["losetup", "-d", device], check=True)


def image_of(lab: RealLab, host: RealHost) -> Path:
    """The file of the original on a host."""
    return host.image_path("cedar-14", lab.images["original"])
