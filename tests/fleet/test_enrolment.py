"""Hosts join, come back, and never change their key unseen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.actor import Actor
from fleet.enrolment import KeyChanged, enrol_host
from fleet.lifecycle import HostState
from fleet.models import Host

NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
ANNA = Actor("person", "anna")
KEY, OTHER = "ssh-ed25519 AAAA1", "ssh-ed25519 AAAA2"
pytestmark = pytest.mark.django_db


def enrol(key: str = KEY, *, later: float = 0, **facts: Any) -> Host:
    return enrol_host(
        name="h1", address="127.0.0.1", port=2222, ssh_user="dynohost", host_key=key, actor=ANNA,
        now=NOW + timedelta(hours=later), **facts,
    )  # fmt: skip


def test_a_new_host_is_in_service_with_its_facts() -> None:
    host = enrol(attributes={"zone": "a"}, memory_mb=512, slots=4, provisioned_at=NOW)
    assert (host.state, host.added_at, host.host_key) == (HostState.IN_SERVICE, NOW, KEY)
    assert (host.address, host.port, host.ssh_user) == ("127.0.0.1", 2222, "dynohost")
    assert (host.attributes, host.memory_mb, host.slots, host.provisioned_at) == ({"zone": "a"}, 512, 4, NOW)


def test_enrolling_again_brings_facts_up_to_date_and_keeps_the_rest() -> None:
    enrol(attributes={"zone": "a"}, slots=4)
    host = enrol(later=1, slots=6)
    assert (Host.objects.count(), host.added_at, host.slots, host.attributes) == (1, NOW, 6, {"zone": "a"})


def test_another_key_is_refused_by_name_and_changes_nothing() -> None:
    enrol(slots=4)
    with pytest.raises(KeyChanged, match="h1 is enrolled with another host key; anna must retire it"):
        enrol(OTHER, slots=6)
    host = Host.objects.get()
    assert (host.host_key, host.slots) == (KEY, 4)


@pytest.mark.parametrize(
    ("pinned", "told"),
    [
        (KEY, f"{KEY} root@h1"), (f"{KEY} root@h1", KEY), (f"{KEY} root@old-name", f"{KEY}  root@new-name\n"),
        (f"@cert-authority {KEY} ours", f"@cert-authority {KEY}"),
    ],
)  # fmt: skip
def test_a_key_with_another_comment_is_the_same_key(pinned: str, told: str) -> None:
    enrol(pinned)
    assert enrol(told, slots=6).slots == 6


@pytest.mark.parametrize(
    ("pinned", "told"),
    [
        (f"{KEY} root@h1", f"{OTHER} root@h1"), (KEY, "ssh-rsa AAAA1"), (KEY, ""),
        (KEY, f"@cert-authority {KEY}"), (f"@cert-authority {KEY}", f"@cert-authority {OTHER}"),
    ],
)  # fmt: skip
def test_the_same_comment_makes_no_other_key_the_same(pinned: str, told: str) -> None:
    enrol(pinned)
    with pytest.raises(KeyChanged):
        enrol(told)
    assert Host.objects.get().host_key == pinned


def test_a_retired_host_comes_back_with_a_new_key() -> None:
    enrol()
    Host.objects.update(state=HostState.RETIRED)
    host = enrol(OTHER)
    assert (host.host_key, host.state) == (OTHER, HostState.IN_SERVICE)


@pytest.mark.parametrize("state", [HostState.UNKNOWN, HostState.ENROLLING])
def test_a_host_that_was_only_heard_of_comes_into_service(state: HostState) -> None:
    Host.objects.create(name="h1", state=state, added_at=NOW)
    assert enrol(later=1).state == HostState.IN_SERVICE
    assert Host.objects.get().added_at == NOW


@pytest.mark.parametrize("state", [HostState.TAINTED, HostState.DRAINING, HostState.DRAINED])
def test_no_taint_is_lifted_by_enrolling_again(state: HostState) -> None:
    enrol()
    Host.objects.update(state=state)
    assert enrol(later=1).state == state
