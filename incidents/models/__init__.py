"""The facts of incidents."""

from incidents.models.backtests import Backtest
from incidents.models.gates import Gate
from incidents.models.incidents import Evidence, Incident, IncidentHost, Report, Suspect
from incidents.models.notifying import Channel, Delivery
from incidents.models.policy import GatePolicy
from incidents.models.runs import RunbookRun, RunStep
from incidents.models.timeline import TimelineEntry
from incidents.models.watching import DeployVerdict, Notice, Watch, WatchMemory

__all__ = [
    "Backtest", "Channel", "Delivery", "DeployVerdict", "Evidence", "Gate", "GatePolicy", "Incident", "IncidentHost",
    "Notice", "Report", "RunStep", "RunbookRun", "Suspect", "TimelineEntry", "Watch", "WatchMemory",
]  # fmt: skip
