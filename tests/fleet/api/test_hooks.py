"""Deploy webhooks, over HTTP."""

import json
import threading
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from fleet.ingest.signatures import sign
from fleet.ingest.sources import create_source, rotate_secret
from fleet.models import Deploy, HostDeploy, WebhookDelivery, WebhookSource
from tests.fleet.api.conftest import problem

AT = "2026-01-05T01:04:19Z"
DEPLOY = {
    "type": "deploy.started",
    "data": {"deploy": "d3", "at": AT, "target": "stack", "stack": "cedar-14", "kind": "redeploy"},
}
HOST = {"type": "host_deploy", "data": {"deploy": "d3", "host": "h1", "at": AT, "outcome": "overwrote"}}


class Sender:
    def __init__(self) -> None:
        self.source, self.secret = create_source(name="ci", now=timezone.now())

    def __call__(
        self, payload: Any, delivery: str = "msg_1", *, age: float = 0, signature: str = "", path: str = "/hooks/ci"
    ) -> Any:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        stamp = int(time.time() - age)
        signature = signature or sign(secret=self.secret, delivery=delivery, timestamp=stamp, body=body)
        headers = {"webhook-id": delivery, "webhook-timestamp": str(stamp), "webhook-signature": signature}
        return Client().post(path, body, content_type="application/json", headers=headers)


@pytest.fixture
def send(db: None) -> Sender:
    return Sender()


def test_a_deploy_and_what_it_did_are_kept_with_the_raw_body(send: Sender) -> None:
    answer = send(DEPLOY)
    assert (answer.status_code, answer.json()) == (202, {"delivery": "msg_1", "status": "accepted"})
    assert send(HOST, "msg_2").status_code == 202
    row = HostDeploy.objects.select_related("deploy", "host").get()
    assert (row.deploy.key, row.deploy.source, row.host.name, row.outcome) == ("d3", "ci", "h1", "overwrote")
    kept = WebhookDelivery.objects.get(delivery="msg_1")
    assert json.loads(bytes(kept.body)) == DEPLOY
    assert (kept.status, kept.deploy) == ("accepted", Deploy.objects.get())
    assert "webhook-signature" not in kept.headers


def test_a_repeat_is_told_and_changes_nothing(send: Sender) -> None:
    send(DEPLOY)
    answer = send({**DEPLOY, "type": "deploy.finished"})
    assert (answer.status_code, answer.json()) == (
        200,
        {"delivery": "msg_1", "status": "accepted", "duplicate": True},
    )
    assert Deploy.objects.get().finished_at is None
    assert WebhookDelivery.objects.count() == 1


def test_a_type_of_no_interest_is_ignored_and_kept(send: Sender) -> None:
    answer = send({"type": "deploy.lunch", "data": {}})
    assert (answer.status_code, answer.json()["status"]) == (202, "ignored")
    assert send({"type": "deploy.lunch", "data": {}}).json()["duplicate"]


def test_what_is_not_understood_is_kept_and_its_paths_named(send: Sender) -> None:
    content = problem(send({"type": "deploy", "data": {**DEPLOY["data"], "at": "noon", "kind": "x"}}), 422)  # type: ignore[dict-item]
    assert {one["path"] for one in content["errors"]} == {"$.data.at", "$.data.kind"}
    kept = WebhookDelivery.objects.get()
    assert (kept.status, kept.problems) == ("not_understood", content["errors"])


@pytest.mark.parametrize("body", [b"", b"not json", b"\xff", b"[" * 100_000, b'{"type":"\\ud800"}'])
def test_what_is_no_json_is_not_understood(send: Sender, body: bytes) -> None:
    assert problem(send(body), 422)["errors"][0]["path"] == "$"
    assert bytes(WebhookDelivery.objects.get().body) == body


def test_corrected_and_sent_again_under_its_id_it_is_taken(send: Sender) -> None:
    assert problem(send(HOST), 422)["errors"][0]["path"] == "$.data.deploy"
    assert send(DEPLOY, "msg_2").status_code == 202
    assert (send(HOST).status_code, send(HOST).status_code) == (202, 200)
    problem(send({"type": "deploy"}, "msg_3"), 422)
    assert send(DEPLOY, "msg_3").json()["status"] == "accepted"
    assert json.loads(bytes(WebhookDelivery.objects.get(delivery="msg_3").body)) == DEPLOY


@pytest.mark.parametrize("wrong", [{"age": 301}, {"age": -330}, {"signature": "v1,AAAA"}, {"delivery": " "}])
def test_a_bad_signature_or_a_stale_time_keeps_nothing(send: Sender, wrong: dict[str, Any]) -> None:
    problem(send(DEPLOY, **wrong), 401)
    assert not WebhookDelivery.objects.exists()
    assert not Deploy.objects.exists()


def test_both_secrets_work_until_the_next_change(send: Sender) -> None:
    rotate_secret(source=send.source)
    assert send(DEPLOY).status_code == 202
    rotate_secret(source=WebhookSource.objects.get())
    problem(send(DEPLOY, "msg_2"), 401)


def test_a_body_over_the_cap(send: Sender, settings: Any) -> None:
    settings.WEBHOOK_MAX_BYTES = 100
    problem(send({**DEPLOY, "more": "x" * 100}), 413)


def test_unknown_and_disabled_sources(send: Sender) -> None:
    problem(send(DEPLOY, path="/hooks/other"), 404)
    problem(send(DEPLOY, path="/hooks/a%00b"), 404)
    WebhookSource.objects.update(enabled=False)
    problem(send(DEPLOY), 404)


def test_the_same_delivery_at_once_is_taken_once(transactional_db: None) -> None:
    send, answers, start = Sender(), [], threading.Barrier(6)

    def work() -> None:
        start.wait()
        try:
            answers.append(send(DEPLOY))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [202]
    assert (Deploy.objects.count(), WebhookDelivery.objects.count()) == (1, 1)
