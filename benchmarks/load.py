"""The load of the ingest benchmark: crashes of 1,000 hosts and 300 apps, spread over ten minutes.

Each host runs dynos of twelve apps, and an app mostly dies in its own way; all crashes are distinct.
"""

import http.client
import json
import random
import statistics
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fleet.ingest.signatures import sign

HOSTS, APPS, APPS_A_HOST, SPREAD_SECONDS = 1000, 300, 12, 600
DEATHS = [("SIGSEGV", 139), ("SIGBUS", 135), ("SIGABRT", 134), ("SIGKILL", 137), (None, 1), (None, 1), (None, 2)]
USUAL_SHARE = 0.9
WEBHOOKS, WEBHOOKS_A_SECOND = 200, 20


@dataclass(frozen=True)
class Target:
    """Where to send, and with what."""

    port: int
    token: str
    source: str
    secret: str


def crashes(events: int, *, seed: int = 7, until: datetime | None = None) -> Iterator[dict[str, Any]]:
    """Crash records in the order in which they would come in: of time, a little jumbled."""
    dice = random.Random(seed)
    begin = (until or datetime.now(UTC)) - timedelta(seconds=SPREAD_SECONDS)
    for number in range(events):
        at = begin + timedelta(seconds=number / events * SPREAD_SECONDS + dice.random())
        host = dice.randrange(HOSTS)
        app = (host * 7 + dice.randrange(APPS_A_HOST) * 25) % APPS
        signal, status = DEATHS[app % len(DEATHS)] if dice.random() < USUAL_SHARE else dice.choice(DEATHS)
        yield {
            "type": "crash",
            "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "host": f"h{host:05d}.example.net",
            "app": f"app-{app}",
            "dyno": f"web.{dice.randrange(4000)}",
            "program": dice.choice(["ruby", "node", "puma: worker", "python3"]),
            "signal": signal,
            "exit_status": status,
        }


def crash_batches(events: int, size: int, *, seed: int = 7) -> list[bytes]:
    """The same as bodies to post."""
    lines = [json.dumps(crash).encode() for crash in crashes(events, seed=seed)]
    return [b"\n".join(lines[place : place + size]) for place in range(0, events, size)]


def rows_of(events: int, size: int) -> Iterator[str]:
    """The same as text of a COPY, with ids and keys in place."""
    rows = []
    for crash in crashes(events):
        host, app = int(crash["host"][1:6]) + 1, int(crash["app"][4:]) + 1
        signal = crash["signal"] or "\\N"
        rows.append(
            f"{crash['at']}\t{uuid.uuid4()}\t{crash['at']}\t{host}\t{app}\t3\t{signal}\t{crash['exit_status']}\t"
            f"{crash['dyno']}\t{crash['program']}\tbench\n"
        )
        if len(rows) == size:
            yield "".join(rows)
            rows.clear()
    if rows:
        yield "".join(rows)


class Sender:
    """One kept connection."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=60)

    def crashes(self, body: bytes) -> int:
        """Posts a batch; gives how many were accepted."""
        headers = {"Authorization": f"Bearer {self.target.token}", "Content-Type": "application/x-ndjson"}
        while True:
            status, retry, answer = self._post("/api/v1/crashes", body, headers)
            if status == 202:
                return int(json.loads(answer)["accepted"])
            if status not in {429, 503}:
                raise RuntimeError(f"{status}: {answer[:300]!r}")
            time.sleep(float(retry or 1))

    def webhook(self, number: int) -> float:
        """Posts a host deploy; gives how long the answer took, in seconds."""
        now = datetime.now(UTC)
        data = {"deploy": "bench", "host": f"h{number:05d}.example.net", "at": now.isoformat(), "outcome": "installed"}
        deploy = {"deploy": "bench", "at": now.isoformat(), "target": "kernel", "kind": "upgrade"}
        event = {"type": "host_deploy", "data": data} if number else {"type": "deploy.started", "data": deploy}
        body, stamp, delivery = json.dumps(event).encode(), int(now.timestamp()), f"msg_{uuid.uuid4().hex}"
        headers = {
            "webhook-id": delivery,
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign(secret=self.target.secret, delivery=delivery, timestamp=stamp, body=body),
        }
        begun = time.perf_counter()
        status, _, answer = self._post(f"/hooks/{self.target.source}", body, headers)
        if status != 202:
            raise RuntimeError(f"{status}: {answer[:300]!r}")
        return time.perf_counter() - begun

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str | None, bytes]:
        self.connection.request("POST", path, body, headers)
        response = self.connection.getresponse()
        return response.status, response.headers.get("Retry-After"), response.read()


def pour(target: Target, batches: Sequence[bytes], *, senders: int) -> dict[str, float]:
    """Posts all batches as fast as they are taken."""
    own = threading.local()

    def post(body: bytes) -> int:
        if not hasattr(own, "sender"):
            own.sender = Sender(target)
        return int(own.sender.crashes(body))

    begun = time.perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        accepted = sum(pool.map(post, batches))
    return {"events": accepted, "seconds": time.perf_counter() - begun}


def time_webhooks(target: Target, *, rate: float, batch: int) -> dict[str, float]:
    """Times of webhooks while crashes come in at a rate."""
    seconds = WEBHOOKS / WEBHOOKS_A_SECOND
    batches = crash_batches(int(rate * seconds) // batch * batch, batch, seed=8)
    pouring = threading.Thread(target=_pour_evenly, args=(target, batches, seconds / max(1, len(batches))))
    pouring.start()
    sender, begun, times = Sender(target), time.perf_counter(), []
    for number in range(WEBHOOKS):
        time.sleep(max(0.0, begun + number / WEBHOOKS_A_SECOND - time.perf_counter()))
        times.append(sender.webhook(number) * 1000)
    pouring.join()
    percentiles = statistics.quantiles(times, n=100)
    return {"webhook_p50_ms": percentiles[49], "webhook_p99_ms": percentiles[98]}


def _pour_evenly(target: Target, batches: Sequence[bytes], pause: float) -> None:
    sender, begun = Sender(target), time.perf_counter()
    for number, body in enumerate(batches):
        time.sleep(max(0.0, begun + number * pause - time.perf_counter()))
        sender.crashes(body)
