"""Which hosts a step is about, worked out anew each time from the fleet as it is."""

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import Q, QuerySet

from fleet.actor import SYSTEM
from fleet.lifecycle import HostState
from fleet.models import Host, HostDeploy, Taint
from incidents.models import Incident

UNTOUCHED = HostDeploy.Outcome.SKIPPED


def exposed_ids(incident: Incident) -> set[int]:
    """Hosts that the suspected deploy touched; one that it skipped is not exposed."""
    if incident.deploy_id is None:
        return set()
    touched = HostDeploy.objects.filter(deploy_id=incident.deploy_id).exclude(outcome=UNTOUCHED)
    return set(touched.values_list("host_id", flat=True))


def affected_hosts(incident: Incident) -> QuerySet[Host]:
    """Hosts that the incident names, and the rest of its cohort that the deploy touched, though none crashed there."""
    named = Q(incident_hosts__incident=incident, incident_hosts__until_at__isnull=True)
    cohort = Q(pk__in=exposed_ids(incident), attributes__contains=incident.cohort) if incident.cohort else Q(pk__in=[])
    return Host.objects.filter(named | cohort).exclude(state=HostState.RETIRED).distinct().order_by("name")


def tainted_hosts(incident: Incident) -> QuerySet[Host]:
    """Hosts that carry a taint of this incident, and affected ones that carry anybody else's."""
    own = Q(taints__reference=incident.reference, taints__lifted_at__isnull=True)
    others = Q(pk__in=affected_hosts(incident).values("pk"), taints__lifted_at__isnull=True)
    return Host.objects.filter(own | others).distinct().order_by("name")


def released_by_person(incident: Incident) -> dict[int, Taint]:
    """By host id: the incident's last taint, where a person lifted it. Such a host is theirs from then on."""
    taints = Taint.objects.filter(reference=incident.reference).order_by("set_at", "pk").select_related("host")
    last = {taint.host_id: taint for taint in taints}
    return {host: taint for host, taint in last.items() if taint.lifted_at and taint.lifted_by != SYSTEM.name}


def stack_hosts() -> QuerySet[Host]:
    """Every enrolled host in reach: each holds the stack's images, or may be given them."""
    return Host.objects.reachable().exclude(state=HostState.UNKNOWN).order_by("name")


def control_hosts(incident: Incident) -> QuerySet[Host]:
    """Hosts in reach that should be well: those the deploy skipped or never touched, busiest first."""
    affected = affected_hosts(incident).values("pk")
    return Host.objects.reachable().taking_dynos().exclude(pk__in=affected).order_by("name")


def sample_hosts(incident: Incident, options: Mapping[str, Any]) -> list[Host]:
    """Some affected hosts and some controls, to be compared."""
    suspects = list(affected_hosts(incident)[: options.get("suspects", 3)])
    skipped = HostDeploy.objects.filter(deploy=incident.deploy, outcome=UNTOUCHED).values("host_id")
    controls = list(
        control_hosts(incident).filter(dynos__isnull=False, pk__in=skipped).distinct()[: options.get("controls", 2)]
    )
    wanted = options.get("controls", 2) - len(controls)
    if wanted > 0:
        known = [host.pk for host in controls]
        controls += list(control_hosts(incident).exclude(pk__in=known)[:wanted])
    return suspects + controls


SELECTORS: dict[str, Callable[[Incident, Mapping[str, Any]], list[Host]]] = {
    "affected": lambda incident, _options: list(affected_hosts(incident)),
    "tainted": lambda incident, _options: list(tainted_hosts(incident)),
    "stack": lambda _incident, _options: list(stack_hosts()),
    "sample": sample_hosts,
}


def select_hosts(incident: Incident, options: Mapping[str, Any]) -> list[Host]:
    """The hosts that a step's `targets` name, by name."""
    return SELECTORS[options["targets"]](incident, options)
