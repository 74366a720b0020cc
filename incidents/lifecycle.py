"""PURE. States of incidents, runs of runbooks and their steps, and their allowed transitions."""

from fleet.states import State


class IncidentState(State):
    """How far the answer to an incident has come."""

    OPEN = "open", "opened, and nobody has taken it yet", "acknowledged", "mitigated", "resolved", "dismissed"
    ACKNOWLEDGED = "acknowledged", "somebody is on it", "mitigated", "resolved", "dismissed"
    MITIGATED = "mitigated", "the harm has stopped; the cause may still be there", "acknowledged", "resolved"
    RESOLVED = "resolved", "over", "acknowledged"
    DISMISSED = "dismissed", "looked at, and found to be nothing", "acknowledged"

    @classmethod
    def ongoing(cls) -> list[str]:
        """The states of an incident that still wants somebody's eyes."""
        return [cls.OPEN.value, cls.ACKNOWLEDGED.value, cls.MITIGATED.value]


class RunState(State):
    """One execution of a runbook."""

    RUNNING = "running", "its current step waits for a person, or is under way", "paused", "done", "cancelled"
    PAUSED = "paused", "a person holds it", "running", "cancelled"
    DONE = "done", "every step has ended"
    CANCELLED = "cancelled", "given up by a person; what was done stays done"


class StepState(State):
    """One part of a run."""

    WAITING = "waiting", "its turn has not come", "ready", "skipped", "cancelled"
    READY = "ready", "waits for a person", "running", "succeeded", "skipped", "cancelled"
    RUNNING = "running", "under way", "succeeded", "failed", "unknown", "cancelled"
    FAILED = "failed", "did not reach its end; may be tried again or passed over", *(
        "ready", "running", "skipped", "cancelled",
    )  # fmt: skip
    UNKNOWN = "unknown", "a host did not say what became of it; a person decides", *(
        "running", "succeeded", "failed", "skipped",
    )  # fmt: skip
    SUCCEEDED = "succeeded", "done, and checked"
    SKIPPED = "skipped", "passed over by a person, with a reason"
    CANCELLED = "cancelled", "its run was given up"


class DeliveryState(State):
    """One message to people, through one channel."""

    PENDING = "pending", "waits to be sent", "sending", "dead"
    SENDING = "sending", "is being sent", "sent", "failed", "dead"
    FAILED = "failed", "did not go through, and is tried again", "sending", "dead"
    SENT = "sent", "the receiver took it"
    DEAD = "dead", "given up; it was never taken as far as can be known"


class BacktestState(State):
    """One run of changed thresholds over the stored past."""

    QUEUED = "queued", "waits for a worker", "running", "cancelled", "failed"
    RUNNING = "running", "is played", "done", "failed", "cancelled"
    DONE = "done", "played to its end"
    FAILED = "failed", "ended without a result"
    CANCELLED = "cancelled", "given up by a person"
