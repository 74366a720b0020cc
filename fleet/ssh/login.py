"""From an endpoint to a connection that is logged in, within its deadlines, or a NotStarted that says why not."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Sequence
from typing import Any

import asyncssh

from fleet.ssh.connection import Connection
from fleet.ssh.endpoint import Endpoint
from fleet.ssh.errors import CallError, NotStarted
from fleet.ssh.evidence import clean
from fleet.ssh.keys import PinnedKey, fingerprint, pinned
from fleet.ssh.limits import Limits

# Every failure reaches the caller as an outcome; the library would add ten lines to the log for each connection.
asyncssh.set_log_level(logging.WARNING)


class Doorkeeper(asyncssh.SSHClient):
    """Trusts no key beyond the pinned one, and remembers the one that was shown."""

    def __init__(self) -> None:
        self.shown: asyncssh.SSHKey | None = None
        self.owns_socket = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:  # noqa: ARG002
        """From here on asyncssh closes the socket."""
        self.owns_socket = True

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Asked only for keys that are not pinned: never trusted."""
        self.shown = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        """Asked only for authorities that are not pinned: never trusted."""
        self.shown = key
        return False


async def login(endpoint: Endpoint, *, keys: Sequence[asyncssh.SSHKeyPair], limits: Limits) -> Connection:
    """Connect, check the host's key, log in, open the channel; whatever goes wrong is a NotStarted."""
    key, doorkeeper = _pinned_key(endpoint), Doorkeeper()
    sock = await _dial(endpoint, limits)
    try:
        async with asyncio.timeout(limits.login_seconds):
            return await _open(endpoint, key, sock, doorkeeper, keys, limits)
    except CallError:
        raise
    except Exception as problem:  # noqa: BLE001 - a server can break the handshake in any way; all mean the same
        raise NotStarted(_why(problem, endpoint, key, doorkeeper, limits)) from None
    finally:
        if not doorkeeper.owns_socket:
            sock.close()


def _pinned_key(endpoint: Endpoint) -> PinnedKey:
    if not endpoint.host_key.strip():
        raise NotStarted(f"{endpoint.where}: host key unknown: none is pinned, so none can be trusted; enrol the host")
    try:
        return pinned(endpoint.host_key)
    except ValueError as problem:
        raise NotStarted(f"{endpoint.where}: the pinned host key is {problem}") from None


async def _dial(endpoint: Endpoint, limits: Limits) -> socket.socket:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limits.connect_seconds):
            found = await loop.getaddrinfo(endpoint.address, endpoint.port, type=socket.SOCK_STREAM)
            return await _first_that_connects(found)
    except TimeoutError as problem:
        took = str(problem) or f"no connection within {limits.connect_seconds:g} s"
        raise NotStarted(f"{endpoint.where}: {took}") from None
    except (OSError, ValueError, OverflowError) as problem:  # a bad name or port is not an OSError
        reason = os.strerror(problem.errno) if isinstance(problem, ConnectionError) and problem.errno else problem
        raise NotStarted(f"{endpoint.where}: cannot connect: {reason}") from None


async def _first_that_connects(found: Sequence[tuple[int, int, int, str, Any]]) -> socket.socket:
    failure: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
        except OSError as problem:
            sock.close()
            failure = problem
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise failure


async def _open(
    endpoint: Endpoint,
    key: PinnedKey,
    sock: socket.socket,
    doorkeeper: Doorkeeper,
    keys: Sequence[asyncssh.SSHKeyPair],
    limits: Limits,
) -> Connection:
    ssh = await asyncssh.connect(
        endpoint.name,
        endpoint.port,
        sock=sock,
        config=None,
        known_hosts=key.trusted,
        server_host_key_algs=key.algorithms,
        client_factory=lambda: doorkeeper,
        username=endpoint.user,
        client_keys=keys,
        **PLAIN,
        keepalive_interval=limits.silence_seconds / 3,
        keepalive_count_max=2,
    )
    connection = Connection(endpoint, limits)
    try:
        await connection.attach(ssh)
    except BaseException:
        ssh.abort()
        raise
    return connection


# Only what is given here counts: no agent, no configuration file, no GSS, no password, no X.509.
PLAIN = {
    "agent_path": None,
    "gss_host": None,
    "gss_kex": False,
    "gss_auth": False,
    "x509_trusted_certs": None,
    "preferred_auth": "publickey",
    "password_auth": False,
    "kbdint_auth": False,
    "host_based_auth": False,
    "disable_trivial_auth": True,
    "compression_algs": None,
    "login_timeout": 0,
    "server_host_keys_handler": None,
}


def _why(problem: Exception, endpoint: Endpoint, key: PinnedKey, doorkeeper: Doorkeeper, limits: Limits) -> str:
    if doorkeeper.shown is not None:
        return _key_changed(endpoint, key, doorkeeper.shown)
    if isinstance(problem, TimeoutError):
        return f"{endpoint.where}: connected, but no login within {limits.login_seconds:g} s"
    said = clean(str(problem), most=300) or type(problem).__name__
    if isinstance(problem, asyncssh.HostKeyNotVerifiable):
        return f"{endpoint.where}: the host's key is not to be trusted: {said}"
    if isinstance(problem, asyncssh.PermissionDenied):
        return f"{endpoint.where}: login as {endpoint.user} refused: {said}"
    if isinstance(problem, asyncssh.ChannelOpenError):
        return f"{endpoint.where}: the host program cannot be opened: {said}"
    return f"{endpoint.where}: the SSH handshake failed: {said}"


def _key_changed(endpoint: Endpoint, key: PinnedKey, shown: asyncssh.SSHKey) -> str:
    kind = "authority" if key.is_authority else "key"
    return (
        f"{endpoint.where}: host key changed: it shows {fingerprint(shown)} ({shown.get_algorithm()}), "
        f"the pinned {kind} is {fingerprint(key.key)} ({key.key.get_algorithm()}). Nothing was sent. "
        "Somebody may be in between: compare with `ssh-keygen -lf` of its key in /etc/ssh, on the host's own console, "
        "before enrolling it again"
    )
