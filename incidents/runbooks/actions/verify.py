"""Reads images on hosts and keeps what is found as evidence."""

from typing import Any

from django.db import transaction

from fleet.lifecycle import OperationState
from fleet.models import Host, Operation
from fleet.wording import count
from incidents.errors import Refused
from incidents.models import Evidence, RunStep
from incidents.runbooks.actions.base import host_rows, in_reach, outcome_of, perform_requested, request_on_hosts
from incidents.runbooks.actions.findings import verification_finding
from incidents.runbooks.step import Outcome, StepContext
from incidents.runbooks.targets import affected_hosts


class Verify:
    """Changes nothing on the hosts."""

    changes_hosts = False
    moves_dynos = False

    def choose(self, _context: StepContext, hosts: list[Host]) -> list[Host]:
        """Those that can be asked."""
        return in_reach(hosts)

    def describe(self, context: StepContext, hosts: list[Host]) -> dict[str, Any]:
        """Which hosts are read, and with what command."""
        wanted = self._arguments(context)
        return {
            "summary": f"Verify the image of {wanted['stack']} on {count(len(hosts), 'host')}",
            "command": f"dynohost verify stack={wanted['stack']} image={wanted['image']}",
        }

    def begin(self, context: StepContext, hosts: list[Host]) -> None:
        """One request a host."""
        request_on_hosts(context, hosts, verb="verify", arguments=self._arguments(context))

    def drive(self, context: StepContext) -> Outcome:
        """Asks the hosts; each answer becomes evidence once."""
        operations = perform_requested(context)
        suspects = set(affected_hosts(context.incident).values_list("pk", flat=True))
        rows = [
            row | self._finding(op, op.host_id in suspects)
            for row, op in zip(host_rows(operations), operations, strict=True)
        ]
        with transaction.atomic():
            RunStep.objects.select_for_update().get(pk=context.step.pk)  # so that two holders keep each answer once
            for operation in operations:
                self._keep(context, operation, operation.host_id in suspects)
        damaged = sum(row.get("finding") == "damaged" for row in rows)
        return outcome_of(operations, f"Verified images; {damaged} found changed under running dynos", rows)

    @staticmethod
    def _arguments(context: StepContext) -> dict[str, Any]:
        deploy = context.incident.deploy
        if deploy is None or deploy.stack is None or deploy.image is None:
            raise Refused("The suspected deploy names no stack image, so there is none to verify. Skip the step.")
        return {"stack": deploy.stack.name, "image": deploy.image.digest}

    @staticmethod
    def _finding(operation: Operation, suspect: bool) -> dict[str, Any]:
        if operation.state != OperationState.SUCCEEDED:
            return {"role": "suspect" if suspect else "control"}
        finding, sentence = verification_finding(operation.result or {})
        return {"role": "suspect" if suspect else "control", "finding": finding, "output": sentence}

    @staticmethod
    def _keep(context: StepContext, operation: Operation, suspect: bool) -> None:
        if operation.state != OperationState.SUCCEEDED:
            return
        finding, sentence = verification_finding(operation.result or {})
        expected = "damaged" if suspect else "intact"
        bearing = Evidence.Bearing.FOR if finding == expected else Evidence.Bearing.AGAINST
        Evidence.objects.get_or_create(
            incident=context.incident,
            host=operation.host,
            kind="verification",
            data={"operation": operation.name, "finding": finding, "result": operation.result},
            defaults={
                "bearing": Evidence.Bearing.NEUTRAL if finding == "unclear" else bearing,
                "summary": f"{operation.host.name}: {sentence}",
                "observed_at": operation.finished_at or context.now,
            },
        )
