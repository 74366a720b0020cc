"""Every number that bounds the SSH layer, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines in seconds, ceilings in counts and bytes."""

    connect_seconds: float = 5.0
    login_seconds: float = 10.0
    silence_seconds: float = 15.0  # a server that answers no keepalive for this long is gone
    handshakes: int = 32  # simultaneous, over all hosts
    calls_per_host: int = 24  # below the 32 that a host program works on at once
    request_bytes: int = 1 << 20
    answer_bytes: int = 8 << 20
    evidence_characters: int = 2000
    failures_to_open: int = 3  # failures in a row that open a host's circuit breaker
    backoff_seconds: float = 0.5
    backoff_most_seconds: float = 30.0
