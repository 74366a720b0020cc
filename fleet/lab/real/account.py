"""What a host's /etc says of accounts: one for Faultline alone, which may run the host program and nothing else."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

ACCOUNT = "dynohost"
NUMBER = 19999  # below those that dynos run as
PASSWD = f"""\
root:x:0:0:root:/:/bin/sh
sshd:x:100:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
{ACCOUNT}:x:{NUMBER}:{NUMBER}:runs the host program:/:/bin/sh
"""
GROUP = f"root:x:0:\nnogroup:x:65534:\n{ACCOUNT}:x:{NUMBER}:\n"
SHADOW = f"root:*:17000::::::\n{ACCOUNT}:*:17000::::::\n"
# Without a session of its own sudo becomes the program instead of standing between it and the connection.
SUDOERS = """\
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Defaults env_reset, !use_pty, !pam_session, !pam_setcred, !syslog, !mail_always
{account} ALL=(root) NOPASSWD: {program}
"""
SSHD_CONFIG = """\
Port 22
ListenAddress {address}
HostKey /etc/ssh/host_key
PidFile none
AuthorizedKeysFile /etc/ssh/authorized_keys
StrictModes no
UsePAM no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
AllowUsers {account}
ForceCommand {forced}
DisableForwarding yes
PermitTTY no
PermitUserRC no
PrintMotd no
PrintLastLog no
UseDNS no
MaxStartups 200
MaxSessions 32
LogLevel ERROR
"""


def forced_command(program: Sequence[str]) -> str:
    """What every login ends in."""
    return f"exec sudo -n {shlex.join(program)}"


def write_etc(etc: Path, *, address: str, program: Sequence[str], client_key: str) -> None:
    """Lay out the host's own part of /etc, its SSH server's settings included; `program` is an argv."""
    ssh = etc / "ssh"
    ssh.mkdir(parents=True)
    forced = forced_command(program)
    sudoers = SUDOERS.format(account=ACCOUNT, program=" ".join(map(_for_sudoers, program)))
    _write(etc / "passwd", PASSWD, 0o644)
    _write(etc / "group", GROUP, 0o644)
    _write(etc / "shadow", SHADOW, 0o600)
    _write(etc / "sudoers", sudoers, 0o440)
    _write(ssh / "authorized_keys", f'restrict,command="{forced}" {client_key}\n', 0o644)
    _write(ssh / "sshd_config", SSHD_CONFIG.format(address=address, account=ACCOUNT, forced=forced), 0o600)
    ssh.chmod(0o755)


def _for_sudoers(word: str) -> str:
    """Taken as it is: no wildcard, no separator."""
    return re.sub(r"([^\w/.@%+-])", r"\\\1", word)


def _write(path: Path, content: str, mode: int) -> None:
    path.write_text(content)
    path.chmod(mode)
