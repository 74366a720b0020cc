"""The account that Faultline logs in as on a real host: the host program is all it can run."""

import json
import subprocess
from pathlib import Path

import pytest

from fleet.lab.real.account import ACCOUNT, write_etc
from fleet.lab.real.host import RealHost
from fleet.lab.real.lab import RealLab
from tests.lab.hosts import ssh

pytestmark = [pytest.mark.real_lab, pytest.mark.timeout(300)]
FACTS = '{"verb":"facts","id":1}\n'


def as_account(host: RealHost, argv: list[str]) -> subprocess.CompletedProcess[str]:
    """`argv` on a host as somebody who got hold of the account would run it."""
    whole = host.inside(["setpriv", "--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups", *argv])
    return subprocess.run(whole, input=FACTS, capture_output=True, text=True, timeout=30, check=False)


def test_a_login_is_the_host_program_and_nothing_else(lab: RealLab) -> None:
    host = lab.real_hosts["host-02"]
    assert {each.user for each in lab.hosts} == {ACCOUNT} != {"root"}
    _any_command_is_the_host_program(lab)
    _no_terminal_and_no_forwarding(lab)
    _nobody_else_logs_in(lab)
    _sudo_has_one_rule(host)
    _nothing_of_it_can_be_changed(host)
    _this_machine_knows_nothing_of_it()


def _any_command_is_the_host_program(lab: RealLab) -> None:
    for words in [(), ("cat", "/etc/shadow"), ("exec", "sh"), ("sudo", "-n", "id")]:
        done = ssh(lab, "host-02", FACTS, *words)
        facts = json.loads(done.stdout)
        assert (facts["id"], facts["result"]["host"]) == (1, "host-02")
        assert facts["result"]["attributes"]["tools"] == "1.9"
        assert done.stderr == ""
    assert "subsystem request failed" in ssh(lab, "host-02", FACTS, "sftp", options=["-T", "-s"]).stderr


def _no_terminal_and_no_forwarding(lab: RealLab) -> None:
    assert "PTY allocation request failed" in ssh(lab, "host-02", FACTS, options=["-tt"]).stderr
    there = next(host.address for host in lab.hosts if host.name == "host-01")
    refused = ssh(lab, "host-02", "", options=["-T", "-W", f"{there}:22"])
    assert (refused.returncode, refused.stdout) == (255, "")
    assert "administratively prohibited" in refused.stderr
    back = ssh(lab, "host-02", FACTS, options=["-T", "-R", "0:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"])
    assert (back.returncode, back.stdout) == (255, "")


def _nobody_else_logs_in(lab: RealLab) -> None:
    for user in ("root", "nobody"):
        done = ssh(lab, "host-02", FACTS, user=user)
        assert (done.returncode, done.stdout) == (255, "")
        assert "Permission denied" in done.stderr


def _sudo_has_one_rule(host: RealHost) -> None:
    _, _, rules = as_account(host, ["sudo", "-n", "-l"]).stdout.partition("may run the following commands")
    assert [line.strip() for line in rules.splitlines()[1:] if line] == [f"(root) NOPASSWD: {' '.join(host.program)}"]
    assert json.loads(as_account(host, ["sudo", "-n", *host.program]).stdout)["result"]["host"] == host.name
    for argv in (["id"], ["-u", ACCOUNT, "id"], [*host.program[:-1], "/"], [*host.program, "--version"], ["-s"]):
        refused = as_account(host, ["sudo", "-n", *argv])
        assert (refused.returncode, refused.stdout) == (1, ""), argv


def _nothing_of_it_can_be_changed(host: RealHost) -> None:
    own = [host.folder / "dynohost", host.root, Path("/etc/sudoers"), Path("/etc/ssh/authorized_keys")]
    for path in [*own, Path("/etc/ssh"), Path("/etc/passwd")]:
        assert as_account(host, ["test", "-w", str(path)]).returncode == 1, path
    for secret in ("/etc/shadow", "/etc/ssh/host_key"):
        assert as_account(host, ["cat", secret]).stdout == ""


def _this_machine_knows_nothing_of_it() -> None:
    assert f"\n{ACCOUNT}:" not in Path("/etc/passwd").read_text()
    assert ACCOUNT not in Path("/proc/self/mountinfo").read_text()


def test_the_rule_takes_odd_paths_as_they_are(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    write_etc(etc, address="10.0.0.1", program=["/opt/a b/run", "--root", "/x:y,z=1*"], client_key="ssh-ed25519 AAAA")
    rule = (etc / "sudoers").read_text().splitlines()[-1]
    assert rule.endswith(r"/opt/a\ b/run --root /x\:y\,z\=1\*")
    subprocess.run(["visudo", "-c", "-q", "-f", str(etc / "sudoers")], check=True, capture_output=True)
    modes = {name: (etc / name).stat().st_mode & 0o777 for name in ("sudoers", "shadow", "passwd", "ssh")}
    assert modes == {"sudoers": 0o440, "shadow": 0o600, "passwd": 0o644, "ssh": 0o755}
    assert "exec sudo -n '/opt/a b/run' --root" in (etc / "ssh" / "authorized_keys").read_text()
