"""The program that speaks to services: its deadline holds, and it knows nothing of Faultline."""

import subprocess
import sys
import time

import pytest

from incidents.notifying import posting
from incidents.notifying.posting import PROGRAM, NotSent, check_address, post
from tests.incidents.notifying.receiver import Receiver


def test_a_service_is_known_by_its_name() -> None:
    assert check_address("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ") == "Slack"


def test_a_receiver_that_never_answers_is_left_at_the_deadline(receiver: Receiver) -> None:
    receiver.may_answer.clear()
    began = time.monotonic()
    with pytest.raises(NotSent, match=r"No answer within 2\.5 s\. It may have arrived"):
        post(address=f"{receiver.address}?rto=60", title="t", text="x", deadline_seconds=2.5)
    assert time.monotonic() - began < 6


def test_the_program_sees_none_of_faultlines_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def look(argv: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        seen.update(options["env"])  # type: ignore[call-overload]
        assert all("secret" not in part for part in argv)
        return subprocess.CompletedProcess(argv, 0, '{"ok": true, "service": "x"}', "")

    monkeypatch.setenv("SECRET_KEY", "hidden")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setattr(subprocess, "run", look)
    check_address("json://host/secret")
    assert "SECRET_KEY" not in seen
    assert "DATABASE_URL" not in seen
    assert seen["HTTPS_PROXY"] == "http://proxy:1"


def test_a_program_that_breaks_is_a_message_that_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "PROGRAM", PROGRAM.with_name("nowhere.py"))
    with pytest.raises(NotSent, match="ended without an answer"):
        post(address="json://127.0.0.1/x", title="t", text="x")


@pytest.mark.parametrize("asked", ["", "[]", '{"verb": "check"}', '{"verb": "send", "address": "json://127.0.0.1/x"}'])
def test_a_request_it_cannot_read_is_answered_all_the_same(asked: str) -> None:
    ran = subprocess.run([sys.executable, str(PROGRAM)], input=asked, capture_output=True, text=True, check=False)
    assert ran.stdout.startswith('{"ok": false, "error": "The service\'s plugin failed')
    assert not ran.stderr
