"""The facts of incidents."""

from incidents.models.gates import Gate
from incidents.models.incidents import Evidence, Incident, IncidentHost, Report, Suspect
from incidents.models.notifying import Channel, Delivery
from incidents.models.policy import GatePolicy
from incidents.models.runs import RunbookRun, RunStep
from incidents.models.timeline import TimelineEntry

__all__ = [
    "Channel", "Delivery", "Evidence", "Gate", "GatePolicy", "Incident", "IncidentHost", "Report", "RunStep",
    "RunbookRun", "Suspect", "TimelineEntry",
]  # fmt: skip
