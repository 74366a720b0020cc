"""What a deploy tool needs of Faultline: signed webhooks out, the gate's answer in."""

import base64
import hashlib
import hmac
import json
import time
import urllib.request
import uuid
from dataclasses import dataclass
from typing import Any

TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Faultline:
    """One webhook source and one token of a Faultline. `secret` is a Standard Webhooks secret ("whsec_…")."""

    url: str
    source: str
    secret: str
    token: str

    def is_ready(self) -> bool:
        """Whether it can serve."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def announce(self, kind: str, data: dict[str, Any]) -> None:
        """Delivers one event to the webhook. Raises urllib.error.HTTPError when it is refused."""
        body = json.dumps({"type": kind, "data": data}).encode()
        delivery, stamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": delivery,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{self._signature(delivery, stamp, body)}",
        }
        self._call(urllib.request.Request(f"{self.url}/hooks/{self.source}", body, headers))  # noqa: S310

    def gate_is_open(self, stack: str) -> bool:
        """Whether deploys of the stack may go on."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self._call(urllib.request.Request(f"{self.url}/api/v1/gate/{stack}", headers=headers))  # noqa: S310
        return bool(answer["open"])

    def _signature(self, delivery: str, stamp: str, body: bytes) -> str:
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = hmac.new(key, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256)
        return base64.b64encode(signed.digest()).decode()

    @staticmethod
    def _call(request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.load(answer)
