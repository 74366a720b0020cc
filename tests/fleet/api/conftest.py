from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from fleet.actor import SYSTEM
from fleet.ingest.tokens import issue_token


class Caller:
    """A program with a token."""

    def __init__(self, *scopes: str) -> None:
        _, self.secret = issue_token(name="caller", scopes=scopes, actor=SYSTEM, now=datetime.now(UTC))
        self.client = Client(raise_request_exception=False)

    def __call__(self, method: str, path: str, body: bytes | str = b"", **headers: str) -> Any:
        return self.client.generic(
            method,
            path,
            body,
            content_type=headers.pop("content_type", "application/x-ndjson"),
            headers={"Authorization": f"Bearer {self.secret}", **headers},
        )


@pytest.fixture
def caller(db: None) -> Callable[..., Caller]:
    return Caller


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem in an answer, checked for its form."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    content = response.json()
    assert (content["status"], content["type"]) == (status, "about:blank")
    assert content["title"]
    assert len(content["detail"]) > 10
    return dict(content)
