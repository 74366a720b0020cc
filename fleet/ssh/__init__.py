"""Calls to the host program over SSH. Three outcomes leave this package: NotStarted, Unknown and Rejected."""

from fleet.ssh.answers import Answer
from fleet.ssh.endpoint import Endpoint
from fleet.ssh.errors import CallError, NotStarted, Rejected, Unknown
from fleet.ssh.keys import KeyPair, fingerprint, generate_key, write_key
from fleet.ssh.limits import Limits
from fleet.ssh.pool import Pool
from fleet.ssh.session import run_with_pool

__all__ = [
    "Answer",
    "CallError",
    "Endpoint",
    "KeyPair",
    "Limits",
    "NotStarted",
    "Pool",
    "Rejected",
    "Unknown",
    "fingerprint",
    "generate_key",
    "run_with_pool",
    "write_key",
]
