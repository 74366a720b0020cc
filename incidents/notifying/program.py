"""The program that speaks to services for people: one JSON object in, one JSON line out, nothing kept.

    {"verb": "check", "address": "slack://…"}                                     -> {"ok": true, "service": "Slack"}
    {"verb": "send", "address": "slack://…", "title": "…", "text": "…"}           -> {"ok": true}
    either may answer                                                             -> {"ok": false, "error": "…"}

It is a process of its own because apprise has no deadline that holds, loads some hundred plugins, and should not see
the secrets of Faultline. It imports nothing of Faultline.
"""

import json
import logging
import re
import signal
import sys
from typing import Any
from urllib.parse import unquote, urlsplit

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

# These would act on the machine that Faultline runs on, and tell nobody else.
LOCAL = frozenset({"syslog", "dbus", "gnome", "glib", "kde", "qt", "macosx", "windows"})
LEAST_SECRET = 4
DEADLINE_SECONDS = 30  # of the process's own, should the one who started it be gone


class Heard(logging.Handler):
    """Keeps what apprise says when something fails: it answers a bare false."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one line."""
        self.lines.append(record.getMessage())


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What one request comes to."""
    heard = listen()
    address = str(asked["address"]).strip()
    plugin = None if is_local(address) else Apprise.instantiate(address, asset=asset())
    if plugin is None:
        why = "it would only speak to this machine" if is_local(address) else "apprise does not understand it"
        return {"ok": False, "error": f"The address cannot be used: {why}."}
    if asked["verb"] == "check":
        return {"ok": True, "service": str(plugin.service_name)}
    apprise = Apprise(asset=asset())
    apprise.add(plugin)
    sent = apprise.notify(
        title=asked["title"], body=asked["text"], body_format=NotifyFormat.TEXT, notify_type=NotifyType.WARNING
    )
    said = " ".join(heard.lines) or "The service did not take it, and did not say why."
    return {"ok": True} if sent else {"ok": False, "error": redacted(said, address)}


def listen() -> Heard:
    """Takes apprise's words, and lets them go nowhere else."""
    heard, logger = Heard(), logging.getLogger("apprise")
    logger.handlers, logger.propagate = [heard], False
    return heard


def asset() -> AppriseAsset:
    """No files, no plugins of anybody else's."""
    return AppriseAsset(app_id="Faultline", app_desc="Faultline", storage_mode=PersistentStoreMode.MEMORY)


def is_local(address: str) -> bool:
    """Whether it names a service of this machine alone."""
    return address.partition("://")[0].lower() in LOCAL


def redacted(said: str, address: str) -> str:
    """The words without any part of the address that may be a secret; its host may be named."""
    parts = urlsplit(address)
    # For services of their own kind, what stands at the host's place is a token.
    plain = parts.hostname if parts.scheme.removesuffix("s") in {"json", "xml", "form", "mailto"} else None
    pieces = set(re.split(r"[/:@?&=#,]+", address)) - {parts.scheme, plain}
    for piece in sorted(pieces | {unquote(piece) for piece in pieces}, key=len, reverse=True):
        if len(piece) >= LEAST_SECRET:
            said = re.sub(re.escape(piece), "…", said, flags=re.IGNORECASE)
    return said[:500]


def main() -> int:
    """Reads the request, prints the answer."""
    if hasattr(signal, "alarm"):
        signal.alarm(DEADLINE_SECONDS)
    try:
        told = answer(json.load(sys.stdin))
    except Exception as problem:  # noqa: BLE001 - plugins raise whatever they like; the answer says what it was
        told = {"ok": False, "error": f"The service's plugin failed: {type(problem).__name__}."}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
