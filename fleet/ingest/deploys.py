"""Deploys and what they did on hosts: told twice, kept once."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Greatest

from fleet.ingest.formats.facts import DeployFact, DeployFinishedFact, Fact, HostDeployFact, Problem
from fleet.ingest.names import host_ids, image_ids, stack_ids
from fleet.live import FLEET, announce
from fleet.models import Deploy, HostDeploy, StackImage

KEEP_HOST_DEPLOYS = """
INSERT INTO fleet_hostdeploy AS kept (received_at, deploy_id, host_id, at, outcome, tools_version, detail, started_at)
SELECT %s::timestamptz, told.* FROM unnest(
    %s::bigint[], %s::bigint[], %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::timestamptz[]
) AS told
ON CONFLICT (deploy_id, host_id) DO UPDATE SET
    corrected_at = CASE
        WHEN excluded.at < kept.at OR kept.outcome NOT IN (excluded.outcome, 'overwrote') THEN excluded.received_at
        ELSE kept.corrected_at
    END,
    started_at = least(kept.started_at, excluded.started_at),
    at = least(kept.at, excluded.at),
    outcome = CASE WHEN kept.outcome = 'overwrote' THEN kept.outcome ELSE excluded.outcome END,
    tools_version = coalesce(nullif(excluded.tools_version, ''), kept.tools_version),
    detail = coalesce(nullif(excluded.detail, ''), kept.detail)
"""


class UnknownDeploy(LookupError):  # noqa: N818 - it is an answer
    """A fact about a deploy that nobody told of."""

    def __init__(self, keys: Iterable[str]) -> None:
        names = ", ".join(sorted(set(keys)))
        self.problem = Problem("$.data.deploy", f"no deploy {names} is known; send its event deploy.started first")
        super().__init__(self.problem.error)


@transaction.atomic
def record_facts(*, facts: Sequence[Fact], source: str, now: datetime) -> Deploy | None:
    """Keeps what a delivery told; gives the deploy it was about. Raises UnknownDeploy, and then keeps nothing."""
    deploy = None
    for fact in facts:
        if isinstance(fact, DeployFact):
            deploy = record_deploy(fact=fact, source=source, now=now)
        elif isinstance(fact, DeployFinishedFact):
            deploy = finish_deploy(fact=fact)
    host_facts = [fact for fact in facts if isinstance(fact, HostDeployFact)]
    if host_facts:
        deploy = record_host_deploys(facts=host_facts, now=now)
    if deploy:
        announce(FLEET)
    return deploy


@transaction.atomic
def record_deploy(*, fact: DeployFact, source: str, now: datetime) -> Deploy:
    """Keeps a deploy; told again, what was missing is filled in and what was corrected is changed."""
    stack = stack_ids([fact.stack])[fact.stack] if fact.stack else None
    known = {
        "target": fact.target,
        "kind": fact.kind,
        "started_at": fact.at,
        "stack_id": stack,
        "image_id": _image(stack, fact.image, fact.image_version),
        "from_image_id": _image(stack, fact.from_image),
        "by": fact.by,
    }
    told = {name: value for name, value in known.items() if value not in {None, ""}}
    deploy, _ = Deploy.objects.update_or_create(
        key=fact.deploy, defaults=told, create_defaults={**told, "source": source, "received_at": now}
    )
    return deploy


@transaction.atomic
def finish_deploy(*, fact: DeployFinishedFact) -> Deploy:
    """Notes the end of a deploy. The first end told stands; an abort is never taken back. Raises UnknownDeploy."""
    changes = {"finished_at": Coalesce("finished_at", Greatest(fact.at, F("started_at")))}
    aborted = {"aborted": True} if fact.aborted else {}
    if not Deploy.objects.filter(key=fact.deploy).update(**changes, **aborted):
        raise UnknownDeploy([fact.deploy])
    return Deploy.objects.get(key=fact.deploy)


@transaction.atomic
def record_host_deploys(*, facts: Sequence[HostDeployFact], now: datetime) -> Deploy:
    """Keeps what deploys did on hosts; gives the last of these deploys. Raises UnknownDeploy.

    A host is exposed from the first time it was told of on; that an image was overwritten is never taken back.
    """
    facts = _merged(facts)
    deploys = {deploy.key: deploy for deploy in Deploy.objects.filter(key__in={fact.deploy for fact in facts})}
    if missing := {fact.deploy for fact in facts} - set(deploys):
        raise UnknownDeploy(missing)
    hosts = host_ids({fact.host for fact in facts}, now=now)
    rows = sorted(
        (
            (deploys[fact.deploy].pk, hosts[fact.host], fact.at, fact.outcome, fact.tools_version, fact.detail,
             fact.started_at)
            for fact in facts
        ),
        key=lambda row: row[:2],
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(KEEP_HOST_DEPLOYS, [now, *(list(column) for column in zip(*rows, strict=True))])
    return deploys[facts[-1].deploy]


def record_host_deploy(*, fact: HostDeployFact, now: datetime) -> HostDeploy:
    """Keeps what a deploy did on one host. Raises UnknownDeploy."""
    deploy = record_host_deploys(facts=[fact], now=now)
    return HostDeploy.objects.get(deploy=deploy, host__name=fact.host)


def _merged(facts: Sequence[HostDeployFact]) -> list[HostDeployFact]:
    """The last fact of each deploy and host: one statement may not change a row twice."""
    return list({(fact.deploy, fact.host): fact for fact in facts}.values())


def _image(stack: int | None, digest: str | None, version: str = "") -> int | None:
    if stack is None or not digest:
        return None
    key = image_ids([(stack, digest)])[stack, digest]
    if version:
        StackImage.objects.filter(pk=key).exclude(version=version).update(version=version)
    return key
