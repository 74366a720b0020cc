"""What every lab fleet offers, simulated or real."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LabHost:
    """One host of a lab, as it would be enrolled: where its SSH server is and the key it must show."""

    name: str
    address: str
    port: int
    user: str
    host_key: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int = 1024
    slots: int = 16


class Lab(Protocol):
    """A fleet to try things on: hosts reached over SSH with `client_key`, and the deploy tool's hands."""

    hosts: list[LabHost]
    client_key: Path
    crashes_per_dyno_hour: float  # of a healthy dyno

    @property
    def images(self) -> Mapping[str, str]:
        """Of cedar-14: "original" and "upgrade", as the installer and the host program name them."""
        ...

    async def start(self) -> None:
        """Bring the hosts up with their images and dynos."""
        ...

    async def stop(self) -> None:
        """Take everything down again, leaving no process, mount or address."""
        ...

    async def install(self, host_name: str, *, stack: str, image: str, tools: str) -> str:
        """What the installer of version `tools` does on that host; returns the outcome it reports."""
        ...

    async def drop_caches(self, host_name: str) -> None:
        """Forget cached pages of that host's images, so that they are read again."""
        ...
