"""Host actions over targets: the plan first, bound to what was seen; then the hosts' own answers."""

from typing import Any

from fleet.blast_radius import beyond_policy, may_pass
from fleet.models import Host
from incidents.errors import Refused
from incidents.runbooks.actions import ACTIONS, Action
from incidents.runbooks.actions.base import describe_targets
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.targets import select_hosts


class Act:
    """Leaves to its action what is done to the targets; checks the blast radius for those that change hosts."""

    def prepare(self, context: StepContext) -> dict[str, Any]:
        """The exact targets and command, what is touched, and what cannot be undone."""
        action = self._action(context)
        hosts = action.choose(context, select_hosts(context.incident, context.options))
        plan = describe_targets(hosts)
        told = action.describe(context, hosts)
        warnings = [*plan["warnings"], *told.get("warnings", [])]
        if beyond := self._beyond(action, hosts):
            warnings += [*beyond, "An administrator must confirm."]
        return plan | told | {"warnings": warnings}

    def begin(self, context: StepContext) -> None:
        """Writes down each host's part, for the very hosts that the plan named.

        Raises Refused when there is no target, or too many for this person.
        """
        action = self._action(context)
        names = [target["host"] for target in context.step.prepared["targets"]]
        hosts = list(Host.objects.filter(name__in=names).order_by("name"))
        if not hosts:
            raise Refused("No host is concerned any more, so nothing was done. Skip the step with that reason.")
        beyond = self._beyond(action, hosts)
        if beyond and not may_pass(context.actor):
            raise Refused(f"{' '.join(beyond)} Nothing was done; ask an administrator.")
        action.begin(context, hosts)

    def drive(self, context: StepContext) -> Outcome:
        """Lets the action go on."""
        return self._action(context).drive(context)

    @staticmethod
    def _action(context: StepContext) -> Action:
        return ACTIONS[context.options["action"]]

    @staticmethod
    def _beyond(action: Action, hosts: list[Host]) -> list[str]:
        return beyond_policy(hosts, moves_dynos=action.moves_dynos) if action.changes_hosts else []
