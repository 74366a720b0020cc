"""Strange addresses, and who may ask: each answered by a problem that says what to do."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from fleet.models import Stack
from tests.fleet.api.conftest import Caller, problem

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
READ = ("incidents", "incidents/1", "incidents/1/timeline", "incidents/1/export", "gate/cedar-14", "deploys/d3")
pytestmark = pytest.mark.django_db


def get(path: str, *scopes: str) -> Any:
    return Caller(*(scopes or ("read",)))("GET", f"/api/v1/{path}")


@pytest.mark.parametrize("path", READ)
def test_nobody_reads_without_a_token_that_may(path: str) -> None:
    for secret in (None, "Bearer", "Bearer nonsense", "Basic abc"):
        answer = Client().get(f"/api/v1/{path}", headers={"Authorization": secret} if secret else {})
        assert "token" in problem(answer, 401)["detail"]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "scope read" in problem(get(path, "inventory"), 403)["detail"]


@pytest.mark.parametrize("path", ["incidents/1", "incidents/1/timeline", "incidents/1/export", "deploys/d3", "nothing"])
def test_what_is_not_there_is_404_and_says_where_to_look(path: str) -> None:
    assert problem(get(path), 404)["detail"]


@pytest.mark.parametrize("path", ["incidents/99999999999999999999", "incidents/-1", "incidents/0"])
def test_numbers_that_no_incident_has(path: str) -> None:
    for tail in ("", "/timeline", "/export"):
        problem(get(path + tail), 404)


@pytest.mark.parametrize("path", ["gate/a%00b", "deploys/a%00b"])
def test_names_that_no_database_can_hold(path: str) -> None:
    assert get(path).status_code in {200, 404}


def test_the_gate_of_a_stack_with_a_strange_name() -> None:
    Stack.objects.create(name="cedar 14/ü")
    assert get("gate/cedar%2014%2F%C3%BC").json()["open"]
