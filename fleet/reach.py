"""From a host's row to the way to it: its endpoint, its pinned key, our own key."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from django.conf import settings

from fleet.models import Host
from fleet.ssh import Endpoint, Limits, Pool, run_with_pool

Result = TypeVar("Result")


class NoKey(RuntimeError):  # noqa: N818 - says what is wrong
    """This process was given no SSH key, so it cannot act on hosts."""


def endpoint_of(host: Host) -> Endpoint:
    """Where the host's SSH server is, and the one key it must show."""
    return Endpoint(host.name, host.address, host.port, host.ssh_user, host.host_key)


def key_path() -> Path:
    """The private key that hosts let in. Raises NoKey in a process that was not given one."""
    if settings.SSH_KEY_FILE is None:
        raise NoKey("Set SSH_KEY_FILE for the worker that acts on hosts, and for no other process.")
    return Path(settings.SSH_KEY_FILE)


def with_hosts(work: Callable[[Pool], Awaitable[Result]], *, limits: Limits | None = None) -> Result:
    """Runs `work(pool)` to its end in an event loop of its own. Raises NoKey."""
    return run_with_pool(work, client_keys=[key_path()], limits=limits)
