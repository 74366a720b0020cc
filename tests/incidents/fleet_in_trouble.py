"""A small fleet in the database, its quiet past and its troubles; crashes go in through the real ingest."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.ingest.crashes import ingest_crashes
from fleet.lab.past import PlacedDyno, quiet_past
from fleet.models import App, Deploy, Dyno, Host, HostDeploy, Stack
from incidents import watch
from incidents.models import Watch
from incidents.watching.watcher import Watcher

TICK = 4.0
OLD, NEW = "1.9", "2.0"
START = datetime(2026, 3, 4, 3, 0, 2, tzinfo=UTC)


@dataclass
class Fleet:
    """Fourteen hosts: four with old tools, six with new ones, four fresh; ten dynos each, of thirty apps."""

    now: datetime = START
    dice: random.Random = field(default_factory=lambda: random.Random(7))
    watcher: Watcher = field(default_factory=Watcher)
    opened: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stack = Stack.objects.create(name="cedar-14")
        apps = App.objects.bulk_create(App(name=f"app-{n}") for n in range(30))
        self.hosts = [self._host(n) for n in range(14)]
        Dyno.objects.bulk_create(
            Dyno(name=f"{app.name}.{host.name}", app=app, host=host, stack=self.stack, changed_at=self.now)
            for host in self.hosts
            for app in self.dice.sample(apps, 10)
        )

    def _host(self, n: int) -> Host:
        tools = OLD if n < 4 else NEW
        attributes = {"tools": tools, "zone": "ab"[n % 2], "provisioned": "fresh" if n >= 10 else "2016"}
        return Host.objects.create(
            name=f"h{n:02}", state="in_service", attributes=attributes, added_at=self.now, memory_mb=4096, slots=40
        )

    def with_past(self, ticks: int = 400) -> "Fleet":
        placed = Dyno.objects.order_by("name").values_list("name", "app__name", "host__name")
        past = quiet_past(
            [PlacedDyno(*row) for row in placed],
            until=self.now,
            seconds=ticks * TICK,
            crashes_per_dyno_hour=1.0,
            seed=3,
        )
        assert ingest_crashes(lines=past, source="recorded", now=self.now, recorded=True).accepted > 20
        return self

    def redeploy(self, key: str = "d3") -> Deploy:
        """On every host that is not fresh; half a second a host."""
        deploy = Deploy.objects.create(
            key=key, target="stack", kind="redeploy", stack=self.stack, started_at=self.now, source="test"
        )
        for place, host in enumerate(self.hosts[:10]):
            outcome = "overwrote" if host.attributes["tools"] == OLD else "skipped"
            HostDeploy.objects.create(
                deploy=deploy, host=host, at=self.now + timedelta(seconds=place / 2), outcome=outcome
            )
        return deploy

    def upgrade(self, key: str) -> Deploy:
        """An innocent one, on two hosts with new tools."""
        deploy = Deploy.objects.create(
            key=key, target="stack", kind="upgrade", stack=self.stack, started_at=self.now, aborted=True
        )
        for host in self.hosts[4:6]:
            HostDeploy.objects.create(deploy=deploy, host=host, at=self.now, outcome="installed")
        return deploy

    def crash(self, dynos: list[tuple[str, str, str]], *, signal: str | None = "SIGSEGV") -> None:
        """These dynos (name, app, host) die now."""
        lines = [self._line(row, signal) for row in dynos]
        receipt = ingest_crashes(lines=lines, source="test", now=self.now + timedelta(seconds=0.5))
        assert not receipt.rejected

    def _line(self, row: tuple[str, str, str], signal: str | None) -> dict[str, Any]:
        at = (self.now - timedelta(seconds=self.dice.random())).isoformat()
        status = 139 if signal else 1
        return {"at": at, "host": row[2], "app": row[1], "dyno": row[0], "signal": signal, "exit_status": status}

    def dynos_on(self, tools: str) -> list[tuple[str, str, str]]:
        rows = Dyno.objects.filter(host__attributes__tools=tools).order_by("name")
        return list(rows.values_list("name", "app__name", "host__name"))

    def pass_ticks(self, ticks: int, *, dying: float = 0.0, tools: str = OLD, normal: float = 0.02) -> "Fleet":
        """Lets time pass; each tick the share `dying` of the dynos on hosts with these tools die of SIGSEGV."""
        for _ in self._moments(ticks):
            if self.dice.random() < normal * 10:
                self.crash([self.dice.choice(self.dynos_on(NEW))], signal=None)
            victims = [dyno for dyno in self.dynos_on(tools) if self.dice.random() < dying]
            if victims:
                self.crash(victims)
            self.tick()
        return self

    def hand_over(self) -> Watcher:
        """The process that watched is gone, and another one takes its place."""
        Watch.objects.update(held_until=None)
        self.watcher = Watcher()
        return self.watcher

    def tick(self, watcher: Watcher | None = None) -> watch.Ticked | None:
        ticked = watch.tick(now=self.now + timedelta(seconds=1), watcher=watcher or self.watcher)
        if ticked:
            self.opened += ticked.carried.opened
        return ticked

    def _moments(self, ticks: int) -> Iterator[datetime]:
        for _ in range(ticks):
            self.now += timedelta(seconds=TICK)
            yield self.now


def troubled() -> Fleet:
    """The story, up to some ticks after the first damage."""
    fleet = Fleet().with_past()
    fleet.pass_ticks(3)
    fleet.upgrade("d2")
    fleet.pass_ticks(2)
    fleet.redeploy("d3")
    return fleet.pass_ticks(14, dying=0.2)
