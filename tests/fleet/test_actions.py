"""Actions on hosts: rows, journal, and what the hosts themselves hold."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from fleet.actions import lift_expired_taints, request_operation, taint_hosts, untaint_hosts
from fleet.actor import SYSTEM
from fleet.lifecycle import HostState, OperationState
from fleet.models import Host, Operation, Taint
from fleet.performing import due_operations, perform_operations
from incidents.models import Incident, TimelineEntry

Make = Callable[..., tuple[Any, Any, list[Host]]]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[dict[str, Any]]:
    """What was handed to the journal."""
    entries: list[dict[str, Any]] = []
    monkeypatch.setattr("fleet.journal._journal", lambda _path: lambda **entry: entries.append(entry))
    return entries


def taint(hosts: list[Host], **options: Any) -> list[Operation]:
    return taint_hosts(
        hosts=hosts, reason="bad image", reference="incident:1", actor=SYSTEM, now=timezone.now(), **options
    )


def perform(operations: list[Operation]) -> set[str]:
    perform_operations(operation_ids=[operation.pk for operation in operations])
    return set(
        Operation.objects.filter(pk__in=[operation.pk for operation in operations]).values_list("state", flat=True)
    )


def is_tainted(lab: Any, host: Host) -> bool:
    return bool(lab.host(host.name).machine.facts({})["tainted"])


def test_a_taint_is_row_journal_and_mark_on_the_host(enrolled_lab: Make, told: list[dict[str, Any]]) -> None:
    _, lab, hosts = enrolled_lab()
    operations = taint(hosts[:2])
    assert [entry["reference"] for entry in told] == ["incident:1"]
    assert not is_tainted(lab, hosts[0])
    assert perform(operations) == {OperationState.SUCCEEDED}
    assert [is_tainted(lab, host) for host in hosts] == [True, True, False]
    assert taint(hosts[:2]) == []
    lifted = untaint_hosts(hosts=hosts, proof={"summary": "verified"}, actor=SYSTEM, now=timezone.now())
    assert perform(lifted) == {OperationState.SUCCEEDED}
    assert not any(is_tainted(lab, host) for host in hosts)
    assert set(Host.objects.values_list("state", flat=True)) == {HostState.IN_SERVICE}
    assert [entry["kind"] for entry in told] == ["taint", "untaint"]


def test_an_expired_taint_is_lifted_and_says_that_nobody_checked(
    enrolled_lab: Make, told: list[dict[str, Any]]
) -> None:
    _, _, hosts = enrolled_lab()
    taint(hosts[:1], expires_at=timezone.now() - timedelta(seconds=1))
    assert len(lift_expired_taints(now=timezone.now())) == 1
    assert "nothing was checked" in told[-1]["text"]
    assert Taint.objects.standing().count() == 0
    assert lift_expired_taints(now=timezone.now()) == []


def test_a_host_out_of_reach_is_not_started_and_a_lost_answer_is_found_again(
    enrolled_lab: Make, told: list[dict[str, Any]]
) -> None:
    running, lab, hosts = enrolled_lab()
    first, second = taint(hosts[:2])
    running.do(lab.host(hosts[0].name).refuse())
    faults = lab.host(hosts[1].name).machine.faults
    faults.drop, faults.drop_verb, faults.drops_left = "after", "taint", 1
    perform([first, second])
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == (OperationState.NOT_STARTED, OperationState.UNKNOWN)
    assert is_tainted(lab, hosts[1])
    assert second in due_operations(timezone.now() + timedelta(hours=1))
    assert perform([second]) == {OperationState.SUCCEEDED}


def test_a_taint_lifted_before_it_was_sent_never_reaches_the_host(
    enrolled_lab: Make, told: list[dict[str, Any]]
) -> None:
    _, lab, hosts = enrolled_lab()
    (operation,) = taint(hosts[:1])
    untaint_hosts(hosts=hosts[:1], proof={}, actor=SYSTEM, now=timezone.now())
    assert perform([operation]) == {OperationState.CANCELLED}
    assert not is_tainted(lab, hosts[0])


def test_a_killed_sender_leaves_nothing_running_for_ever(enrolled_lab: Make, told: list[dict[str, Any]]) -> None:
    _, lab, hosts = enrolled_lab()
    (operation,) = taint(hosts[:1])
    Operation.objects.filter(pk=operation.pk).update(
        state=OperationState.RUNNING, attempts=1, lease_until=timezone.now() - timedelta(seconds=1)
    )
    assert operation in due_operations(timezone.now())
    assert perform([operation]) == {OperationState.SUCCEEDED}
    assert is_tainted(lab, hosts[0])


def test_a_name_stands_for_one_request(enrolled_lab: Make) -> None:
    _, _, hosts = enrolled_lab()
    words: dict[str, Any] = {"arguments": {}, "name": "n1", "reference": "", "actor": SYSTEM, "now": timezone.now()}
    once = request_operation(host=hosts[0], verb="protect", **words)
    assert request_operation(host=hosts[0], verb="protect", **words) == once
    with pytest.raises(ValueError, match="n1"):
        request_operation(host=hosts[1], verb="protect", **words)
    assert perform([once]) == {OperationState.SUCCEEDED}


def test_a_refusal_is_kept_with_its_code(enrolled_lab: Make) -> None:
    _, _, hosts = enrolled_lab()
    operation = request_operation(
        host=hosts[0], verb="verify", arguments={"stack": "none", "image": "sha256:" + "0" * 64}, name="v",
        reference="", actor=SYSTEM, now=timezone.now(),
    )  # fmt: skip
    assert perform([operation]) == {OperationState.REJECTED}
    operation.refresh_from_db()
    assert operation.error == "no_image"


def test_the_timeline_gets_the_entry_in_the_same_transaction(enrolled_lab: Make) -> None:
    _, _, hosts = enrolled_lab()
    with pytest.raises(Incident.DoesNotExist):
        taint(hosts[:1])
    assert TimelineEntry.objects.count() == Taint.objects.count() == 0
    assert Host.objects.get(pk=hosts[0].pk).state == HostState.IN_SERVICE
