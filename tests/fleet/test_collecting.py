"""Crashes, dynos and kernel lines read from hosts over SSH."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from fleet.collecting import collect_hosts
from fleet.models import Crash, CrashMinute, Dyno, Host

Make = Callable[..., tuple[Any, Any, list[Host]]]


def crash(lab: Any, host: Host) -> int:
    """Lets every dyno of a host die once; gives how many did."""
    machine = lab.host(host.name).machine
    dynos = list(machine.placed.here.values())
    for dyno in dynos:
        machine.crashlog.note(dyno, machine.clock(), True)
    return len(dynos)


def test_enrolled_hosts_tell_their_dynos(enrolled_lab: Make) -> None:
    _, _, hosts = enrolled_lab()
    assert dict(Dyno.objects.values_list("name", "host__name"))["app-000.web.1"] == "old-1"
    assert Dyno.objects.filter(state="running", memory_mb=64).count() == 4
    assert all(host.seen_at and host.feed_cursor and not host.trouble for host in hosts)


def test_crashes_count_once_however_often_a_host_is_read(enrolled_lab: Make) -> None:
    _, lab, hosts = enrolled_lab()
    died = crash(lab, Host.objects.get(name="old-1"))
    assert died == 2
    for _ in range(2):
        assert collect_hosts(now=timezone.now()) == len(hosts)
    assert Crash.objects.filter(host__name="old-1").count() == died
    Host.objects.update(feed_cursor="")
    collect_hosts(now=timezone.now())
    assert Crash.objects.count() == died
    assert sum(CrashMinute.objects.values_list("count", flat=True)) == died


def test_a_host_that_is_gone_or_shows_another_key_is_said_and_holds_up_nobody(enrolled_lab: Make) -> None:
    running, lab, _ = enrolled_lab(sources=2, targets=1)
    running.do(lab.host("old-1").refuse())
    running.do(lab.host("new-1").change_key())
    crash(lab, Host.objects.get(name="old-2"))
    assert collect_hosts(now=timezone.now()) == 1
    trouble = dict(Host.objects.values_list("name", "trouble"))
    assert "cannot connect" in trouble["old-1"]
    assert "host key changed" in trouble["new-1"]
    assert trouble["old-2"] == ""
    assert Crash.objects.filter(host__name="old-2").count() == 2
    running.do(lab.host("old-1").listen())
    collect_hosts(now=timezone.now())
    assert Host.objects.get(name="old-1").trouble == ""


def test_a_lying_host_is_trouble_not_a_stack_trace(enrolled_lab: Make) -> None:
    _, lab, _ = enrolled_lab()
    lab.host("old-1").machine.faults.answers = "garbage"
    lab.host("old-2").machine.attributes["rack"] = "a\0\ud800"
    collect_hosts(now=timezone.now())
    assert Host.objects.get(name="old-1").trouble
    odd = Host.objects.get(name="old-2")
    assert (odd.trouble, odd.attributes["rack"]) == ("", "a" + 2 * "\N{REPLACEMENT CHARACTER}")


def test_a_dyno_that_its_host_forgot_is_lost(enrolled_lab: Make) -> None:
    _, lab, _ = enrolled_lab()
    machine = lab.host("old-1").machine
    machine.placed.end(machine.placed.here["app-000.web.1"])
    Dyno.objects.update(changed_at=timezone.now() - timedelta(minutes=1))
    collect_hosts(now=timezone.now())
    assert Dyno.objects.get(name="app-000.web.1").state == "lost"
