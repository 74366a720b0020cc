"""PURE. Entries of the journal, as `journalctl -o json` or Vector send them: core dumps, and deaths Podman wrote there.

Environment, command line and open files of a core dump may hold secrets and are never looked at.
"""

from collections.abc import Sequence
from typing import Any

from fleet.ingest.formats.deaths import Found, how, moment_of

NAME = "journald"
CORE_DUMP = "fc2e22bc6ee647b6b90729ab34a250b1"
EXAMPLE = {
    "__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1767575059000000", "_HOSTNAME": "h0007", "MESSAGE_ID": CORE_DUMP,
    "COREDUMP_SIGNAL": "11", "COREDUMP_SIGNAL_NAME": "SIGSEGV", "COREDUMP_COMM": "ruby", "COREDUMP_HOSTNAME": "web.1",
}  # fmt: skip


def parse(events: Sequence[tuple[int, Any]]) -> Found:
    """The crashes among some entries, each with its place."""
    found = Found()
    for line, entry in events:
        if not isinstance(entry, dict):
            found.reject(line, "expected an object: an entry of the journal")
            continue
        try:
            record = record_of(entry)
        except (ValueError, OverflowError) as error:
            found.reject(line, f"this entry cannot be read: {error}"[:300])
            continue
        if record:
            found.add(line, record)
    return found


def record_of(entry: dict[str, Any]) -> dict[str, Any] | None:
    """The crash that an entry tells of, if it does. Raises ValueError."""
    is_core, is_podman = text(entry, "MESSAGE_ID") == CORE_DUMP, text(entry, "PODMAN_EVENT") == "died"
    if not (is_core or is_podman):
        return None
    told = _core(entry) if is_core else _podman(entry)
    if not told:
        return None
    host = text(entry, "_HOSTNAME") or text(entry, "host")
    cursor = text(entry, "__CURSOR")
    return {"host": host, "id": cursor and f"{text(entry, '_BOOT_ID')}{cursor}", **told}


def text(entry: dict[str, Any], name: str) -> str:
    """A field as text: bytes where it was no UTF-8, the first where it was repeated, nothing where it was too big."""
    value = entry.get(name)
    if isinstance(value, list) and value and all(isinstance(part, int) and 0 <= part < 256 for part in value):
        return bytes(value).decode(errors="replace")
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, str) else "" if value is None else str(value)


def _core(entry: dict[str, Any]) -> dict[str, Any]:
    """Its own time has whole seconds only; the entry's is told where there is one."""
    microseconds = text(entry, "__REALTIME_TIMESTAMP") or text(entry, "COREDUMP_TIMESTAMP")
    moment = moment_of(int(microseconds) / 1e6) if microseconds else None
    unit = text(entry, "COREDUMP_UNIT")
    return {
        "at": moment or text(entry, "timestamp"),
        "signal": text(entry, "COREDUMP_SIGNAL_NAME") or text(entry, "COREDUMP_SIGNAL"),
        "program": text(entry, "COREDUMP_COMM"),
        "dyno": text(entry, "COREDUMP_HOSTNAME"),
        "app": unit.removesuffix(".service") if unit.endswith(".service") else None,
    }


def _podman(entry: dict[str, Any]) -> dict[str, Any] | None:
    died = how(text(entry, "PODMAN_EXIT_CODE"), out_of_memory=text(entry, "PODMAN_OOM_KILLED") == "true")
    return died and {"at": text(entry, "PODMAN_TIME"), "dyno": text(entry, "PODMAN_NAME"), **died}
