"""The way to a host: with the key, and only to the host program that was put there."""

from pathlib import Path
from typing import Any

import pytest

from fleet.hostkit import bundle
from fleet.lab.running import RunningLab
from fleet.lab.simulated import demo_fleet
from fleet.reach import reach_hosts
from fleet.ssh import Endpoint, NotStarted, Pool


def facts_of_the_first(folder: Path, settings: Any, digests: list[str]) -> dict[str, Any]:
    lab = demo_fleet(1, folder=folder)
    with RunningLab(lab):
        settings.SSH_KEY_FILE, settings.HOST_PROGRAM_DIGESTS = lab.client_key, digests
        host = lab.hosts[0]
        where = Endpoint(host.name, host.address, host.port, host.user, host.host_key)

        async def ask(pool: Pool) -> dict[str, Any]:
            return await pool.call(where, verb="facts")

        return reach_hosts(ask)


def test_only_the_host_program_of_this_release_is_spoken_to_unless_others_are_named(
    tmp_path: Path, settings: Any
) -> None:
    digest = facts_of_the_first(tmp_path / "own", settings, [])["digest"]
    assert digest == bundle.digest()
    assert facts_of_the_first(tmp_path / "right", settings, ["sha256:0", digest])["digest"] == digest
    with pytest.raises(NotStarted, match="not the one put there"):
        facts_of_the_first(tmp_path / "wrong", settings, ["sha256:0"])


def test_without_a_key_nothing_is_begun(settings: Any) -> None:
    async def never(pool: Pool) -> None:
        raise AssertionError("not without a key")

    settings.SSH_KEY_FILE = None
    with pytest.raises(NotStarted, match="has no SSH key"):
        reach_hosts(never)
