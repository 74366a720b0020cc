"""Who may call what: bearer tokens with scopes."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja.security import HttpBearer

from fleet.actor import Actor
from fleet.api.problems import Problem
from fleet.ingest.tokens import token_of
from fleet.models import ApiToken

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="Faultline"'}


class Scoped(HttpBearer):
    """Lets in live tokens with one of some scopes."""

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> ApiToken:
        """The token. Raises Problem: 401 without a live one, 403 where it lacks the scope."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Problem(401, "Send a token: `Authorization: Bearer …`.", headers=CHALLENGE)
        return self.authenticate(request, secret.strip())

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken:  # noqa: ARG002 - the framework calls it
        """The token with that secret."""
        known = token_of(token, now=timezone.now())
        if known is None:
            challenge = {"WWW-Authenticate": CHALLENGE["WWW-Authenticate"] + ', error="invalid_token"'}
            raise Problem(401, "This token is unknown, revoked or expired; ask for a new one.", headers=challenge)
        if not set(self.scopes) & set(known.scopes):
            wanted = " or ".join(self.scopes)
            raise Problem(403, f"This token may not do that; it needs the scope {wanted}.")
        return known


def actor_of(request: Any) -> Actor:
    """The token's holder, to whom changes are attributed."""
    return Actor("token", request.auth.name)
