"""PURE. Thresholds by name: which of them matter to people, and which values make sense."""

import dataclasses
import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from incidents.correlation.settings import Settings

Number = float | int
MOST = 1e9
# Nought makes sense for these: no waiting, no price.
MAY_BE_NOUGHT = ("_wait_bins", "_gap_bins", "_cost", "_gain", "_margin", "_score", "_share")


class BadThresholdError(ValueError):
    """A name that is none, or a value that cannot be; the message says what can."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One that people may want to try. `unit` is what stands behind the number."""

    name: str
    words: str
    unit: str
    least: float
    most: float

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return isinstance(getattr(Settings(), self.name), int)

    def of(self, settings: Settings) -> Number:
        """Its value in these settings."""
        return plain(getattr(settings, self.name))


THRESHOLDS = (
    Threshold("page_score", "Score that a deploy needs before it is blamed", "points", 1, 1000),
    Threshold("least_hosts_hit", "Hosts that crash, at least, before a deploy is blamed", "hosts", 1, 100_000),
    Threshold("tie_score", "Deploys closer than this are a tie, and are waited for", "points", 0, 100),
    Threshold("group_margin", "Points more that a group of hosts needs than a deploy", "points", 0, 100),
    Threshold("fleet_ratio", "Crashes of the whole fleet, against its last hours", "times", 1.01, 100),
    Threshold("host_chance", "Chance, in a day, that a well host is paged by all its crashes", "of 1", 1e-9, 0.9),
    Threshold("host_fatal_chance", "The same, by its fatal signals alone", "of 1", 1e-9, 0.9),
    Threshold("quiet_bins", "An open page ends after so long without excess", "ticks", 5, 10_000),
    Threshold("page_repeat_seconds", "The same cause is paged again after", "seconds", 60, 30 * 86_400),
)
BY_NAME = {threshold.name: threshold for threshold in THRESHOLDS}


def names() -> list[str]:
    """Every threshold that is one number."""
    scalars = (field.name for field in dataclasses.fields(Settings) if isinstance(field.default, int | float))
    return sorted(scalars)


def changed(settings: Settings, changes: Mapping[str, Number]) -> Settings:
    """The settings with these values in place of their own."""
    return dataclasses.replace(settings, **changes)  # type: ignore[arg-type]


def from_pairs(pairs: Iterable[str]) -> dict[str, Number]:
    """Changes from words such as "page_score=12". Raises BadThresholdError."""
    changes = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BadThresholdError(f"{pair!r} is not of the form name=value, such as page_score=12.")
        changes[name.strip()] = read(name.strip(), text)
    return changes


def read(name: str, text: str) -> Number:
    """The value of one threshold. Raises BadThresholdError."""
    if name not in names():
        close = difflib.get_close_matches(name, names(), 1)
        hint = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(names())}."
        raise BadThresholdError(f"There is no threshold {name!r}. {hint}")
    whole = isinstance(getattr(Settings(), name), int)
    value, (least, most) = _number(text), limits(name)
    if not least <= value <= most or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise BadThresholdError(f"{name} is {kind} from {least:g} to {most:g}; {text.strip()!r} is not.")
    return int(value) if whole else value


def limits(name: str) -> tuple[float, float]:
    """The least and the greatest value."""
    if known := BY_NAME.get(name):
        return known.least, known.most
    if name.endswith(MAY_BE_NOUGHT):
        return 0.0, MOST
    return (1.0 if isinstance(getattr(Settings(), name), int) else 1e-9), MOST


def differing(settings: Settings, changes: Mapping[str, Number]) -> dict[str, Number]:
    """Only the changes that change something."""
    return {name: value for name, value in changes.items() if getattr(settings, name) != value}


def plain(value: Number) -> Number:
    """Without a fraction where there is none."""
    return int(value) if value == int(value) else value


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
