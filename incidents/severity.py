"""PURE. How bad an incident is, proposed from how much of the fleet it hits and how hard, with its reasons in words."""

from dataclasses import dataclass

from fleet.wording import count
from incidents.wording import times

ORDER = ("notice", "minor", "major")
WIDE = 0.10  # from this share of hosts, dynos or apps on it is major, however weak
FELT = 0.02  # and from this one, where crashes are several times as many
SEVERAL = 3.0
HOST_WIDE = 0.25  # one host is a minor matter unless it carries this share of the dynos
LEAST_WIDE_HOSTS = 3


@dataclass(frozen=True, slots=True)
class Blast:
    """What is hit, of how much; hosts are those named."""

    verdict: str
    hosts: int
    of_hosts: int
    dynos: int
    of_dynos: int
    apps: int
    of_apps: int
    rate_ratio: float
    interval: tuple[float, float] = (0.0, 0.0)

    @property
    def share(self) -> float:
        """The largest share of hosts, dynos and apps."""
        parts = ((self.hosts, self.of_hosts), (self.dynos, self.of_dynos), (self.apps, self.of_apps))
        return max(part / whole if whole else 0.0 for part, whole in parts)


def propose(blast: Blast) -> str:
    """major, minor or notice."""
    if blast.verdict == "app":
        return "notice"
    if blast.verdict == "fleet":
        return "major"
    if blast.verdict == "host":
        return "major" if blast.of_dynos and blast.dynos / blast.of_dynos >= HOST_WIDE else "minor"
    # Apps are on many hosts: a few hosts touch many of them without being wide.
    wide = max(blast.hosts / max(blast.of_hosts, 1), blast.dynos / max(blast.of_dynos, 1))
    felt = blast.share >= FELT and blast.rate_ratio >= SEVERAL
    return "major" if blast.hosts >= LEAST_WIDE_HOSTS and (wide >= WIDE or felt) else "minor"


def severity_words(severity: str, blast: Blast) -> str:
    """Such as "Major: 34 of 200 hosts (17 %), 12 % of the dynos, 61 of 300 apps; 9.1 times the crashes"."""
    head = severity.capitalize()
    if blast.verdict == "app":
        return f"{head}: one app's own matter, told to its owner"
    worse = f"{times(blast.rate_ratio, blast.interval)} the crashes"
    if blast.verdict == "fleet":
        return f"{head}: the whole fleet of {count(blast.of_hosts, 'host')}; {worse}"
    hosts = f"{blast.hosts} of {count(blast.of_hosts, 'host')} ({_percent(blast.hosts, blast.of_hosts)})"
    rest = f"{_percent(blast.dynos, blast.of_dynos)} of the dynos, {blast.apps} of {count(blast.of_apps, 'app')}"
    return f"{head}: {hosts}, {rest}; {worse}"


def is_worse(one: str, other: str) -> bool:
    """Whether the first is worse than the second."""
    return ORDER.index(one) > ORDER.index(other)


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole if whole else 0.0
    return f"{share:.0f} %" if share >= 1 or not part else "under 1 %"
