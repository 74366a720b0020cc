"""SSH keys: made, written, read and named by their fingerprints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from fleet.ssh.errors import NotStarted

CERTIFICATE_AUTHORITY = "@cert-authority "


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A new key: `private` in OpenSSH's format, `public` as one line."""

    private: str
    public: str


@dataclass(frozen=True, slots=True)
class PinnedKey:
    """A parsed host key, or the parsed key of the CA that vouches for the host's."""

    key: asyncssh.SSHKey
    is_authority: bool

    @property
    def trusted(self) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """The form asyncssh takes without reading any file: trusted keys, trusted authorities, revoked keys."""
        return ([], [self.key], []) if self.is_authority else ([self.key], [], [])

    @property
    def algorithms(self) -> list[str] | str:
        """The pinned key's algorithms first; the others too, so that a changed key is seen and can be shown."""
        if self.is_authority:
            return "default"
        pinned = list(self.key.sig_algorithms)
        return [name.decode() for name in pinned + [a for a in get_default_public_key_algs() if a not in pinned]]


def generate_key(comment: str = "") -> KeyPair:
    """A fresh Ed25519 key."""
    key = asyncssh.generate_private_key("ssh-ed25519", comment=comment)
    return KeyPair(key.export_private_key().decode(), key.export_public_key().decode().strip())


def write_key(path: Path, pair: KeyPair) -> None:
    """Write `path` readable by its owner alone, and `path`.pub beside it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(pair.private)
    Path(f"{path}.pub").write_text(pair.public + "\n")


def fingerprint(public: str | asyncssh.SSHKey) -> str:
    """`SHA256:…` of an OpenSSH public key line, as `ssh-keygen -l` shows it; ValueError when it is none."""
    return _parse(public).get_fingerprint() if isinstance(public, str) else public.get_fingerprint()


@lru_cache(maxsize=65536)
def pinned(host_key: str) -> PinnedKey:
    """Parse the key pinned for a host, once; ValueError when it is not one OpenSSH public key line."""
    return PinnedKey(_parse(host_key), host_key.startswith(CERTIFICATE_AUTHORITY))


def _parse(line: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_public_key(line.removeprefix(CERTIFICATE_AUTHORITY))
    except asyncssh.KeyImportError as problem:
        raise ValueError(f"not an OpenSSH public key line: {problem}") from None


def load_client_keys(paths: Sequence[Path | str]) -> Sequence[asyncssh.SSHKeyPair]:
    """Read the private keys, each with the user certificate that lies beside it as `…-cert.pub`."""
    try:
        return asyncssh.load_keypairs([str(path) for path in paths])
    except (OSError, ValueError) as problem:  # asyncssh's own errors of key files are ValueErrors
        raise NotStarted(f"no host can be reached: the SSH key cannot be read: {problem}") from None
