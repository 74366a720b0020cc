"""The shipped runbooks, read from `library/`."""

from functools import cache
from pathlib import Path

import yaml

from fleet.models import HostDeploy
from incidents.errors import Refused
from incidents.models import Incident
from incidents.runbooks.plan import Runbook, read_runbook

LIBRARY = Path(__file__).parent / "library"


@cache
def all_runbooks() -> dict[str, Runbook]:
    """Every shipped runbook by its slug. Raises InvalidRunbook naming the step at fault."""
    read = (read_runbook(yaml.safe_load(path.read_text())) for path in sorted(LIBRARY.glob("*.yaml")))
    return {runbook.slug: runbook for runbook in read}


def find_runbook(slug: str) -> Runbook:
    """The runbook of that slug. Raises Refused."""
    try:
        return all_runbooks()[slug]
    except KeyError:
        known = ", ".join(all_runbooks())
        raise Refused(f"There is no runbook {slug!r}. There are: {known}.") from None


def offered_runbooks(incident: Incident) -> list[Runbook]:
    """The runbooks meant for what the incident's verdict says, the one first whose signs its deploy shows."""
    signs = _signs_of(incident)
    meant = [runbook for runbook in all_runbooks().values() if incident.verdict in runbook.verdicts]
    return sorted(meant, key=lambda book: next((place for place, sign in enumerate(signs) if sign in book.signs), 99))


def _signs_of(incident: Incident) -> list[str]:
    """What the suspected deploy was and did, the most telling first."""
    if incident.deploy is None:
        return []
    overwrote = incident.deploy.host_deploys.filter(outcome=HostDeploy.Outcome.OVERWROTE).exists()
    return [*([HostDeploy.Outcome.OVERWROTE.value] if overwrote else []), incident.deploy.kind]
