"""The shipped runbooks, read from `library/`."""

from functools import cache
from pathlib import Path

import yaml

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
    """The runbooks meant for what the incident's verdict says."""
    return [runbook for runbook in all_runbooks().values() if incident.verdict in runbook.verdicts]
