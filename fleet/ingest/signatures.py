"""PURE. Standard Webhooks signatures: HMAC-SHA256 over id, timestamp and body, with one or two live secrets."""

import base64
import binascii
import hashlib
import hmac
import secrets as randomness
from collections.abc import Iterable, Mapping
from datetime import datetime

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300


class BadSignature(ValueError):  # noqa: N818 - it is an answer
    """Not from the sender it claims to be from, or not from now."""


def new_secret() -> str:
    """A secret in the standard's form."""
    return PREFIX + base64.b64encode(randomness.token_bytes(24)).decode()


def sign(*, secret: str, delivery: str, timestamp: int, body: bytes) -> str:
    """The signature of a delivery, as it stands in `webhook-signature`."""
    signed = hmac.new(_key(secret), f"{delivery}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(signed.digest()).decode()


def verify(*, secrets: Iterable[str], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The delivery's id when one of the secrets signed it within five minutes. Raises BadSignature otherwise."""
    delivery, timestamp, signatures = (
        headers.get(f"webhook-{name}", "").strip() for name in ("id", "timestamp", "signature")
    )
    if not (delivery and timestamp and signatures):
        raise BadSignature("Send the headers webhook-id, webhook-timestamp and webhook-signature.")
    _check_id(delivery)
    moment = _moment(timestamp)
    if abs(now.timestamp() - moment) > TOLERANCE_SECONDS:
        raise BadSignature("webhook-timestamp is more than five minutes off; sign again with the present time.")
    if not _any_matches(secrets, delivery, moment, body, signatures.split()):
        raise BadSignature("No signature matches. Sign `id.timestamp.body` with this source's secret, byte for byte.")
    return delivery


def _check_id(delivery: str) -> None:
    if len(delivery) > 200 or not delivery.isascii() or not delivery.isprintable():
        raise BadSignature("webhook-id may have at most 200 printable ASCII characters.")


def _moment(timestamp: str) -> int:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise BadSignature("webhook-timestamp must be whole seconds since 1970.")
    return int(timestamp)


def _any_matches(secrets: Iterable[str], delivery: str, moment: int, body: bytes, given: list[str]) -> bool:
    """Compares every pair in constant time, and does not stop at the first match."""
    expected = [sign(secret=secret, delivery=delivery, timestamp=moment, body=body).encode() for secret in secrets]
    candidates = [signature.encode("utf-8", "replace") for signature in given[:10]]
    return any([hmac.compare_digest(one, other) for one in expected for other in candidates])  # noqa: C419


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("A webhook secret is base64, after an optional whsec_.") from error
