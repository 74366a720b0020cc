"""A real OpenSSH server on the loopback, run by whoever runs the tests, with keys and settings of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from fleet.ssh import Endpoint, generate_key, write_key

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
SETTINGS = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
HostCertificate {folder}/host_key-cert.pub
TrustedUserCAKeys {folder}/authority.pub
AuthorizedKeysFile {folder}/authorized_keys
ForceCommand {python} {program}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 200
PidFile none
SetEnv HOME=/nonexistent
"""


@dataclass(frozen=True)
class Server:
    """The running server: where it is and the key to log in with."""

    endpoint: Endpoint
    client_key: Path
    authority: Path  # signs hosts and users
    process: subprocess.Popen[bytes]

    def with_host_key(self, line: str) -> Endpoint:
        return replace(self.endpoint, host_key=line)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def certify(authority: Path, key: Path, *words: str) -> None:
    subprocess.run(["ssh-keygen", "-q", "-s", authority, "-I", "test", *words, f"{key}.pub"], check=True)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if SSHD is None:
        pytest.skip("there is no sshd here: apt-get install openssh-server")
    me = pwd.getpwuid(os.geteuid())
    if me.pw_shell.endswith(("/nologin", "/false")):
        pytest.skip(f"sshd lets {me.pw_name} run nothing, whose shell is {me.pw_shell}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd as root insists on it
    folder, port = tmp_path_factory.mktemp("sshd"), free_port()
    host, client = generate_key("host"), generate_key("client")
    write_key(folder / "host_key", host)
    write_key(folder / "client_key", client)
    write_key(folder / "authority", generate_key("authority"))
    certify(folder / "authority", folder / "host_key", "-h", "-n", "h1")
    (folder / "authorized_keys").write_text(client.public + "\n")
    program = Path(__file__).with_name("program.py")
    settings = SETTINGS.format(port=port, folder=folder, python=sys.executable, program=program)
    (folder / "sshd_config").write_text(settings)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        wait_for(port, process, folder / "log")
        endpoint = Endpoint("h1", "127.0.0.1", port, me.pw_name, host.public)
        yield Server(endpoint, folder / "client_key", folder / "authority", process)
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.fail(f"sshd ended: {log.read_text()}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"sshd did not come up: {log.read_text()}")
