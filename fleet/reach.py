"""From a host's row to the way to it: its endpoint, its pinned key, our own key."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from fleet.hostkit import bundle
from fleet.models import Host
from fleet.ssh import Endpoint, Limits, NotStarted, Pool, run_with_pool

Result = TypeVar("Result")


def endpoint_of(host: Host) -> Endpoint:
    """Where the host's SSH server is, and the one key it must show."""
    return Endpoint(host.name, host.address, host.port, host.ssh_user, host.host_key)


def reach_hosts(work: Callable[[Pool], Awaitable[Result]], *, limits: Limits | None = None) -> Result:
    """Runs `work(pool)` to its end in an event loop of its own. Raises NotStarted in a process without the key."""
    if settings.SSH_KEY_FILE is None:
        raise NotStarted("This process has no SSH key. Set SSH_KEY_FILE for the worker that acts, and for no other.")
    keys, digests = [Path(settings.SSH_KEY_FILE)], settings.HOST_PROGRAM_DIGESTS or [bundle.digest()]
    return run_with_pool(work, client_keys=keys, limits=limits, program_digests=digests)
