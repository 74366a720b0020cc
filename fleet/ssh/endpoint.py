"""Where a host is and the one key it must show."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host's SSH server; `host_key` is one OpenSSH public key line, or `@cert-authority` and a CA's."""

    name: str
    address: str
    port: int
    user: str
    host_key: str

    @property
    def where(self) -> str:
        """`name (address:port)`, for messages."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.name} ({address}:{self.port})"
