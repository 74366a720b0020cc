"""The second person: asked where the policy (`SECOND_APPROVAL`) says so, for the very plan that the first one saw."""

from datetime import datetime

from django.conf import settings

from fleet.actor import Actor
from fleet.live import announce
from incidents.errors import Refused
from incidents.models import RunStep
from incidents.runbooks.runs import tell_step


def needs_approval(step: RunStep) -> bool:
    """Whether one person alone may not begin this step: the policy names its kind, or its action."""
    options: dict[str, object] = next(
        (plan["options"] for plan in step.run.plan["steps"] if plan["key"] == step.key), {}
    )
    return bool({step.kind, options.get("action")} & set(settings.SECOND_APPROVAL))


def is_asked(step: RunStep, digest: str) -> bool:
    """Whether somebody asked for a second person with this plan; one asked for with another plan counts no more."""
    return bool(step.asked) and step.asked.get("digest") == digest


def may_begin(step: RunStep, *, digest: str, actor: Actor, break_glass: str) -> bool:
    """Whether the step may begin now, or has to wait for a second person. Raises Refused for the one who asked."""
    if not needs_approval(step) or break_glass.strip():
        return True
    if not is_asked(step, digest):
        return False
    if step.asked["by"] == actor.name:
        raise Refused("You asked for a second person already, so somebody else has to approve. Nothing was done.")
    return True


def ask_second_person(step: RunStep, *, digest: str, now: datetime, actor: Actor) -> RunStep:
    """Writes down that the plan waits for another person; the step stays ready."""
    asked = {"by": actor.name, "at": now.isoformat(), "digest": digest}
    RunStep.objects.filter(pk=step.pk).update(asked=asked)
    step.refresh_from_db()
    tell_step(step, "asked a second person to approve.", now=now, actor=actor, kind="approval")
    announce(f"incident:{step.run.incident_id}")
    return step


def said_of_approval(step: RunStep, actor: Actor, break_glass: str) -> str:
    """What the timeline says of who agreed; nothing where the policy asks for nobody."""
    if not needs_approval(step):
        return ""
    if break_glass.strip():
        return f" {actor.name} did not wait for a second person: {break_glass.strip()}"
    return f" Approved by {actor.name}, asked by {step.asked['by']}."
