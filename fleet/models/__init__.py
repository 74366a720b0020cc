"""The facts of the fleet."""

from fleet.models.crashes import Crash, CrashKind, CrashMinute
from fleet.models.deploys import Deploy, HostDeploy
from fleet.models.dynos import App, Dyno
from fleet.models.hosts import Host, Taint
from fleet.models.inbox import WebhookDelivery, WebhookSource
from fleet.models.kernel import KernelLine
from fleet.models.moves import Migration, Move
from fleet.models.operations import Operation
from fleet.models.stacks import Stack, StackImage
from fleet.models.tokens import ApiToken

__all__ = [
    "ApiToken", "App", "Crash", "CrashKind", "CrashMinute", "Deploy", "Dyno", "Host", "HostDeploy", "KernelLine",
    "Migration",
    "Move", "Operation", "Stack", "StackImage", "Taint", "WebhookDelivery", "WebhookSource",
]  # fmt: skip
