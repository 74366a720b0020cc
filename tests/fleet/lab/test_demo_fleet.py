"""The demo's fleet: of the right make-up, the same for one seed, and reached over SSH."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fleet.lab.simulated import STACK, SimulatedLab, demo_fleet
from fleet.ssh import Endpoint, Pool, run_with_pool


def shape(lab: SimulatedLab) -> list[Any]:
    machines = [lab.host(name).machine for name in sorted(lab._hosts)]
    return [(m.name, m.attributes, sorted(m.placed.here), sorted(m.files.files)) for m in machines]


def test_the_make_up(tmp_path: Path) -> None:
    hosts = shape(demo_fleet(7, folder=tmp_path))
    assert 14 <= len(hosts) <= 16
    groups = Counter((attributes["tools"], attributes["provisioned"] == "fresh") for _, attributes, _, _ in hosts)
    assert groups == {("1.9", False): 4, ("2.0", False): 5, ("2.0", True): 6}
    dynos = [dyno for _, _, here, _ in hosts for dyno in here]
    assert len(dynos) == len(set(dynos)) == 102
    assert len({dyno.split(".")[0] for dyno in dynos}) == 25
    room = sum(16 - len(here) for _, attributes, here, _ in hosts if attributes["provisioned"] == "fresh")
    assert room >= 60


def test_no_attribute_but_tools_tells_the_old_hosts_from_the_others(tmp_path: Path) -> None:
    for seed in range(20):
        hosts = [attributes for _, attributes, _, _ in shape(demo_fleet(seed, folder=tmp_path))]
        for name in ("zone", "kernel", "provisioned"):
            old = {host[name] for host in hosts if host["tools"] == "1.9"}
            others = {host[name] for host in hosts if host["tools"] != "1.9"}
            assert len(old) > 1
            assert old & others, (seed, name)


def test_the_same_seed_is_the_same_fleet(tmp_path: Path) -> None:
    assert shape(demo_fleet(7, folder=tmp_path)) == shape(demo_fleet(7, folder=tmp_path))
    assert shape(demo_fleet(7, folder=tmp_path)) != shape(demo_fleet(8, folder=tmp_path))


@pytest.mark.parametrize("seed", [1, 7])
def test_a_redeploy_over_the_fleet_damages_the_hosts_of_old_tools_alone(tmp_path: Path, seed: int) -> None:
    async def work(pool: Pool) -> tuple[dict[str, set[str]], list[str]]:
        await lab.start()
        outcomes: dict[str, set[str]] = {"1.9": set(), "2.0": set()}
        try:
            deployed = [host for host in lab.hosts if host.attributes["provisioned"] != "fresh"]
            for host in deployed:
                outcome = await lab.install(host.name, stack=STACK, image=lab.images["original"], tools="2.0")
                outcomes[host.attributes["tools"]].add(outcome)
            damaged = []
            for host in deployed:
                where = Endpoint(host.name, host.address, host.port, host.user, host.host_key)
                arguments = {"stack": STACK, "image": lab.images["original"]}
                found = await pool.call(where, verb="verify", arguments=arguments)
                damaged += [host.attributes["tools"]] * found["damaged"]
            return outcomes, damaged
        finally:
            await lab.stop()

    lab = demo_fleet(seed, folder=tmp_path)
    outcomes, damaged = run_with_pool(work, client_keys=[lab.client_key])
    assert outcomes == {"1.9": {"installed"}, "2.0": {"skipped", "installed"}}
    assert damaged == ["1.9"] * 4


def test_the_client_key_is_its_owners_alone(tmp_path: Path) -> None:
    assert demo_fleet(1, folder=tmp_path / "new").client_key.stat().st_mode & 0o077 == 0
