"""Moves every dyno of the targets to fresh hosts."""

from typing import Any

from fleet.lifecycle import HostState, MigrationState, MoveState
from fleet.migration.census import UNFINISHED
from fleet.migration.mover import (
    NotPossible,
    create_migration,
    drive_migration,
    propose,
    start_migration,
)
from fleet.migration.plan import Plan
from fleet.models import Dyno, Host, Migration
from fleet.wording import count, plural
from incidents.errors import Refused
from incidents.runbooks.actions.base import FLEET_CHANGED, in_reach
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.targets import affected_hosts, exposed_ids

LIVE = (MigrationState.RUNNING, MigrationState.PLANNED, MigrationState.PAUSED)


class Migrate:
    """The fleet makes the plan; its mover carries it out, and can be paused, resumed and cancelled beside the run."""

    changes_hosts = True
    moves_dynos = True

    def choose(self, _context: StepContext, hosts: list[Host]) -> list[Host]:
        """Those that can be asked."""
        return in_reach(hosts)

    def describe(self, context: StepContext, hosts: list[Host]) -> dict[str, Any]:
        """The moves, one by one, and whether there is room for them."""
        plan = self._propose(context, hosts)
        return {
            "summary": f"Move {count(len(plan.moves), 'dyno')} from {count(len(hosts), 'host')}",
            "command": "dynohost start, health, commit on the fresh host; then stop on the old one",
            **plan.as_data(),
        }

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """Writes down the very moves that were shown. Raises Refused when they are others now, or room is short."""
        plan = self._propose(context, hosts)
        if plan.as_data()["moves"] != context.step.prepared["moves"]:
            raise Refused(FLEET_CHANGED)
        if plan.shortfall:
            raise Refused(f"{plan.shortfall.told()} Nothing was done. Add hosts, then look at the plan again.")
        reference = context.incident.reference
        try:
            migration = create_migration(plan=plan, reference=reference, actor=context.actor, now=context.now)
            start_migration(migration=migration, actor=context.actor, now=context.now)
        except NotPossible as obstacle:
            raise Refused(str(obstacle)) from None
        context.step.result = {"migration": migration.pk}

    def drive(self, context: StepContext) -> Outcome:
        """Moves what is left to move."""
        migration_id = context.step.result["migration"]
        drive_migration(migration_id)
        migration = Migration.objects.get(pk=migration_id)
        states = list(migration.moves.values_list("state", flat=True))
        result = {"migration": migration_id, "numbers": {state: states.count(state) for state in sorted(set(states))}}
        told = f"{states.count(MoveState.DONE.value)} of {count(len(states), 'dyno')} moved"
        under_way = any(state in UNFINISHED and state != MoveState.UNKNOWN for state in states)
        if migration.state in LIVE or under_way:
            return Outcome("running", f"{told} so far. {migration.trouble}".strip(), result)
        if MoveState.UNKNOWN.value in states:
            return Outcome("unknown", f"{told}; for some the hosts did not say what became of them.", result)
        left = self._left_behind(context)
        if left or set(states) - {MoveState.DONE.value}:
            still = f"{count(left, 'dyno')} {plural(left, 'is', 'are')} still on hosts that were to be emptied"
            return Outcome("failed", f"{told}; {still}.", result)
        return Outcome("succeeded", f"{told}.", result)

    @staticmethod
    def _propose(context: StepContext, hosts: list[Host]) -> Plan:
        """Away from hosts that the deploy touched, and from those that the incident names."""
        named = affected_hosts(context.incident).values_list("pk", flat=True)
        return propose(sources=hosts, avoid=exposed_ids(context.incident) | set(named))

    @staticmethod
    def _left_behind(context: StepContext) -> int:
        """Dynos still on the targets by the rows; a host that a person took into service again counts no more."""
        names = [target["host"] for target in context.step.prepared["targets"]]
        on_them = Dyno.objects.placed().filter(host__name__in=names)
        return on_them.exclude(host__state=HostState.IN_SERVICE).count()
