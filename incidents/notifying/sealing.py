"""Keeps the addresses of channels secret at rest: sealed with a key that lives outside the database."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from incidents.errors import Refused


def seal(address: str) -> str:
    """The address as it may be stored."""
    return _keys().encrypt(address.encode()).decode()


def unseal(sealed: str) -> str:
    """The address again. Raises Refused where it was sealed with a key that is no longer known."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise Refused(
            "The address of this channel cannot be read: the key that sealed it is gone. Enter the address again."
        ) from None


def _keys() -> MultiFernet:
    """The newest secret seals; the ones before still open, so that secrets can be changed without a gap."""
    secrets = [settings.SEALING_KEY or settings.SECRET_KEY, settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(secret)) for secret in secrets])


def _derived(secret: str) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"faultline channel addresses")
    return base64.urlsafe_b64encode(derived.derive(secret.encode()))
