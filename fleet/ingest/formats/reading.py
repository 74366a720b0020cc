"""PURE. Reads the fields of an object and notes every fault with its path, instead of stopping at the first."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from fleet.ingest.formats.facts import Problem
from fleet.ingest.records import is_plausible

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # stands in for a time that was faulty; never gets further


class Fields:
    """The fields of one JSON object of a payload."""

    def __init__(self, value: Any, path: str, problems: list[Problem]) -> None:
        self.path, self.problems = path, problems
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            problems.append(Problem(path, "expected an object"))

    def fault(self, name: str, error: str) -> None:
        """Notes a fault of one field."""
        self.problems.append(Problem(f"{self.path}.{name}", error))

    def text(self, name: str, *, limit: int, required: bool = False) -> str:
        """A text; empty where it is missing."""
        value = self.values.get(name)
        if value is None or value == "":
            if required:
                self.fault(name, "missing")
        elif not isinstance(value, str):
            self.fault(name, "expected a text")
        elif len(value) > limit:
            self.fault(name, f"longer than {limit} characters")
        elif "\0" in value or not _is_encodable(value):
            self.fault(name, "holds characters that cannot be kept")
        else:
            return value
        return ""

    def choice(self, name: str, choices: Collection[str]) -> str:
        """One of some words."""
        value = self.text(name, limit=100, required=True)
        if value and value not in choices:
            self.fault(name, f"expected one of {', '.join(sorted(choices))}")
        return value

    def flag(self, name: str) -> bool:
        """True or false; false where it is missing."""
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            self.fault(name, "expected true or false")
        return value is True

    def moment(self, name: str) -> datetime:
        """A time with its offset, RFC 3339."""
        value = self.text(name, limit=40, required=True)
        moment = _moment(value)
        if value and moment is None:
            self.fault(name, "expected a time with its offset, such as 2026-01-05T01:04:19Z")
        return moment or EPOCH


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo and is_plausible(moment) else None
    except (ValueError, OverflowError):
        return None


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
