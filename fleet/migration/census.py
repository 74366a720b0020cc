"""Facts for plans, read from rows: dynos to be moved, and the room on hosts with what is on its way there."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable

from django.db.models import Count, F, Sum, Value
from django.db.models.functions import Coalesce, NullIf

from fleet.lifecycle import DynoState
from fleet.migration.facts import AppFact, DynoFact, HostFact
from fleet.migration.hold import IN_FLIGHT
from fleet.models import Dyno, Host, Move

USUAL_MB = 64  # of a dyno whose memory nobody told
UNFINISHED = ("planned", *IN_FLIGHT)


def dynos_to_move(sources: Iterable[Host]) -> list[DynoFact]:
    """The dynos on these hosts that no migration has in its hands."""
    placed = Dyno.objects.placed().filter(host__in=list(sources)).select_related("app", "host").order_by("name")
    dynos = list(placed.exclude(moves__state__in=UNFINISHED))
    totals = dict(
        Dyno.objects.placed()
        .filter(app__in={dyno.app_id for dyno in dynos})
        .values_list("app_id")
        .annotate(total=Count("pk"))
    )
    apps = {
        dyno.app_id: AppFact(dyno.app_id, dyno.app.name, totals[dyno.app_id], dyno.app.may_overlap) for dyno in dynos
    }
    return [
        DynoFact(
            dyno.pk, dyno.name, apps[dyno.app_id], dyno.host_id, dyno.host.name, memory_of(dyno), is_stranded(dyno)
        )
        for dyno in dynos
    ]


def memory_of(dyno: Dyno) -> int:
    """What it takes up, in MB."""
    return dyno.memory_mb or USUAL_MB


def _memory(field: str) -> Sum:
    """The same, summed up by the database."""
    return Sum(Coalesce(NullIf(field, Value(0)), USUAL_MB))


def is_stranded(dyno: Dyno) -> bool:
    """Whether it was stopped to be moved, and runs nowhere."""
    return str(dyno.state) == DynoState.STRANDED.value


def fresh_hosts(avoid: Collection[int]) -> list[HostFact]:
    """Hosts that may take dynos, with what is on them and on its way to them."""
    hosts = list(Host.objects.reachable().taking_dynos().exclude(pk__in=list(avoid)).order_by("name"))
    slots: Counter[int] = Counter()
    memory: Counter[int] = Counter()
    apps: dict[int, Counter[int]] = defaultdict(Counter)
    placed = Dyno.objects.placed().filter(host__in=hosts).values_list("host_id", "app_id")
    coming = Move.objects.filter(target__in=hosts, state__in=UNFINISHED).exclude(dyno__host=F("target"))
    here = placed.annotate(number=Count("pk"), memory=_memory("memory_mb"))
    moving = coming.values_list("target_id", "dyno__app_id")
    there = moving.annotate(number=Count("pk"), memory=_memory("dyno__memory_mb"))
    for host_id, app_id, number, megabytes in [*here, *there]:
        slots[host_id] += number
        memory[host_id] += megabytes
        apps[host_id][app_id] += number
    return [
        HostFact(
            host.pk, host.name, host.memory_mb, host.slots, memory[host.pk], slots[host.pk], apps=dict(apps[host.pk])
        )
        for host in hosts
    ]
