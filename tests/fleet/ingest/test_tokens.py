"""Tokens and webhook sources, and their commands."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from fleet.actor import SYSTEM
from fleet.ingest.sources import create_source, rotate_secret
from fleet.ingest.tokens import issue_token, token_of
from fleet.models import ApiToken, WebhookSource

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def test_the_secret_is_not_kept() -> None:
    token, secret = issue_token(name="ci", scopes=["read", "crashes", "read"], actor=SYSTEM, now=NOW)
    assert token_of(secret, now=NOW) == token
    assert token.scopes == ["crashes", "read"]
    assert secret not in str(ApiToken.objects.values().get())
    assert token_of(secret + "x", now=NOW) is None
    assert token_of("\ud800", now=NOW) is None


def test_expired_and_revoked_tokens_are_none() -> None:
    token, secret = issue_token(name="ci", scopes=["read"], actor=SYSTEM, now=NOW, expires_at=NOW + timedelta(days=1))
    assert token_of(secret, now=NOW)
    assert token_of(secret, now=NOW + timedelta(days=1)) is None
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=NOW)
    assert token_of(secret, now=NOW) is None


def test_use_is_noted_once_a_minute() -> None:
    token, secret = issue_token(name="ci", scopes=["read"], actor=SYSTEM, now=NOW)
    for seconds, noted in [(0, 0), (30, 0), (61, 61)]:
        token_of(secret, now=NOW + timedelta(seconds=seconds))
        token.refresh_from_db()
        assert token.used_at == NOW + timedelta(seconds=noted)


@pytest.mark.parametrize("scopes", [[], ["fly"], ["read", "fly"]])
def test_scopes_are_known_words(scopes: list[str]) -> None:
    with pytest.raises(ValueError, match="scope"):
        issue_token(name="ci", scopes=scopes, actor=SYSTEM, now=NOW)


def test_the_command_prints_a_token_that_works() -> None:
    token = token_of(run("issue_token", "ci", "--scope", "read", "--scope", "crashes", "--days", "2"), now=NOW)
    assert token
    assert token.scopes == ["crashes", "read"]
    assert token.expires_at


def test_the_command_adds_a_source_and_rotates_its_secret() -> None:
    first = run("add_source", "ci")
    second = run("add_source", "ci", "--rotate")
    source = WebhookSource.objects.get(name="ci")
    assert (source.secret, source.previous_secret) == (second, first)
    for arguments in [("ci",), ("no spaces",), ("unknown", "--rotate")]:
        with pytest.raises(CommandError):
            call_command("add_source", *arguments)


def test_a_format_nobody_reads_is_refused_and_a_lost_race_told() -> None:
    with pytest.raises(ValueError, match="format"):
        create_source(name="x", format="morse", now=NOW)
    source, _ = create_source(name="x", now=NOW)
    rotate_secret(source=WebhookSource.objects.get(name="x"))
    with pytest.raises(ValueError, match="somebody else"):
        rotate_secret(source=source)
