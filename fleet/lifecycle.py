"""PURE. States of hosts, dynos, migrations, moves and operations, and their allowed transitions."""

from fleet.states import State


class HostState(State):
    """Where a host stands between its enrolment and its end."""

    UNKNOWN = "unknown", "named by a crash or a deploy, but never enrolled", "enrolling", "in_service", "retired"
    ENROLLING = "enrolling", "its key is pinned and the host program is being put on it", "in_service", "retired"
    IN_SERVICE = "in_service", "runs dynos and takes new ones", "tainted", "retired"
    TAINTED = "tainted", "keeps its dynos, takes no new ones", "in_service", "draining", "drained"
    DRAINING = "draining", "its dynos are being moved away", "tainted", "drained"
    DRAINED = "drained", "tainted, and runs no dynos any more", "in_service", "tainted", "retired"
    RETIRED = "retired", "gone; kept for the record", "enrolling"


class DynoState(State):
    """What the host said last about a dyno."""

    STARTING = "starting", "its process runs, but has not been found healthy", *(
        "running", "crashed", "stopped", "lost", "stranded",
    )  # fmt: skip
    RUNNING = "running", "healthy when last asked", "crashed", "stopping", "stopped", "lost", "stranded"
    CRASHED = (
        "crashed",
        "died hard; its host is starting it again",
        "running",
        "starting",
        "stopping",
        "stopped",
        "lost",
        "stranded",
    )
    STOPPING = "stopping", "told to end", "stopped", "lost", "running", "stranded"
    STOPPED = "stopped", "ended because it was told to", "starting", "running"
    LOST = "lost", "its host no longer knows it, and nobody stopped it", "running", "stopped", "stranded"
    STRANDED = "stranded", "stopped so that it could move, and started nowhere yet: it runs nowhere", *(
        "starting", "running", "crashed", "stopped",
    )  # fmt: skip


class MigrationState(State):
    """One carrying-out of a plan of moves."""

    PLANNED = "planned", "the plan stands, nothing has moved", "running", "cancelled"
    RUNNING = "running", "moves are under way", "paused", "done", "cancelled"
    PAUSED = "paused", "moves under way are finished, no new ones begin", "running", "cancelled"
    DONE = "done", "every move has ended"
    CANCELLED = "cancelled", "stopped by a person; moves that had not begun never will"


class MoveState(State):
    """The migration of one dyno. The order is start, healthy, commit, stop: it is never in zero places."""

    PLANNED = "planned", "waits for its turn", "starting", "cancelled", "failed"
    STARTING = "starting", "the start on the fresh host is under way", "started", "planned", "failed", "unknown"
    STARTED = (
        "started",
        "runs provisionally on the fresh host, not yet healthy",
        "healthy",
        "planned",
        "failed",
        "unknown",
    )
    HEALTHY = "healthy", "found healthy on the fresh host", "committed", "planned", "failed", "unknown"
    COMMITTED = "committed", "the fresh host keeps it; the old one still runs it too", "done", "unknown"
    DONE = "done", "runs on the fresh host alone"
    FAILED = "failed", "given up; the dyno is where it was, or stranded where it had to stop first", "planned"
    UNKNOWN = "unknown", "a host did not say what became of it; asked again", *(
        "starting", "started", "healthy", "committed", "done", "failed", "planned",
    )  # fmt: skip
    CANCELLED = "cancelled", "never begun; the dyno is where it was"


class OperationState(State):
    """One request to one host, by its operation id."""

    PENDING = "pending", "not sent yet", "running", "cancelled"
    RUNNING = "running", "sent, or about to be", "succeeded", "rejected", "not_started", "unknown"
    SUCCEEDED = "succeeded", "the host did it and said so"
    REJECTED = "rejected", "the host said no, with its reason", "pending"
    NOT_STARTED = "not_started", "never reached the host", "pending", "cancelled"
    UNKNOWN = (
        "unknown",
        "may have run: the host is asked again by the same operation id",
        "running",
        "succeeded",
        "rejected",
    )
    CANCELLED = "cancelled", "withdrawn before it was sent"
