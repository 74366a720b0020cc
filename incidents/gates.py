"""Deploy gates: what a deploy tool asks before it goes on. Each incident closes for itself; a person opens for all."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from fleet.actor import Actor
from fleet.live import announce
from fleet.models import Stack
from incidents.errors import Refused
from incidents.models import Gate, Incident
from incidents.timeline.chain import settled_text
from incidents.timeline.record import record


def standing_closings(stack: Stack) -> QuerySet[Gate]:
    """Every standing closing of a stack's gate, the oldest first."""
    standing = Gate.objects.select_related("incident", "stack").filter(stack=stack, opened_at__isnull=True)
    return standing.order_by("closed_at", "pk")


def standing_gate(stack: Stack) -> Gate | None:
    """The oldest standing closing of a stack's gate; None where it is open."""
    return standing_closings(stack).first()


def gate_of(stack_name: str) -> Gate | None:
    """The same, by the stack's name; None where it is open, or the stack unknown."""
    stack = None if "\0" in stack_name else Stack.objects.filter(name=stack_name).first()
    return standing_gate(stack) if stack else None


def close_gate(*, stack: Stack, incident: Incident | None, reason: str, actor: Actor, now: datetime) -> Gate:
    """Closes the gate for an incident, or by hand. Raises Refused where that was done already, saying by whom."""
    if not reason.strip():
        raise Refused("Say why the gate is closed: deploy tools show the reason. Nothing was changed.")
    reason = settled_text(reason.strip())
    try:
        with transaction.atomic():
            gate = Gate.objects.create(
                stack=stack, incident=incident, reason=reason, closed_at=now, closed_by=actor.name
            )
            _tell(gate, text=f"Closed the deploy gate of {stack.name}: {reason}", actor=actor, now=now)
    except IntegrityError:
        raise Refused(_closed_already(stack, incident)) from None
    return gate


@transaction.atomic
def open_gate(
    *, stack: Stack, actor: Actor, now: datetime, reason: str, incident: Incident | None = None
) -> list[Gate]:
    """Lifts every standing closing, or an incident's own alone; gives those lifted.

    Raises Refused where there was none left to lift, saying who was first.
    """
    standing = standing_closings(stack)
    wanted = list(standing.filter(incident=incident) if incident else standing)
    lifted = [gate for gate in wanted if _lift(gate, actor=actor, now=now)]
    if not lifted:
        raise Refused(_open_already(stack))
    for gate in lifted:
        text = f"Opened the deploy gate of {stack.name}: {reason or 'no reason given'}"
        _tell(gate, text=text, actor=actor, now=now)
    return lifted


def _lift(gate: Gate, *, actor: Actor, now: datetime) -> bool:
    standing = Gate.objects.filter(pk=gate.pk, opened_at__isnull=True)
    lifted = bool(standing.update(opened_at=now, opened_by=actor.name))
    gate.opened_at, gate.opened_by = now, actor.name
    return lifted


def _tell(gate: Gate, *, text: str, actor: Actor, now: datetime) -> None:
    announce("gates", stack=gate.stack.name)
    if gate.incident_id:
        data = {"stack": gate.stack.name, "open": gate.opened_at is not None}
        record(incident_id=gate.incident_id, kind="gate", text=text, actor=actor, occurred_at=now, data=data)


def _closed_already(stack: Stack, incident: Incident | None) -> str:
    gate = standing_closings(stack).filter(incident=incident).first()
    if gate is None:
        return f"The deploy gate of {stack.name} was just changed by somebody else; look again."
    since = f"{gate.closed_at:%H:%M:%S} UTC"
    return f"{gate.closed_by} closed the deploy gate of {stack.name} at {since} already: {gate.reason}"


def _open_already(stack: Stack) -> str:
    last = Gate.objects.filter(stack=stack).order_by("-opened_at").first()
    if last is None or last.opened_at is None:
        return f"The deploy gate of {stack.name} is open; nothing was changed."
    return f"{last.opened_by} opened the deploy gate of {stack.name} at {last.opened_at:%H:%M:%S} UTC already."
