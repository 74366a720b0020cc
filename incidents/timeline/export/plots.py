"""The plots of an export, as SVG that needs nothing else: crashes over time, and hosts by time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.sax.saxutils import escape

from django.db.models import QuerySet, Sum

from fleet.models import CrashMinute, HostDeploy
from fleet.wording import count
from incidents.postmortems.draft import Draft

WIDTH, LEFT, RIGHT = 900, 90, 12
LEAD = timedelta(minutes=20)
MOST_BARS, MOST_HOSTS = 180, 40
NAMED, OTHERS = "named", "others"
LEVELS = 5
BASE = 250.0


@dataclass(frozen=True)
class Window:
    """The time that the plots show, cut into bins of whole minutes."""

    start: datetime
    bins: int
    width: timedelta

    def place(self, at: datetime) -> float:
        """Where a time lies, 0 to 1."""
        return (at - self.start) / (self.bins * self.width)

    def bin_of(self, at: datetime) -> int:
        """The bin of a time."""
        return int((at - self.start) // self.width)


def window_of(draft: Draft) -> Window:
    """From a while before it began to its end (or now)."""
    start = (draft.incident.began_at - LEAD).replace(second=0, microsecond=0)
    end = max(draft.incident.resolved_at or draft.drafted_at, draft.incident.opened_at) + timedelta(minutes=1)
    minutes = int((end - start).total_seconds() // 60) + 1
    step = -(-minutes // MOST_BARS)
    return Window(start, -(-minutes // step), timedelta(minutes=step))


def crashes_plot(draft: Draft) -> str:
    """Crashes over time on the named hosts and on the others, with what happened marked."""
    window = window_of(draft)
    counts = {NAMED: [0] * window.bins, OTHERS: [0] * window.bins}
    named = dict(_by_minute(window, draft.hosts))
    for minute, crashes in _by_minute(window):
        bin_, of_named = window.bin_of(minute), named.get(minute, 0)
        counts[NAMED][bin_] += of_named
        counts[OTHERS][bin_] += crashes - of_named
    top = max(1, *(n + o for n, o in zip(counts[NAMED], counts[OTHERS], strict=True)))
    height, base = 180.0, BASE
    bars = [_bars(counts[OTHERS], [0] * window.bins, top, height, base, OTHERS)]
    bars.append(_bars(counts[NAMED], counts[OTHERS], top, height, base, NAMED))
    marks = "".join(_mark(window.place(at), label, place) for place, (at, label) in enumerate(_marks(draft, window)))
    axis = f'<text x="{LEFT - 8}" y="{base - height + 4}" text-anchor="end">{top}</text>'
    axis += f'<text x="{LEFT - 8}" y="{base}" text-anchor="end">0</text>{_time_axis(window, base)}'
    peak = sum(counts[NAMED]), sum(counts[OTHERS])
    label = f"Crashes over time: {peak[0]} on the named hosts, {peak[1]} on the others"
    return _svg(BASE + 28, label, "".join(bars) + marks + axis)


def hosts_plot(draft: Draft) -> str:
    """Hosts by time, the most crashes on top; a tick where the suspected deploy touched the host."""
    window = window_of(draft)
    hosts = _shown_hosts(draft, window)
    counts: dict[str, list[int]] = {host: [0] * window.bins for host in hosts}
    rows_of = _in(window).filter(host__name__in=hosts).values_list("minute", "host__name", "count")
    for minute, host, crashes in rows_of:
        counts[host][window.bin_of(minute)] += crashes
    top = max([1, *(max(counts[host]) for host in hosts)])
    touched = _touched(draft)
    rows = "".join(_row(place, host, counts[host], top, window, touched.get(host)) for place, host in enumerate(hosts))
    base = 10.0 + 14 * len(hosts)
    label = f"Crashes by host and time, {count(len(hosts), 'host')}; the named ones first"
    return _svg(base + 28, label, rows + _time_axis(window, base))


def _in(window: Window) -> QuerySet[CrashMinute]:
    end = window.start + window.bins * window.width
    return CrashMinute.objects.filter(minute__gte=window.start, minute__lt=end)


def _by_minute(window: Window, hosts: list[str] | None = None) -> list[tuple[datetime, int]]:
    rows = _in(window) if hosts is None else _in(window).filter(host__name__in=hosts)
    return list(rows.values("minute").annotate(crashes=Sum("count")).values_list("minute", "crashes"))


def _shown_hosts(draft: Draft, window: Window) -> list[str]:
    """The named hosts first, then those with the most crashes, as many as fit."""
    ranked = _in(window).values("host__name").annotate(crashes=Sum("count")).order_by("-crashes", "host__name")
    names = ranked.values_list("host__name", flat=True)
    named = list(names.filter(host__name__in=draft.hosts)[:MOST_HOSTS])
    named += [host for host in draft.hosts if host not in named]
    return [*named, *names.exclude(host__name__in=draft.hosts)[:MOST_HOSTS]][:MOST_HOSTS]


def _marks(draft: Draft, window: Window) -> list[tuple[datetime, str]]:
    incident = draft.incident
    named = {incident.opened_at: "opened", incident.acknowledged_at: "acknowledged"}
    named |= {incident.mitigated_at: "mitigated", incident.resolved_at: "closed"}
    marks = [(incident.deploy.started_at, incident.deploy.key)] if incident.deploy else []
    marks += [(at, label) for at, label in named.items() if at]
    return [(at, label) for at, label in marks if at >= window.start]


def _touched(draft: Draft) -> dict[str, datetime]:
    rows = HostDeploy.objects.filter(deploy=draft.incident.deploy).exclude(outcome=HostDeploy.Outcome.SKIPPED)
    return dict(rows.values_list("host__name", "at")) if draft.incident.deploy else {}


def _x(place: float) -> float:
    return LEFT + place * (WIDTH - LEFT - RIGHT)


def _bars(counts: list[int], below: list[int], top: int, height: float, base: float, kind: str) -> str:
    step, parts = (WIDTH - LEFT - RIGHT) / len(counts), []
    for place, (number, under) in enumerate(zip(counts, below, strict=True)):
        if number:
            tall, y = height * number / top, base - height * (number + under) / top
            parts.append(f'<rect x="{LEFT + place * step:.1f}" y="{y:.1f}" width="{step:.2f}" height="{tall:.1f}"/>')
    return f'<g class="{kind}">{"".join(parts)}</g>'


def _mark(place: float, label: str, number: int) -> str:
    x, y = _x(place), 12 * number
    line = f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{y}" y2="{BASE}"/>'
    side, anchor = (-3, "end") if place > 0.5 else (3, "start")
    text = f'<text class="label" x="{x + side:.1f}" y="{y + 9}" text-anchor="{anchor}">{escape(label[:40])}</text>'
    return line + text


def _row(place: int, host: str, counts: list[int], top: int, window: Window, touched_at: datetime | None) -> str:
    y, step = 10 + 14 * place, (WIDTH - LEFT - RIGHT) / window.bins
    cells = "".join(
        f'<rect class="level{-(-LEVELS * number // top)}" x="{LEFT + bin_ * step:.1f}" y="{y}" '
        f'width="{max(step, 1.5):.2f}" height="12"><title>{escape(host)}: {number}</title></rect>'
        for bin_, number in enumerate(counts)
        if number
    )
    if touched_at and touched_at >= window.start:
        x = _x(window.place(touched_at))
        cells += f'<line class="touched" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 1}" y2="{y + 13}"/>'
    return f'<text x="{LEFT - 6}" y="{y + 10}" text-anchor="end">{escape(host[-14:])}</text>{cells}'


def _time_axis(window: Window, base: float) -> str:
    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>']
    for fifth in range(6):
        at = (window.start + window.bins * window.width * fifth / 5).astimezone(UTC)
        anchor = "start" if fifth == 0 else "end" if fifth == 5 else "middle"
        parts.append(f'<text x="{_x(fifth / 5):.1f}" y="{base + 18}" text-anchor="{anchor}">{at:%H:%M}</text>')
    return "".join(parts)


def _svg(height: float, label: str, body: str) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
    return f'{head} aria-label="{escape(label, {chr(34): "&quot;"})}">{body}</svg>'
