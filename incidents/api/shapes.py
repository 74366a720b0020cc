"""Rows as programs are told of them."""

from fleet.models import Deploy, HostDeploy
from incidents.api import schemas
from incidents.lifecycle import IncidentState
from incidents.models import DeployVerdict, Incident, Suspect

PLAIN = (
    "state", "severity", "verdict", "subject", "headline", "cohort", "numbers", "began_at", "opened_at", "named_at",
    "acknowledged_at", "acknowledged_by", "mitigated_at", "resolved_at",
)  # fmt: skip


def incident_answer(incident: Incident) -> schemas.IncidentAnswer:
    """One of a list."""
    return schemas.IncidentAnswer.model_validate(_facts(incident))


def incident_detail(incident: Incident) -> schemas.IncidentDetail:
    """One with its hosts and suspects."""
    hosts = incident.incident_hosts.filter(until_at__isnull=True).order_by("host__name")
    suspects = [suspect_answer(suspect) for suspect in incident.suspects.select_related("deploy")]
    names = list(hosts.values_list("host__name", flat=True))
    return schemas.IncidentDetail.model_validate({**_facts(incident), "hosts": names, "suspects": suspects})


def suspect_answer(suspect: Suspect) -> schemas.SuspectAnswer:
    """A deploy under suspicion."""
    return schemas.SuspectAnswer(
        deploy=suspect.deploy.key,
        score=suspect.score,
        rate_ratio=suspect.rate_ratio,
        interval=suspect.interval,
        speaks_for=suspect.speaks_for,
        speaks_against=suspect.speaks_against,
        updated_at=suspect.updated_at,
    )


def deploy_answer(deploy: Deploy) -> schemas.DeployAnswer:
    """A deploy with what it did and what is held of it."""
    done = deploy.host_deploys.select_related("host").order_by("at", "host__name")
    return schemas.DeployAnswer(
        deploy=deploy.key,
        target=deploy.target,
        kind=deploy.kind,
        stack=deploy.stack.name if deploy.stack else None,
        image=deploy.image.digest if deploy.image else None,
        from_image=deploy.from_image.digest if deploy.from_image else None,
        started_at=deploy.started_at,
        finished_at=deploy.finished_at,
        aborted=deploy.aborted,
        by=deploy.by,
        source=deploy.source,
        host_deploys=[host_deploy_answer(row) for row in done],
        verdict=verdict_answer(deploy),
    )


def host_deploy_answer(row: HostDeploy) -> schemas.HostDeployAnswer:
    """What it did on one host."""
    return schemas.HostDeployAnswer(
        host=row.host.name, at=row.at, outcome=row.outcome, tools_version=row.tools_version, detail=row.detail
    )


def verdict_answer(deploy: Deploy) -> schemas.VerdictAnswer:
    """What is held of a deploy now, by the incidents that are not over, and by the watch."""
    suspicions = Suspect.objects.filter(deploy=deploy, incident__state__in=IncidentState.ongoing())
    suspect = suspicions.select_related("incident", "deploy").order_by("-updated_at").first()
    cause = Incident.objects.ongoing().filter(deploy=deploy, verdict=Incident.Verdict.DEPLOY).first()
    if cause:
        suspect = suspicions.filter(incident=cause).select_related("incident", "deploy").first() or suspect
    incident = cause or (suspect and suspect.incident)
    facts = suspect_answer(suspect).dict(exclude={"deploy"}) if suspect else {}
    held = standing_facts(deploy)
    suspected = suspect or held.get("standing") == "suspect"
    word = "cause" if cause else "suspect" if suspected else "none"
    answer = {**held, **facts, "verdict": word, "incident": incident.pk if incident else None}
    return schemas.VerdictAnswer.model_validate(answer)


def standing_facts(deploy: Deploy) -> dict[str, object]:
    """What the watch holds of a deploy; nothing where it has not judged it."""
    held = DeployVerdict.objects.filter(deploy=deploy).first()
    if held is None:
        return {}
    names = ("score", "rate_ratio", "interval", "speaks_for", "speaks_against", "sentence", "host_minutes", "hosts",
             "controls", "would_have_seen", "late")  # fmt: skip
    return {name: getattr(held, name) for name in names} | {"standing": held.word, "updated_at": held.judged_to}


def _facts(incident: Incident) -> dict[str, object]:
    facts = {name: getattr(incident, name) for name in PLAIN}
    deploy = incident.deploy.key if incident.deploy else None
    return {**facts, "number": incident.pk, "deploy": deploy, "stack": incident.stack.name if incident.stack else None}
