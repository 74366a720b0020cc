"""An incident about a stack's deploy; the tests are the worker."""

import pytest

from fleet.models import Deploy, Stack
from incidents.models import Incident
from tests.fleet.conftest import enrolled_lab
from tests.incidents.runbooks.running import NOW

__all__ = ["enrolled_lab"]


@pytest.fixture
def incident(db: None) -> Incident:
    stack = Stack.objects.get_or_create(name="cedar-14")[0]
    deploy = Deploy.objects.create(key="d3", target="stack", kind="redeploy", stack=stack, started_at=NOW)
    return Incident.objects.create(
        verdict="deploy", subject="d3", headline="d3 did it", deploy=deploy, stack=stack, began_at=NOW, opened_at=NOW
    )


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nudges go nowhere: rows alone carry the work."""
    monkeypatch.setattr("fleet.tasks.nudges.current_app.send_task", lambda *_, **__: None)
