"""What a verdict says, worked out with the fleet's rows: its numbers, its sentence's parts, when it began."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from fleet.models import CrashKind, CrashMinute, Deploy, Host, HostDeploy
from incidents.correlation.verdict import Board, Suspect, Verdict
from incidents.timeline.chain import settled
from incidents.wording import Cause

HARD = frozenset({CrashKind.ABORT, CrashKind.SEGV, CrashKind.BUS, CrashKind.ILL, CrashKind.FPE})
TIE_SCORE = 3.0


def cause_of(verdict: Verdict, deploy: Deploy | None, board: Board) -> Cause:
    """What the headline is made of."""
    tied = tied_suspect(verdict, board)
    return Cause(
        verdict=verdict.kind,
        subject=verdict.subject,
        deploy_kind=deploy.kind if deploy else "",
        target=deploy.target if deploy else "",
        stack=deploy.stack.name if deploy and deploy.stack else "",
        cohort=verdict.cohort,
        such=exposed_hosts(verdict, deploy),
        hit=verdict.hosts_hit,
        rate_ratio=verdict.rate_ratio,
        interval=verdict.interval,
        tied_with=tied.deploy if tied else "",
    )


def numbers_of(verdict: Verdict, deploy: Deploy | None, board: Board) -> dict[str, Any]:
    """The numbers of a verdict, as the incident keeps them."""
    tied = tied_suspect(verdict, board)
    numbers = {
        "score": round(verdict.score, 2),
        "rate_ratio": round(verdict.rate_ratio, 2),
        "interval": [round(bound, 2) for bound in verdict.interval],
        "lag_seconds": verdict.lag_seconds,
        "hosts_hit": verdict.hosts_hit,
        "hosts_exposed": exposed_hosts(verdict, deploy),
        "controls": verdict.controls,
        "for": list(verdict.for_),
        "against": list(verdict.against),
        "tied_with": tied.deploy if tied else "",
        "standing": True,
    }
    return dict(settled(numbers))


def exposed_hosts(verdict: Verdict, deploy: Deploy | None) -> int:
    """How many hosts of the cohort the deploy touched; without a deploy, how many the verdict names."""
    if deploy is None:
        return len(verdict.hosts)
    touched = HostDeploy.objects.filter(deploy=deploy).exclude(outcome=HostDeploy.Outcome.SKIPPED)
    rows = touched.values_list("host__attributes", flat=True)
    such = sum(all(str(row.get(key)) == value for key, value in verdict.cohort.items()) for row in rows)
    return max(such, verdict.hosts_hit)


def tied_suspect(verdict: Verdict, board: Board) -> Suspect | None:
    """Another deploy that explains it nearly as well."""
    rivals = [s for s in board.suspects if s.deploy != verdict.subject and not s.blamed]
    close = [s for s in rivals if verdict.kind == "deploy" and s.score > verdict.score - TIE_SCORE]
    return max(close, key=lambda suspect: suspect.score, default=None)


def first_crash_at(verdict: Verdict, deploy: Deploy | None, *, now: datetime) -> datetime:
    """The first crash that counts: on a named host, since the deploy touched it; hard ones where most are hard."""
    hosts = dict(Host.objects.filter(name__in=verdict.hosts).values_list("pk", "name"))
    since = _counts_since(deploy, set(hosts), now)
    if not since:
        return now
    rows = CrashMinute.objects.filter(
        host_id__in=list(since), minute__gte=min(since.values()) - timedelta(minutes=1), first_at__lte=now
    )
    counted = [
        (first_at, kind)
        for host, kind, first_at in rows.values_list("host_id", "kind", "first_at")
        if first_at >= since[host]
    ]
    hard = [first_at for first_at, kind in counted if kind in HARD]
    chosen = hard if 2 * len(hard) >= len(counted) else [first_at for first_at, _ in counted]
    return min(chosen, default=now)


def _counts_since(deploy: Deploy | None, hosts: set[int], now: datetime) -> dict[int, datetime]:
    """From when on each host's crashes count; a deploy tool stamps a host after it touched it, so a tick earlier."""
    if deploy is None:
        lately = now - timedelta(seconds=60 * settings.TICK_SECONDS)
        return dict.fromkeys(hosts, lately)
    touched = HostDeploy.objects.filter(deploy=deploy, host_id__in=hosts).values_list("host_id", "at")
    early = timedelta(seconds=settings.TICK_SECONDS)
    return {host: max(deploy.started_at, at - early) for host, at in touched}
