"""Moves every dyno of the targets to fresh hosts."""

from typing import Any

from fleet.lifecycle import MigrationState, MoveState
from fleet.migration.mover import (
    NotPossible,
    create_migration,
    drive_migration,
    propose,
    start_migration,
)
from fleet.models import Host, Migration
from incidents.errors import Refused
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.targets import exposed_ids


class Migrate:
    """The fleet makes the plan; its mover carries it out, and can be paused, resumed and cancelled beside the run."""

    changes_hosts = True

    def describe(self, context: StepContext, hosts: list[Host]) -> dict[str, Any]:
        """The moves, one by one, and whether there is room for them."""
        plan = propose(sources=hosts, avoid=exposed_ids(context.incident))
        return {
            "summary": f"Move {len(plan.moves)} dynos from {len(hosts)} hosts",
            "command": "dynohost start, health, commit on the fresh host; then stop on the old one",
            **plan.as_data(),
        }

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """Writes the moves down. Raises Refused when there is not enough room."""
        plan = propose(sources=hosts, avoid=exposed_ids(context.incident))
        if plan.shortfall:
            raise Refused("There is not enough room on fresh hosts. Add hosts, then look at the plan again.")
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
        done, all_moves = states.count(MoveState.DONE.value), len(states)
        result = {"migration": migration_id, "numbers": {state: states.count(state) for state in sorted(set(states))}}
        told = f"{done} of {all_moves} dynos moved"
        if migration.state in (MigrationState.RUNNING, MigrationState.PLANNED, MigrationState.PAUSED):
            return Outcome("running", f"{told} so far. {migration.trouble}".strip(), result)
        if done == all_moves:
            return Outcome("succeeded", f"{told}.", result)
        if MoveState.UNKNOWN.value in states:
            return Outcome("unknown", f"{told}; for some the hosts did not say what became of them.", result)
        return Outcome("failed", f"{told}; the others are where they were.", result)
