"""Bearer tokens: only their digests are kept."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Q

from fleet.actor import Actor
from fleet.models import ApiToken

PREFIX = "flt_"
NOTE_USE_EVERY = timedelta(minutes=1)


def issue_token(
    *, name: str, scopes: Sequence[str], actor: Actor, now: datetime, expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """Makes a token; gives it with its secret, which nobody can read again. Raises ValueError for unknown scopes."""
    if unknown := sorted(set(scopes) - set(ApiToken.Scope.values)):
        raise ValueError(f"Unknown scopes: {', '.join(unknown)}; known are {', '.join(ApiToken.Scope.values)}.")
    if not scopes:
        raise ValueError("A token needs at least one scope.")
    secret = PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        name=name,
        prefix=secret[:12],
        digest=digest_of(secret),
        scopes=sorted(set(scopes)),
        created_at=now,
        created_by=actor.name,
        expires_at=expires_at,
    )
    return token, secret


def token_of(secret: str, *, now: datetime) -> ApiToken | None:
    """The live token with that secret; its use is noted, at most once a minute."""
    token = (
        ApiToken.objects.filter(digest=digest_of(secret), revoked_at__isnull=True).exclude(expires_at__lte=now).first()
    )
    if token and (token.used_at is None or token.used_at < now - NOTE_USE_EVERY):
        stale = Q(used_at__isnull=True) | Q(used_at__lt=now - NOTE_USE_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(used_at=now)
    return token


def digest_of(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so one round of SHA-256 is enough."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
