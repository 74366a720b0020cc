"""Standard Webhooks signatures, against the standard's own vector."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.ingest.signatures import BadSignature, new_secret, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NOW = datetime.fromtimestamp(STAMP, UTC)


def headers(**changes: Any) -> Any:
    given = {"id": ID, "timestamp": str(STAMP), "signature": SIGNATURE} | changes
    return {f"webhook-{name}": value for name, value in given.items()}


def check(*, secrets: Any = (SECRET,), body: Any = BODY, now: Any = NOW, **changes: Any) -> Any:
    return verify(secrets=secrets, headers=headers(**changes), body=body, now=now)


def test_the_standards_own_vector() -> None:
    assert sign(secret=SECRET, delivery=ID, timestamp=STAMP, body=BODY) == SIGNATURE
    assert check() == ID


def test_any_of_several_signatures_and_any_of_two_secrets_will_do() -> None:
    assert check(signature=f"v1a,AAAA v1,AAAA {SIGNATURE}") == ID
    assert check(secrets=[new_secret(), SECRET]) == ID


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_fine(seconds: Any) -> None:
    assert check(now=NOW + timedelta(seconds=seconds)) == ID


@pytest.mark.parametrize(
    "changes",
    [
        {"now": NOW + timedelta(seconds=301)},
        {"now": NOW - timedelta(seconds=301)},
        {"body": BODY + b" "},
        {"id": "msg_other"},
        {"timestamp": str(STAMP + 1)},
        {"secrets": [new_secret()]},
        {"secrets": []},
        {"signature": SIGNATURE.replace("v1,", "v2,")},
        {"signature": SIGNATURE.removeprefix("v1,")},
        {"signature": ""},
        {"signature": "v1,\u00e9"},
        {"timestamp": ""},
        {"timestamp": "soon"},
        {"timestamp": "-1"},
        {"timestamp": "9" * 400},
        {"timestamp": "\u0661"},
        {"id": ""},
        {"id": "x" * 201},
        {"id": "a\x00b"},
    ],
)
def test_anything_else_is_refused(changes: Any) -> None:
    with pytest.raises(BadSignature):
        check(**changes)


def test_secrets_are_long_and_never_the_same() -> None:
    assert new_secret() != new_secret()
    assert len(new_secret()) == len("whsec_") + 32
