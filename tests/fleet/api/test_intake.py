"""The calls that feed the fleet, over HTTP."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from fleet.ingest import pressure
from fleet.models import ApiToken, Crash, Dyno, Host
from tests.fleet.api.conftest import Caller, problem

Make = Callable[..., Caller]
CRASHES = "/api/v1/crashes"


def line(seconds: float = 0, **changes: Any) -> bytes:
    at = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    return json.dumps({"type": "crash", "at": at, "host": "h1", "app": "a", "signal": "SIGSEGV"} | changes).encode()


def test_lines_are_taken_and_told_again_are_duplicates(caller: Make) -> None:
    call, body = caller("crashes"), line(1) + b"\n" + line(2)
    first, second = call("POST", CRASHES, body), call("POST", CRASHES, body)
    assert (first.status_code, first.json()) == (202, {"accepted": 2, "duplicates": 0, "rejected": []})
    assert second.json() == {"accepted": 0, "duplicates": 2, "rejected": []}
    assert Crash.objects.count() == 2
    assert Crash.objects.first().source == "caller"  # type: ignore[union-attr]


def test_an_array_and_gzip_are_taken(caller: Make) -> None:
    body = gzip.compress(b"[" + line(1) + b",\n" + line(2) + b"]")
    answer = caller("crashes")("POST", CRASHES, body, **{"Content-Encoding": "gzip"})
    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": []}


def test_good_lines_count_though_others_are_bad(caller: Make) -> None:
    body = b"\n".join([line(1), b"\xff\x00", line(-900), line(2), line(99999999), b'{"at": "2026-', line(3)[:-9]])
    answer = caller("crashes")("POST", CRASHES, body)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 2
    assert [one["line"] for one in answer.json()["rejected"]] == [2, 3, 5, 6, 7]
    assert all(one["error"] for one in answer.json()["rejected"])


def test_a_gzip_cut_off_keeps_the_whole_lines(caller: Make) -> None:
    lines = [line(number, program=f"p{number * 7919}") for number in range(200)]
    packed = gzip.compress(b"\n".join(lines))
    answer = caller("crashes")("POST", CRASHES, packed[: len(packed) // 2], **{"Content-Encoding": "gzip"}).json()
    assert 20 < answer["accepted"] < 180
    assert [one["line"] for one in answer["rejected"]] == [answer["accepted"] + 1]


def test_caps_hold_for_what_is_sent_and_for_what_it_unpacks_to(caller: Make, settings: Any) -> None:
    settings.INGEST_MAX_BYTES = 10_000
    call = caller("crashes")
    problem(call("POST", CRASHES, b" " * 10_001), 413)
    problem(call("POST", CRASHES, gzip.compress(b" " * 5_000_000), **{"Content-Encoding": "gzip"}), 413)
    assert call("POST", CRASHES, b" " * 10_000).status_code == 202


def test_encodings_are_gzip_or_none(caller: Make) -> None:
    call = caller("crashes")
    problem(call("POST", CRASHES, b"x", **{"Content-Encoding": "br"}), 415)
    problem(call("POST", CRASHES, b"no gzip", **{"Content-Encoding": "gzip"}), 400)


def test_tokens_are_needed_live_and_in_scope(caller: Make) -> None:
    call = caller("read", "inventory")
    assert "crashes" in problem(call("POST", CRASHES, line()), 403)["detail"]
    for authorization in ["", "Bearer ", "Bearer nonsense", f"Basic {call.secret}", "Bearer \u00fc"]:
        answer = Client().post(CRASHES, line(), content_type="text/plain", headers={"Authorization": authorization})
        problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    ApiToken.objects.update(revoked_at=datetime.now(UTC))
    problem(call("PUT", "/api/v1/hosts", b""), 401)
    assert Crash.objects.count() == 0


def test_under_pressure_senders_are_asked_to_come_back(caller: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "WAIT_SECONDS", 0.05)
    call = caller("crashes")
    with pressure.place(), pressure.place(), pressure.place():
        answer = call("POST", CRASHES, line())
        problem(answer, 429)
        assert int(answer.headers["Retry-After"]) >= 1
    assert call("POST", CRASHES, line()).status_code == 202


def test_too_many_who_wait_are_told_at_once(caller: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    call = caller("crashes")
    places = pressure.AT_ONCE + pressure.WAITING
    for _ in range(places):
        assert pressure._queue.acquire(blocking=False)
    try:
        problem(call("POST", CRASHES, line()), 429)
    finally:
        for _ in range(places):
            pressure._queue.release()


def test_inventories_are_taken(caller: Make) -> None:
    call = caller("inventory")
    hosts = call("PUT", "/api/v1/hosts", b'{"type":"host","host":"h1","attributes":{"zone":"b"}}\n{"host":7}')
    assert hosts.status_code == 200
    assert (hosts.json()["created"], hosts.json()["updated"], hosts.json()["rejected"][0]["line"]) == (1, 0, 2)
    dynos = call("PUT", "/api/v1/dynos", b'[{"type":"dyno","host":"h1","app":"a","stack":"cedar-14","count":2}]')
    assert dynos.json() == {"created": 1, "updated": 0, "rejected": []}
    assert (Host.objects.get().attributes, Dyno.objects.count()) == ({"zone": "b"}, 2)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404), ("GET", "/api/", 404), ("GET", CRASHES, 405), ("DELETE", "/api/v1/hosts", 405),
        ("GET", "/hooks/ci", 405), ("POST", "/hooks/", 404), ("POST", "/hooks/a/b", 404), ("GET", "/api/v2/\x00", 404),
    ],
)  # fmt: skip
def test_every_error_is_a_problem(caller: Make, method: str, path: str, status: int) -> None:
    answer = caller("read")(method, path)
    problem(answer, status)
    assert (status == 405) == ("Allow" in answer.headers)


def test_a_failure_here_is_a_problem_without_details(caller: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.ingest.crashes.KEEP_MINUTES", "SELECT secret_column, %s")
    assert "secret_column" not in json.dumps(problem(caller("crashes")("POST", CRASHES, line()), 500))


def test_a_wrong_host_header_is_a_problem(caller: Make) -> None:
    problem(caller("crashes")("POST", CRASHES, line(), Host="elsewhere.example"), 400)


def test_the_description_names_every_call(client: Client) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert {"/api/v1/crashes", "/api/v1/hosts", "/api/v1/gate/{stack}", "/api/v1/deploys/{key}"} <= set(paths)
    assert "requestBody" in paths["/api/v1/crashes"]["post"]


def test_feeds_are_taken_in_their_own_format_and_repeats_are_duplicates(caller: Make) -> None:
    call, stamp = caller("crashes"), datetime.now(UTC).timestamp()
    died = {
        "Type": "container",
        "Action": "die",
        "time": stamp,
        "Actor": {"ID": "c", "Attributes": {"exitCode": "139"}},
    }
    body = gzip.compress(json.dumps([died, {"Type": "container", "Action": "start", "time": stamp}, {}]).encode())
    path, packed = "/api/v1/feeds/docker?host=h1&app=a", {"Content-Encoding": "gzip"}
    first = call("POST", path, body, **packed)
    assert first.status_code == 202
    assert (first.json()["accepted"], first.json()["rejected"][0]["line"]) == (1, 3)
    assert call("POST", path, body, **packed).json()["duplicates"] == 1
    crash = Crash.objects.select_related("host", "app").get()
    assert (crash.host.name, crash.app and crash.app.name, crash.source) == ("h1", "a", "docker")


def test_a_feed_cut_off_in_its_gzip_says_so(caller: Make) -> None:
    body = gzip.compress(b"\n".join(b'{"MESSAGE":"%d"}' % (number * 7919) for number in range(300)))
    answer = caller("crashes")("POST", "/api/v1/feeds/journald", body[:400], **{"Content-Encoding": "gzip"}).json()
    assert (answer["accepted"], len(answer["rejected"])) == (0, 1)


def test_feeds_are_guarded_like_crashes(caller: Make, settings: Any) -> None:
    known = problem(caller("crashes")("POST", "/api/v1/feeds/nagios", b"{}"), 404)["detail"]
    assert "journald" in known
    problem(caller("read")("POST", "/api/v1/feeds/docker", b"{}"), 403)
    problem(caller("crashes")("POST", "/api/v1/feeds/docker", b"x", **{"Content-Encoding": "br"}), 415)
    settings.INGEST_MAX_BYTES = 10
    problem(caller("crashes")("POST", "/api/v1/feeds/docker", b" " * 11), 413)
