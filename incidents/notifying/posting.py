"""Runs the program that speaks to services: with a deadline that holds, and without Faultline's secrets."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("program.py")
DEADLINE_SECONDS = 20.0
HANDED_ON = {
    "PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
}  # fmt: skip


class NotSent(Exception):  # noqa: N818 - an answer of the service
    """It was not taken, as far as can be known; the message says why and holds no secret."""


def check_address(address: str) -> str:
    """The name of the service behind an apprise address. Raises NotSent where there is none."""
    return str(_ask({"verb": "check", "address": address})["service"])


def post(*, address: str, title: str, text: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """Sends one message, and returns when the service took it. Raises NotSent."""
    _ask({"verb": "send", "address": address, "title": title, "text": text}, deadline_seconds)


def _ask(request: dict[str, Any], deadline_seconds: float = DEADLINE_SECONDS) -> dict[str, Any]:
    environment = {name: word for name, word in os.environ.items() if name in HANDED_ON}
    try:
        ran = subprocess.run(
            # Isolated, so that neither the folder nor the environment decides what it imports.
            [sys.executable, "-I", str(PROGRAM)],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=deadline_seconds,
            env=environment,
            check=False,
        )
        told: dict[str, Any] = json.loads(ran.stdout)
    except subprocess.TimeoutExpired:
        raise NotSent(f"No answer within {deadline_seconds:g} s. It may have arrived all the same.") from None
    except (OSError, ValueError):
        raise NotSent("The program that sends messages ended without an answer.") from None
    if not told.get("ok"):
        raise NotSent(str(told.get("error", "")) or "The service did not take it.")
    return told
