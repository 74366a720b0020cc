"""Fills the database with a large fleet, lets the watch tick over it, and prints how long that took as JSON."""

import json
import os
import resource
import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402 - models need the set-up

from fleet.partitions import CRASHES, MINUTES, ensure_partitions  # noqa: E402
from incidents import watch  # noqa: E402
from incidents.models import Incident, Watch, WatchMemory  # noqa: E402
from incidents.watching.watcher import Watcher  # noqa: E402

BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
PAST_MINUTES, QUIET, LOUD, AWAY = 540, 6, 6, 60
USUAL, MANY = 0.0016, 20_000  # crashes per dyno and minute; crashes a minute in trouble, at 10,000 hosts
FLEET = """
INSERT INTO fleet_host (name, state, attributes, address, port, ssh_user, host_key, memory_mb, slots, added_at,
        feed_cursor, trouble)
    SELECT 'h' || lpad(n::text, 5, '0'), 'in_service', jsonb_build_object('tools', CASE n %% 3 WHEN 0 THEN '1.9' ELSE
        '2.0' END, 'zone', chr(97 + n %% 4), 'kernel', 'k' || n %% 5), '', 22, 'faultline', '', 65536, 60,
        %(begins)s, '', '' FROM generate_series(1, %(hosts)s) n;
INSERT INTO fleet_app (name, owner, may_overlap) SELECT 'app-' || n, '', true FROM generate_series(1, 20000) n;
INSERT INTO fleet_stack (name) VALUES ('cedar-14');
INSERT INTO fleet_dyno (name, app_id, host_id, stack_id, state, memory_mb, counted, changed_at)
    SELECT 'web.' || h.id || '.' || n, 1 + (h.id * 37 + n * 1117) %% 20000, h.id, 1, 'running', 128, false, %(begins)s
    FROM fleet_host h, generate_series(1, 30) n;
INSERT INTO fleet_deploy (key, target, kind, stack_id, started_at, aborted, by, source)
    SELECT 'd' || n, 'config', 'upgrade', NULL, %(begins)s + n * interval '45 minutes', false, '', ''
    FROM generate_series(1, 12) n;
INSERT INTO fleet_hostdeploy (deploy_id, host_id, at, outcome, tools_version, detail)
    SELECT d.id, h.id, d.started_at + ((h.id * 7919 * d.id) %% %(hosts)s) * interval '0.3 seconds', 'installed', '', ''
    FROM fleet_deploy d, fleet_host h WHERE (h.id + d.id) %% 5 > 0;
"""
CRASH = """
INSERT INTO fleet_crash_minute
SELECT minute, host, 1 + (host * 37 + dyno * 1117) %% 20000, %(kind)s, 1, minute + random() * interval '50 seconds',
    minute + interval '55 seconds', false
FROM (SELECT minute, 1 + %(step)s * floor(random() * %(hosts)s / %(step)s)::int + %(step)s - 1 AS host,
             1 + floor(random() * 30)::int AS dyno
      FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, '1 minute') minute,
           generate_series(1, %(crashes)s)) drawn
WHERE host <= %(hosts)s
ON CONFLICT DO NOTHING
"""


def minute(number: float) -> datetime:
    """Minutes since the beginning."""
    return BEGINS + timedelta(minutes=number)


def run(statement: str, **arguments: Any) -> None:
    """One or more statements."""
    with connection.cursor() as cursor:
        for part in (part for part in statement.split(";\n") if part.strip()):
            cursor.execute(part, arguments)


def crash(hosts: int, number: int, *, last: int | None = None, damaged: int = 0) -> None:
    """Everyday crashes of a minute, or up to a last one, and perhaps some on the hosts with old tools."""
    times: dict[str, Any] = {"first": minute(number), "last": minute(number if last is None else last), "hosts": hosts}
    run(CRASH, **times, kind=0, step=1, crashes=round(USUAL * 30 * hosts))
    if damaged:
        run(CRASH, **times, kind=3, step=3, crashes=damaged)


def fill(hosts: int) -> None:
    """The fleet and its past."""
    hours = [minute(60 * hour) for hour in range(14)]
    ensure_partitions(CRASHES, times=hours)
    ensure_partitions(MINUTES, times=hours)
    run(FLEET, begins=BEGINS, hosts=hosts)
    crash(hosts, 0, last=PAST_MINUTES - 1)
    run("ANALYZE")


def tick(watcher: Watcher, number: int) -> tuple[float, float]:
    """Milliseconds of the tick after this minute: by the clock, and of this process's CPU."""
    began, began_cpu = time.perf_counter(), time.process_time()
    ticked = watch.tick(now=minute(number + 1) + timedelta(seconds=3), watcher=watcher)
    if ticked is None:
        raise SystemExit("The watch did not tick.")
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - began_cpu)


class Figures(dict[str, object]):
    """Figures that are told as soon as they are known."""

    def __setitem__(self, name: str, value: object) -> None:
        print(f"  {name} {value}", file=sys.stderr, flush=True)
        super().__setitem__(name, value)


def spread(ticks: list[tuple[float, float]]) -> list[int]:
    """Median and worst by the clock, median and worst of CPU."""
    return [round(summary(times)) for times in zip(*ticks, strict=True) for summary in (statistics.median, max)]


def seconds(milliseconds: tuple[float, float]) -> list[float]:
    """By the clock, and of CPU."""
    return [round(part / 1000, 1) for part in milliseconds]


def main() -> None:
    """The command."""
    hosts = int(sys.argv[1])
    fill(hosts)
    figures = Figures(hosts=hosts, dynos=30 * hosts)
    watcher, at = Watcher(), PAST_MINUTES
    figures["memory_made_anew_seconds"] = seconds(tick(watcher, at - 1))
    quiet, loud = [], []
    for at in range(PAST_MINUTES, PAST_MINUTES + QUIET):
        crash(hosts, at)
        quiet.append(tick(watcher, at))
    figures["quiet_tick_ms"] = spread(quiet)
    for at in range(PAST_MINUTES + QUIET, PAST_MINUTES + QUIET + LOUD):
        crash(hosts, at, damaged=MANY * hosts // 10_000)
        loud.append(tick(watcher, at))
    figures["loud_tick_ms"], figures["crashes_a_minute"] = spread(loud), MANY * hosts // 10_000
    figures["incidents"] = list(Incident.objects.values_list("verdict", "subject"))
    stored = WatchMemory.objects.order_by("-pk")[0]
    figures["memory_mb"] = round(len(stored.content) / 1e6, 1)
    missed = range(at + 1, at + 1 + AWAY)
    crash(hosts, missed[0], last=missed[-1], damaged=MANY * hosts // 40_000)
    Watch.objects.update(held_until=None)
    figures["hour_caught_up_seconds"] = seconds(tick(Watcher(), missed[-1]))
    figures["rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
