"""Fills the database with a large fleet, asks for every page, and prints p95 and query counts as JSON."""

import json
import os
import sys
import time
from datetime import timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402 - models need the set-up
from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from fleet.actor import Actor  # noqa: E402
from fleet.models import Deploy, Host  # noqa: E402
from fleet.partitions import CRASHES, MINUTES, ensure_partitions  # noqa: E402
from incidents.models import Incident, IncidentHost, Suspect  # noqa: E402
from incidents.runbooks.runs import start_run  # noqa: E402
from incidents.timeline.record import record  # noqa: E402

ROUNDS = 40
PAGES = {
    "now": "/", "incident": "/incidents/1", "incidents": "/incidents", "hosts": "/hosts",
    "hosts by crashes": "/hosts?sort=crashes", "host": "/hosts/h0007", "deploys": "/deploys", "deploy": "/deploys/d3",
}  # fmt: skip
DRAWN = ["now", "incident", "deploy"]  # the first of many viewers waits for their charts
FLEET = """
INSERT INTO fleet_host (name, state, attributes, address, port, ssh_user, host_key, memory_mb, slots, added_at, seen_at,
        feed_cursor, feed_at, trouble)
    SELECT 'h' || lpad(n::text, 4, '0'), 'in_service', jsonb_build_object('tools', CASE n %% 3 WHEN 0 THEN '1.9' ELSE
        '2.0' END, 'zone', chr(97 + n %% 3)), '127.0.0.1', 22, 'faultline', 'ssh-ed25519 A', 65536, 60,
        now() - interval '40 days', now(), '', now(), '' FROM generate_series(1, %(hosts)s) n;
INSERT INTO fleet_app (name, owner, may_overlap) SELECT 'app-' || n, '', true FROM generate_series(1, 2000) n;
INSERT INTO fleet_stack (name) VALUES ('cedar-14');
INSERT INTO fleet_dyno (name, app_id, host_id, stack_id, state, memory_mb, counted, changed_at)
    SELECT 'web.' || h.id || '.' || n, 1 + (h.id * 37 + n * 11) %% 2000, h.id, 1, 'running', 128, false, now()
    FROM fleet_host h, generate_series(1, 30) n;
INSERT INTO fleet_deploy (key, target, kind, stack_id, started_at, aborted, by, source)
    SELECT 'd' || n, 'stack', 'redeploy', 1, now() - n * interval '15 minutes', false, '', ''
    FROM generate_series(1, 40) n;
INSERT INTO fleet_hostdeploy (deploy_id, host_id, at, outcome, tools_version, detail)
    SELECT d.id, h.id, d.started_at + h.id * interval '1 second',
        CASE h.id %% 3 WHEN 0 THEN 'overwrote' ELSE 'installed' END, '2.0', ''
    FROM fleet_deploy d, fleet_host h WHERE h.id %% 5 > 0;
"""
CRASH = """
INSERT INTO fleet_crash (at, key, received_at, host_id, app_id, kind, dyno, program, source)
SELECT at, gen_random_uuid(), at, 1 + (random() * (%(hosts)s - 1))::int, 1 + (random() * 1999)::int,
    (random() * 6)::int, '', '', 'bench'
FROM (SELECT now() - random() * interval '48 hours' AS at FROM generate_series(1, %(crashes)s)) drawn ORDER BY at
"""
ROLL_UP = """
INSERT INTO fleet_crash_minute
SELECT date_trunc('minute', at, 'UTC'), host_id, app_id, kind, count(*), min(at), min(at), false
FROM fleet_crash GROUP BY 1, 2, 3, 4 ORDER BY 1
"""


ROBIN = Actor("person", "robin")


def fill(*, hosts: int, crashes: int) -> None:
    """Everything that the pages read."""
    now = timezone.now()
    times = [now + timedelta(hours=hour) for hour in range(-50, 2)]
    ensure_partitions(CRASHES, times=times)
    ensure_partitions(MINUTES, times=times)
    with connection.cursor() as cursor:
        for statement in (part for part in FLEET.split(";\n") if part.strip()):
            cursor.execute(statement, {"hosts": hosts})
        cursor.execute(CRASH, {"hosts": hosts, "crashes": crashes})
        cursor.execute(ROLL_UP)
        cursor.execute("ANALYZE")


def open_incident() -> None:
    """An incident of the third deploy with a run and a long timeline."""
    now, deploy = timezone.now(), Deploy.objects.get(key="d3")
    incident = Incident.objects.create(
        pk=1, verdict="deploy", subject="d3", headline="Redeploy d3 damages hosts with tools 1.9", deploy=deploy,
        stack=deploy.stack, cohort={"tools": "1.9"}, began_at=now, opened_at=now, numbers={"rate_ratio": 9.1},
    )  # fmt: skip
    named = Host.objects.filter(attributes__tools="1.9")
    IncidentHost.objects.bulk_create(IncidentHost(incident=incident, host=host, since_at=now) for host in named)
    for other in Deploy.objects.all()[:5]:
        Suspect.objects.create(incident=incident, deploy=other, score=other.pk, updated_at=now, speaks_for=["lag"])
    for number in range(300):
        record(incident_id=1, kind="note", text=f"Note {number}", actor=ROBIN, occurred_at=now)
    start_run(incident=incident, runbook="overwritten-image", now=now, actor=ROBIN)


def ask(client: Client, address: str, *, cold: bool = False) -> tuple[float, int]:
    """The 95th percentile in milliseconds, and the queries of one asking; cold where no chart is drawn yet."""
    asked: list[str] = []

    def count(execute: Any, statement: str, *rest: Any) -> Any:
        asked.append(statement)
        return execute(statement, *rest)

    with connection.execute_wrapper(count):
        if client.get(address).status_code != 200:
            raise SystemExit(f"{address} does not open.")
    taken = []
    for _ in range(ROUNDS):
        if cold:
            cache.clear()
        begun = time.perf_counter()
        client.get(address)
        taken.append(1000 * (time.perf_counter() - begun))
    return sorted(taken)[int(0.95 * ROUNDS)], len(asked)


def main(hosts: int, crashes: int) -> None:
    """Fills, asks, prints."""
    fill(hosts=hosts, crashes=crashes)
    open_incident()
    user = User.objects.create_user("robin")
    user.groups.add(Group.objects.get(name="responder"))
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    asked = {page: ask(client, address) for page, address in PAGES.items()}
    first = {page: ask(client, PAGES[page], cold=True)[0] for page in DRAWN}
    figures = {
        "hosts": hosts,
        "crashes": crashes,
        "p95_ms": {page: round(found[0], 1) for page, found in asked.items()},
        "first_viewer_p95_ms": {page: round(taken, 1) for page, taken in first.items()},
        "queries": {page: found[1] for page, found in asked.items()},
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
