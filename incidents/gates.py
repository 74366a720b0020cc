"""Deploy gates: what a deploy tool asks before it goes on."""

from datetime import datetime

from django.db import IntegrityError, transaction

from fleet.actor import Actor
from fleet.models import Stack
from incidents.errors import Refused
from incidents.live import announce
from incidents.models import Gate, Incident
from incidents.timeline.chain import settled_text
from incidents.timeline.record import record


def gate_of(stack_name: str) -> Gate | None:
    """The standing closing of a stack's gate, by the stack's name; None where it is open, or the stack unknown."""
    return Gate.objects.select_related("incident").filter(stack__name=stack_name, opened_at__isnull=True).first()


def standing_gate(stack: Stack) -> Gate | None:
    """The standing closing of a stack's gate; None where it is open."""
    return Gate.objects.select_related("incident").filter(stack=stack, opened_at__isnull=True).first()


def close_gate(*, stack: Stack, incident: Incident | None, reason: str, actor: Actor, now: datetime) -> Gate:
    """Closes the gate. Raises Refused where it is closed already, saying by whom and why."""
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
        raise Refused(_closed_already(stack)) from None
    return gate


@transaction.atomic
def open_gate(*, stack: Stack, actor: Actor, now: datetime, reason: str) -> Gate:
    """Opens the gate. Raises Refused where it is open already, saying who opened it."""
    gate = standing_gate(stack)
    opened = gate and Gate.objects.filter(pk=gate.pk, opened_at__isnull=True).update(
        opened_at=now, opened_by=actor.name
    )
    if gate is None or not opened:
        raise Refused(_open_already(stack))
    gate.refresh_from_db()
    _tell(gate, text=f"Opened the deploy gate of {stack.name}: {reason or 'no reason given'}", actor=actor, now=now)
    return gate


def _tell(gate: Gate, *, text: str, actor: Actor, now: datetime) -> None:
    announce("gates", stack=gate.stack.name)
    if gate.incident_id:
        data = {"stack": gate.stack.name, "open": gate.opened_at is not None}
        record(incident_id=gate.incident_id, kind="gate", text=text, actor=actor, occurred_at=now, data=data)


def _closed_already(stack: Stack) -> str:
    gate = standing_gate(stack)
    if gate is None:
        return f"The deploy gate of {stack.name} was just changed by somebody else; look again."
    since = f"{gate.closed_at:%H:%M:%S} UTC"
    return f"{gate.closed_by} closed the deploy gate of {stack.name} at {since} already: {gate.reason}"


def _open_already(stack: Stack) -> str:
    last = Gate.objects.filter(stack=stack).order_by("-opened_at").first()
    if last is None or last.opened_at is None:
        return f"The deploy gate of {stack.name} is open; nothing was changed."
    return f"{last.opened_by} opened the deploy gate of {stack.name} at {last.opened_at:%H:%M:%S} UTC already."
