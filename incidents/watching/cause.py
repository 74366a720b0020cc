"""What a verdict says, worked out with the fleet's rows: its numbers and its sentence's parts."""

from typing import Any

from fleet.models import Deploy, HostDeploy
from incidents.correlation.verdict import Board, Suspect, Verdict
from incidents.timeline.chain import settled
from incidents.wording import Cause

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
