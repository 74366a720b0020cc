"""Crashes by minute: of the fleet, of one host, and of the hosts that stand out. Read from the roll-ups alone."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Sum

from fleet.models import CrashKind, CrashMinute, Host

MINUTE = timedelta(minutes=1)
SPAN = timedelta(hours=2)
# The roll-up is read once for the sums by minute and the sums by host.
SUMS = """
SELECT minute, host_id, sum(count)::int, coalesce(sum(count) FILTER (WHERE kind >= %(hard)s), 0)::int,
       coalesce(sum(count) FILTER (WHERE minute >= %(half)s), 0)::int, bool_and(recorded)
FROM fleet_crash_minute
WHERE minute BETWEEN %(first)s AND %(last)s AND (%(host)s::bigint IS NULL OR host_id = %(host)s)
GROUP BY GROUPING SETS ((minute), (host_id))
"""


@dataclass(frozen=True)
class Pulse:
    """Crashes of the whole fleet by minute: `hard` ones by a fatal signal of the program's own, and all others."""

    minutes: list[datetime]
    hard: list[int]
    other: list[int]
    recorded: list[bool]

    @property
    def recorded_until(self) -> datetime | None:
        """The last minute of which all that is known comes from a recording."""
        return max((minute for minute, flag in zip(self.minutes, self.recorded, strict=True) if flag), default=None)


@dataclass(frozen=True)
class Heat:
    """The hosts with the most crashes beyond their own past, and their crashes by minute."""

    hosts: list[str]
    minutes: list[datetime]
    counts: list[list[int]]
    excess: list[int]


@dataclass(frozen=True)
class Sums:
    """Crashes by minute: all, hard ones, whether recorded. By host: those of the later half, of the earlier."""

    by_minute: dict[datetime, tuple[int, int, bool]]
    by_host: dict[int, tuple[int, int]]


def minutes_until(now: datetime, span: timedelta) -> list[datetime]:
    """Every whole minute of the span that ends with the one of `now`."""
    last = now.astimezone(UTC).replace(second=0, microsecond=0)
    count = int(span / MINUTE)
    return [last - MINUTE * back for back in range(count - 1, -1, -1)]


def host_pulse(host: Host, *, now: datetime) -> Pulse:
    """Crashes of one host by minute."""
    minutes = minutes_until(now, SPAN)
    return _pulse(minutes, _sums(minutes, host.pk))


def pulse_and_heat(*, now: datetime, limit: int = 24) -> tuple[Pulse, Heat]:
    """The fleet's crashes by minute; and the hosts by excess, their crashes of the last hour less those before."""
    minutes = minutes_until(now, SPAN)
    sums = _sums(minutes)
    return _pulse(minutes, sums), _heat(minutes[len(minutes) // 2 :], sums.by_host, limit)


def _sums(minutes: Sequence[datetime], host_id: int | None = None) -> Sums:
    span = {"first": minutes[0], "half": minutes[len(minutes) // 2], "last": minutes[-1]}
    sums = Sums({}, {})
    with connection.cursor() as cursor:
        cursor.execute(SUMS, {**span, "host": host_id, "hard": CrashKind.ABORT.value})
        for minute, host, every, hard, lately, recorded in cursor.fetchall():
            if minute is None:
                sums.by_host[host] = lately, every - lately
            else:
                sums.by_minute[minute] = every, hard, recorded
    return sums


def _pulse(minutes: list[datetime], sums: Sums) -> Pulse:
    found = [sums.by_minute.get(minute, (0, 0, False)) for minute in minutes]
    return Pulse(
        minutes=minutes,
        hard=[hard for _, hard, _ in found],
        other=[every - hard for every, hard, _ in found],
        recorded=[recorded for _, _, recorded in found],
    )


def _heat(minutes: list[datetime], by_host: Mapping[int, tuple[int, int]], limit: int) -> Heat:
    excess = {key: lately - before for key, (lately, before) in by_host.items() if lately}
    top = sorted(excess, key=lambda key: (-excess[key], key))[:limit]
    names = dict(Host.objects.filter(pk__in=top).values_list("pk", "name"))
    series = crashes_by_host(top, minutes)
    known = [key for key in top if key in names]
    return Heat([names[key] for key in known], minutes, [series[key] for key in known], [excess[key] for key in known])


def crashes_by_host(host_ids: Collection[int], minutes: Sequence[datetime]) -> dict[int, list[int]]:
    """Crashes by minute of each of the hosts."""
    place = {minute: index for index, minute in enumerate(minutes)}
    series = {key: [0] * len(minutes) for key in host_ids}
    rows = CrashMinute.objects.filter(host_id__in=host_ids, minute__gte=minutes[0], minute__lte=minutes[-1])
    for host_id, minute, count in (
        rows.values("host_id", "minute").annotate(n=Sum("count")).values_list("host_id", "minute", "n")
    ):
        series[host_id][place[minute]] = count
    return series
