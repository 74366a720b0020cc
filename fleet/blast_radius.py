"""How much of the fleet, and of an app, an action may touch before an administrator has to confirm it."""

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Count, Q

from fleet.actor import Actor
from fleet.lifecycle import HostState
from fleet.models import App, Host
from fleet.queries import PLACED

NOT_OF_THE_FLEET = [HostState.RETIRED.value, HostState.UNKNOWN.value]
OUT_OF_SERVICE = [HostState.TAINTED.value, HostState.DRAINING.value, HostState.DRAINED.value]


def beyond_policy(hosts: list[Host], *, moves_dynos: bool) -> list[str]:
    """What of the policy acting on these hosts would pass, one sentence each; nothing where it stays within."""
    said = []
    share = share_of_fleet(hosts)
    if share > settings.BLAST_RADIUS_SHARE:
        said.append(
            f"More of the fleet than the policy allows: {share:.0%} of its hosts would be out of service or acted on, "
            f"{settings.BLAST_RADIUS_SHARE:.0%} are allowed."
        )
    if moves_dynos and (apps := apps_beyond_policy(hosts)):
        said.append(
            f"More of an app than the policy allows, {settings.BLAST_RADIUS_APP_SHARE:.0%} of its dynos: "
            f"{', '.join(apps[:12])}{' and others' if len(apps) > 12 else ''}."
        )
    return said


def share_of_fleet(hosts: list[Host]) -> float:
    """What part of the fleet these hosts are, 0 to 1, with those out of service already where they add to them."""
    whole = Host.objects.exclude(state__in=NOT_OF_THE_FLEET)
    touched = {host.pk for host in hosts}
    if any(host.state == HostState.IN_SERVICE for host in hosts):
        touched |= set(whole.filter(state__in=OUT_OF_SERVICE).values_list("pk", flat=True))
    count = whole.count()
    return len(touched) / count if count else 0.0


def apps_beyond_policy(hosts: list[Host]) -> list[str]:
    """Apps of which too many dynos run on these hosts; small apps are left out, for one host can be all of them."""
    here = Count("dynos", filter=PLACED & Q(dynos__host__in=[host.pk for host in hosts]))
    apps = App.objects.filter(dynos__host__in=hosts).distinct().values_list("pk", flat=True)
    counted = App.objects.filter(pk__in=list(apps)).annotate(here=here, everywhere=Count("dynos", filter=PLACED))
    rows = counted.filter(here__gte=settings.BLAST_RADIUS_APP_DYNOS).order_by("name")
    return [app.name for app in rows if app.here > settings.BLAST_RADIUS_APP_SHARE * app.everywhere]


def may_pass(actor: Actor) -> bool:
    """Whether this person may act beyond the policy."""
    user = get_user_model().objects.filter(pk=actor.user_id).first() if actor.user_id else None
    return bool(user and user.has_perm(settings.ADMINISTER_PERMISSION))
