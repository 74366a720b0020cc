"""Host actions over targets: the plan first, bound to what was seen; then the hosts' own answers."""

from typing import Any

from incidents.errors import Refused
from incidents.runbooks.actions import ACTIONS, Action
from incidents.runbooks.actions.base import describe_targets, may_exceed_blast_radius
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.targets import exceeds_blast_radius, select_hosts


class Act:
    """Leaves to its action what is done to the targets; checks the blast radius for those that change hosts."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """The exact targets and command, what is touched, and what cannot be undone."""
        hosts = select_hosts(context.incident, context.options)
        action = self._action(context)
        plan = describe_targets(hosts) | action.describe(context, hosts)
        if action.changes_hosts and exceeds_blast_radius(hosts):
            plan["warnings"] = [
                *plan["warnings"],
                "More of the fleet than the policy allows: an administrator must confirm.",
            ]
        return plan

    def begin(self, context: StepContext) -> None:
        """Writes down each host's part. Raises Refused when there is no target, or too many for this person."""
        hosts = select_hosts(context.incident, context.options)
        action = self._action(context)
        if not hosts:
            raise Refused("No host is concerned any more, so nothing was done. Skip the step with that reason.")
        if action.changes_hosts and exceeds_blast_radius(hosts) and not may_exceed_blast_radius(context.actor):
            raise Refused(
                f"{len(hosts)} hosts are more of the fleet than the policy allows at once; ask an administrator."
            )
        action.begin(context, hosts)

    def drive(self, context: StepContext) -> Outcome:
        """Lets the action go on."""
        return self._action(context).drive(context)

    @staticmethod
    def _action(context: StepContext) -> Action:
        return ACTIONS[context.options["action"]]
