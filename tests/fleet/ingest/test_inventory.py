"""The inventories of hosts and dynos."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.actor import SYSTEM
from fleet.ingest.dynos import MAX_DYNOS, put_dynos, store_dynos
from fleet.ingest.dynos import READER as DYNO_READER
from fleet.ingest.inventory import READER as HOST_READER
from fleet.ingest.inventory import put_hosts, store_hosts
from fleet.ingest.receipts import InventoryReceipt
from fleet.lifecycle import DynoState, HostState
from fleet.models import Dyno, Host, Migration, Move

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEm9Jm0bXUc0lm3UvAcXr9yS0bVQm3Iq1d3m0b0bXUc0"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAm9Jm0bXUc0lm3UvAcXr9yS0bVQm3Iq1d3m0b0bXUc0"
pytestmark = pytest.mark.django_db


def hosts(*records: dict[str, Any]) -> InventoryReceipt:
    return put_hosts(records=records, now=NOW, actor=SYSTEM)


def dynos(*records: dict[str, Any], now: datetime = NOW) -> InventoryReceipt:
    return put_dynos(records=records, now=now, actor=SYSTEM)


def count(app: str = "a") -> dict[str, Any]:
    return {"type": "dyno", "host": "h1", "app": app, "stack": "cedar-14"}


def placed() -> set[str]:
    return set(Dyno.objects.placed().values_list("name", flat=True))


def test_hosts_are_made_then_changed_and_what_is_not_said_stays() -> None:
    first = {"type": "host", "host": "h1", "attributes": {"zone": "b", "old": True, "cpus": 8}, "address": "10.0.0.1"}
    assert hosts(first, {"host": "h2"}) == InventoryReceipt(created=2)
    assert hosts({"host": "h1", "memory_mb": 512, "slots": 4, "port": 2222}) == InventoryReceipt(updated=1)
    host = Host.objects.get(name="h1")
    assert host.attributes == {"zone": "b", "old": "true", "cpus": "8"}
    assert (host.address, host.memory_mb, host.slots, host.port) == ("10.0.0.1", 512, 4, 2222)
    assert (host.state, host.added_at, host.ssh_user) == (HostState.IN_SERVICE, NOW, "faultline")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_could_not_be_read_back_is_rejected(at: str) -> None:
    body = json.dumps({"host": "h1", "app": "a", "dyno": "a.1", "provisioned_at": at, "started_at": at}).encode()
    host_batch, dyno_batch = HOST_READER.read(body), DYNO_READER.read(body)
    assert "provisioned_at lies outside" in store_hosts(batch=host_batch, now=NOW, actor=SYSTEM).rejected[0].error
    assert "started_at lies outside" in store_dynos(batch=dyno_batch, now=NOW, actor=SYSTEM).rejected[0].error
    assert not Host.objects.exists()


def test_a_pinned_key_is_never_replaced_silently() -> None:
    hosts({"host": "h1", "host_key": KEY + " first comment"})
    assert hosts({"host": "h1", "host_key": KEY + " other comment"}) == InventoryReceipt(updated=1)
    receipt = hosts({"host": "h1", "host_key": OTHER, "address": "10.6.6.6"}, {"host": "h2", "host_key": OTHER})
    assert (receipt.created, receipt.updated, [one.line for one in receipt.rejected]) == (1, 0, [1])
    assert "pinned" in receipt.rejected[0].error
    host = Host.objects.get(name="h1")
    assert (host.host_key, host.address) == (KEY + " other comment", "")


def test_within_one_batch_neither() -> None:
    receipt = hosts({"host": "h1", "host_key": KEY}, {"host": "h1", "host_key": OTHER})
    assert (receipt.created, len(receipt.rejected)) == (1, 1)
    assert Host.objects.get(name="h1").host_key == KEY


def test_a_host_rebuilt_on_purpose_is_retired_then_enrolled_anew() -> None:
    hosts({"host": "h1", "host_key": KEY})
    hosts({"host": "h1", "state": "retired"})
    assert hosts({"host": "h1", "host_key": OTHER}).rejected
    assert hosts({"host": "h1", "host_key": OTHER, "state": "enrolling"}).updated == 1
    assert Host.objects.get(name="h1").host_key == OTHER


@pytest.mark.parametrize(
    "key",
    ["", "ssh-ed25519", "ssh-ed25519 %%%", KEY + "\n" + OTHER, "x AAAA\nB", "ssh-ed25519 AAAA",
     "ssh-ed25519 ", "ü AAAA",
     KEY.replace("ssh-ed25519", "ssh-rsa")],
)  # fmt: skip
def test_what_is_no_key_is_refused_and_makes_no_host(key: str) -> None:
    assert [one.line for one in hosts({"host": "h1", "host_key": key}).rejected] == [1]
    assert not Host.objects.filter(name="h1").exists()


@pytest.mark.parametrize("state", [HostState.TAINTED, HostState.DRAINING, HostState.DRAINED])
def test_an_inventory_lifts_no_taint(state: HostState) -> None:
    Host.objects.create(name="h1", state=state, added_at=NOW)
    assert hosts({"host": "h1", "state": "in_service", "slots": 3}) == InventoryReceipt(updated=1)
    assert (Host.objects.get(name="h1").state, Host.objects.get(name="h1").slots) == (state, 3)


def test_states_go_by_the_lifecycle() -> None:
    Host.objects.create(name="draining", state=HostState.DRAINING, added_at=NOW)
    Host.objects.create(name="stranger", state=HostState.UNKNOWN, added_at=NOW)
    receipt = hosts({"host": "draining", "state": "retired"}, {"host": "stranger"}, {"host": "x", "state": "tainted"})
    assert [one.line for one in receipt.rejected] == [1, 3]
    assert "cannot become retired" in receipt.rejected[0].error
    assert Host.objects.get(name="stranger").state == HostState.IN_SERVICE
    assert not Host.objects.filter(name="x").exists()


@pytest.mark.parametrize(
    "record",
    [{}, {"host": 5}, {"host": ""}, {"host": "h", "port": 0}, {"host": "h", "slots": -1},
     {"host": "h", "attributes": []},
     {"host": "h", "attributes": {"zone": None}}, {"host": "h", "attributes": {"a": "\0"}}, {"host": "x" * 254}],
)  # fmt: skip
def test_bad_records_are_told_and_the_others_count(record: dict[str, Any]) -> None:
    receipt = hosts(record, {"host": "good"})
    assert (receipt.created, [one.line for one in receipt.rejected]) == (1, [1])


def test_counted_dynos_become_rows_and_follow_the_count() -> None:
    assert dynos({**count(), "count": 3}) == InventoryReceipt(created=1)
    assert placed() == {"a.h1.1", "a.h1.2", "a.h1.3"}
    assert dynos({**count(), "count": 1}, {**count("b"), "count": 1}) == InventoryReceipt(created=1, updated=1)
    assert placed() == {"a.h1.1", "b.h1.1"}
    assert dynos({**count(), "count": 2}, {**count("b"), "count": 0}).updated == 2
    assert placed() == {"a.h1.1", "a.h1.2"}
    assert Host.objects.get(name="h1").state == HostState.UNKNOWN


def test_named_dynos_keep_what_is_not_said() -> None:
    first = {**count(), "dyno": "web.1", "image": "sha256:1", "memory_mb": 64, "state": "starting"}
    assert dynos(first) == InventoryReceipt(created=1)
    assert dynos({"host": "h2", "app": "a", "dyno": "web.1", "state": "running"}) == InventoryReceipt(updated=1)
    dyno = Dyno.objects.select_related("host", "image", "stack").get(name="web.1")
    assert dyno.image
    assert dyno.stack
    assert (dyno.host.name, dyno.image.digest, dyno.stack.name, dyno.memory_mb) == ("h2", "sha256:1", "cedar-14", 64)
    assert (dyno.state, dyno.counted) == (DynoState.RUNNING, False)


def test_only_a_change_of_state_counts_as_one() -> None:
    dynos({**count(), "dyno": "web.1", "state": "crashed"})
    dynos({**count(), "dyno": "web.1"}, now=NOW + timedelta(hours=1))
    dyno = Dyno.objects.get(name="web.1")
    assert (dyno.state, dyno.changed_at) == (DynoState.CRASHED, NOW)


def test_a_dyno_under_way_is_left_to_its_move() -> None:
    dynos({**count(), "dyno": "web.1"}, {"host": "h2", "app": "a", "dyno": "web.2"})
    dyno, target = Dyno.objects.get(name="web.1"), Host.objects.get(name="h2")
    migration = Migration.objects.create(actor="x", created_at=NOW)
    Move.objects.create(migration=migration, dyno=dyno, source=dyno.host, target=target, position=1)
    receipt = dynos({"host": "h3", "app": "a", "dyno": "web.1"}, {"host": "h3", "app": "a", "dyno": "web.2"})
    assert (receipt.updated, [one.line for one in receipt.rejected]) == (1, [1])
    assert "moved" in receipt.rejected[0].error
    assert Dyno.objects.get(name="web.1").host.name == "h1"


@pytest.mark.parametrize(
    "record",
    [{"host": "h1"}, {**count(), "count": -1}, {**count(), "count": 10_001}, {**count(), "count": 1, "dyno": "x"},
     {"host": "h1", "app": "a", "dyno": "x", "image": "sha256:1"}, {**count(), "state": "dancing"},
     {"host": "h" * 250, "app": "a" * 150, "count": 1}, {**count(), "dyno": "\0"}],
)  # fmt: skip
def test_bad_dynos_are_told_and_the_others_count(record: dict[str, Any]) -> None:
    receipt = dynos(record, {**count("good"), "count": 1})
    assert (receipt.created, [one.line for one in receipt.rejected]) == (1, [1])


def test_a_key_is_the_same_however_it_is_spaced() -> None:
    hosts({"host": "h1", "host_key": KEY})
    assert hosts({"host": "h1", "host_key": f"  {KEY.replace(' ', '   ')}  a comment  "}) == InventoryReceipt(updated=1)


def test_a_host_told_of_twice_is_made_once() -> None:
    assert hosts({"host": "h1", "slots": 1}, {"host": "h1", "slots": 2}) == InventoryReceipt(created=1, updated=1)
    assert Host.objects.get(name="h1").slots == 2


def test_a_host_that_is_refused_and_then_told_rightly_is_made() -> None:
    receipt = hosts({"host": "h1", "host_key": "nonsense"}, {"host": "h1", "slots": 2})
    assert (receipt.created, receipt.updated, [one.line for one in receipt.rejected]) == (1, 0, [1])
    assert (Host.objects.get(name="h1").slots, Host.objects.get(name="h1").host_key) == (2, "")


def test_a_refused_record_changes_no_part_of_a_known_host() -> None:
    hosts({"host": "h1", "slots": 4, "attributes": {"zone": "a"}})
    Host.objects.update(state=HostState.RETIRED)
    assert hosts({"host": "h1", "slots": 9, "attributes": {"zone": "b"}, "state": "in_service"}).rejected
    host = Host.objects.get(name="h1")
    assert (host.slots, host.attributes, host.state) == (4, {"zone": "a"}, HostState.RETIRED)


def test_an_empty_batch_changes_nothing() -> None:
    assert hosts() == dynos() == InventoryReceipt()
    assert not Host.objects.exists()


def test_attributes_are_told_whole() -> None:
    hosts({"host": "h1", "attributes": {"zone": "a", "ratio": 0.5, "ok": False}})
    assert Host.objects.get().attributes == {"zone": "a", "ratio": "0.5", "ok": "false"}
    hosts({"host": "h1", "attributes": {"zone": "b"}})
    assert Host.objects.get().attributes == {"zone": "b"}


def test_a_dyno_told_of_twice_is_made_once_and_stands_as_told_last() -> None:
    twice = {**count(), "dyno": "web.1"}
    assert dynos({**twice, "memory_mb": 64}, {**twice, "host": "h2"}) == InventoryReceipt(created=1, updated=1)
    assert (Dyno.objects.get().host.name, Dyno.objects.count()) == ("h2", 1)


def test_a_record_without_name_or_count_is_one_dyno() -> None:
    assert dynos(count()) == dynos({**count("b"), "count": 1}) == InventoryReceipt(created=1)
    assert placed() == {"a.h1.1", "b.h1.1"}


def test_a_batch_of_more_dynos_than_fit_says_so() -> None:
    whole, rest = divmod(MAX_DYNOS, 10_000)
    assert rest == 0
    full = [{**count(f"a{n}"), "count": 10_000, "image": "sha256:1", "stack": None} for n in range(whole)]
    receipt = dynos(*full, {**count("late"), "count": 1}, {**count("one-more")})
    assert [one.line for one in receipt.rejected] == [*range(1, whole + 3)]
    assert [one.error.startswith("More than") for one in receipt.rejected[-2:]] == [True, True]
    assert receipt.created == 0


def test_a_counted_dyno_that_comes_back_runs_again() -> None:
    dynos({**count(), "count": 2})
    dynos({**count(), "count": 0}, now=NOW + timedelta(minutes=1))
    assert placed() == set()
    assert dynos({**count(), "count": 1}, now=NOW + timedelta(minutes=2)) == InventoryReceipt(updated=1)
    assert placed() == {"a.h1.1"}
    assert Dyno.objects.get(name="a.h1.1").changed_at == NOW + timedelta(minutes=2)


def test_a_count_leaves_named_dynos_and_other_hosts_alone() -> None:
    dynos({**count(), "dyno": "web.1"}, {**count(), "host": "h2", "count": 2}, {**count("b"), "count": 2})
    dynos({**count(), "count": 0})
    assert placed() == {"web.1", "a.h2.1", "a.h2.2", "b.h1.1", "b.h1.2"}


def test_another_stack_forgets_the_image_of_the_one_before() -> None:
    dynos({**count(), "dyno": "web.1", "image": "sha256:1"})
    dynos({**count(), "dyno": "web.1", "stack": "heroku-16"})
    dyno = Dyno.objects.select_related("stack").get()
    assert dyno.stack
    assert (dyno.stack.name, dyno.image) == ("heroku-16", None)


def test_a_move_that_has_ended_holds_no_dyno() -> None:
    dynos({**count(), "dyno": "web.1"}, {"host": "h2", "app": "a", "dyno": "web.2"})
    dyno, target = Dyno.objects.get(name="web.1"), Host.objects.get(name="h2")
    migration = Migration.objects.create(actor="x", created_at=NOW)
    for place, state in enumerate(["done", "failed", "cancelled"]):
        Move.objects.create(
            migration=migration, dyno=dyno, source=dyno.host, target=target, position=place, state=state
        )
    assert dynos({"host": "h2", "app": "a", "dyno": "web.1"}) == InventoryReceipt(updated=1)


def test_a_count_with_a_dyno_under_way_stops_none_of_its_neighbours() -> None:
    dynos({**count(), "count": 3}, {"host": "h2", "app": "a", "dyno": "web.9"})
    dyno, target = Dyno.objects.get(name="a.h1.1"), Host.objects.get(name="h2")
    migration = Migration.objects.create(actor="x", created_at=NOW)
    Move.objects.create(migration=migration, dyno=dyno, source=dyno.host, target=target, position=1)
    assert [one.line for one in dynos({**count(), "count": 1}).rejected] == [1]
    assert placed() >= {"a.h1.1", "a.h1.2", "a.h1.3"}


def test_that_a_dyno_is_stranded_is_known_here_alone() -> None:
    assert [one.line for one in dynos({**count(), "dyno": "web.1", "state": "stranded"}).rejected] == [1]
    assert not Dyno.objects.exists()


@pytest.mark.parametrize("state", [state.value for state in DynoState if state != DynoState.STRANDED])
def test_a_new_dyno_begins_in_the_state_that_was_told(state: str) -> None:
    dynos({**count(), "dyno": "web.1", "state": state})
    assert Dyno.objects.get().state == state
