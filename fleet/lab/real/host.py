"""One real host: its SSH server in namespaces of its own, the host program behind it, its images and dynos."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.hostkit import bundle
from fleet.lab import installer
from fleet.lab.base import LabHost
from fleet.lab.real.account import ACCOUNT, write_etc
from fleet.lab.real.command import CommandFailed, run
from fleet.lab.real.images import Registry
from fleet.lab.real.needs import find

READY_SECONDS = 10.0
HERE = Path(__file__).parent


@dataclass
class RealHost:
    """A host of the lab. `number` gives its address and namespace."""

    name: str
    folder: Path
    namespace: str
    address: str
    attributes: dict[str, str]
    memory_mb: int
    slots: int
    server: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        """Where the host program keeps everything."""
        return self.folder / "root"

    @property
    def program(self) -> list[str]:
        """The argv of the host program."""
        return [_python(), "-I", "-S", str(self.folder / "dynohost"), "--root", str(self.root)]

    @property
    def _host_key(self) -> Path:
        return self.folder / "etc" / "ssh" / "host_key"

    def prepare(self, *, client_key: str, program: Path, environment: dict[str, str]) -> None:
        """Put keys, the host program, its settings and the app there."""
        (self.root / "slugs" / "default").mkdir(parents=True)
        shutil.copy2(program, self.root / "slugs" / "default" / "run")
        settings: dict[str, Any] = {"host": self.name, "attributes": self.attributes, "tools": self.attributes["tools"]}
        settings |= {"memory_mb": self.memory_mb, "slots": self.slots, "dyno_environment": environment}
        (self.root / "host.json").write_text(json.dumps(settings))
        bundle.write(self.folder / "dynohost")
        write_etc(self.folder / "etc", address=self.address, program=self.program, client_key=client_key)
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", str(self._host_key)])

    def start_server(self) -> None:
        """Start its SSH server; everything of the host descends from it or is sent into its namespaces."""
        sshd = find("sshd") or "/usr/sbin/sshd"
        argv = ["nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--mount", "--propagation", "private", "--"]
        argv += [_python(), "-I", "-S", str(HERE / "enter.py"), str(self.folder / "etc")]
        argv += [sshd, "-D", "-e", "-f", "/etc/ssh/sshd_config"]
        with (self.folder / "sshd.log").open("ab") as log:
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
            self.server = subprocess.Popen(argv, start_new_session=True, **streams)

    def wait_until_ready(self) -> None:
        """Until its server listens."""
        until = time.monotonic() + READY_SECONDS
        while not self._listens():
            if time.monotonic() > until or self._server().poll() is not None:
                log = (self.folder / "sshd.log").read_text()[-500:]
                raise CommandFailed(f"the SSH server of {self.name} does not come up: {log}")
            time.sleep(0.03)

    def _listens(self) -> bool:
        table = Path(f"/proc/{self._server().pid}/net/tcp")
        return table.exists() and any(" 00000000:0000 0A" in line for line in table.read_text().splitlines()[1:])

    def _server(self) -> subprocess.Popen[bytes]:
        if self.server is None:
            raise CommandFailed(f"{self.name} is not started")
        return self.server

    def inside(self, argv: Sequence[str]) -> list[str]:
        """`argv` as a process of this host."""
        pid = self._server().pid
        return ["nsenter", f"--net=/proc/{pid}/ns/net", f"--mount=/proc/{pid}/ns/mnt", "--", *argv]

    def ask(self, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answers of the host program to requests that may run side by side, in their order; raises on a refusal."""
        lines = [json.dumps(request | {"id": number}) for number, request in enumerate(requests)]
        output = run(self.inside(self.program), feed="\n".join(lines).encode() + b"\n")
        answers = sorted((json.loads(line) for line in output.splitlines()), key=lambda answer: answer["id"])
        for answer in answers:
            if not answer["ok"]:
                raise CommandFailed(f"{self.name}: {answer['error']}: {answer['message']}")
        return [answer["result"] for answer in answers]

    def image_path(self, stack: str, image: str) -> Path:
        """Where the host keeps an image."""
        return self.root / "images" / stack / f"{image.removeprefix('sha256:')}.img"

    def install(self, registry: Registry, *, stack: str, image: str, tools: str) -> str:
        """Have the installer of version `tools` bring an image here."""
        packed = registry.packed(image, tools)
        return installer.install(tools, target=self.image_path(stack, image), packed=packed)

    def forget_pages(self) -> None:
        """Drop what is cached of this host's images."""
        run(self.inside([_python(), "-I", "-S", str(HERE / "forget.py"), str(self.root / "mounts")]))

    def as_lab_host(self) -> LabHost:
        """How it is enrolled."""
        key = " ".join(self._host_key.with_suffix(".pub").read_text().split()[:2])
        return LabHost(
            name=self.name,
            address=self.address,
            port=22,
            user=ACCOUNT,
            host_key=key,
            attributes=self.attributes,
            memory_mb=self.memory_mb,
            slots=self.slots,
        )


def _python() -> str:
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
