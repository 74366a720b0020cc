"""What `act` steps can do to hosts, one file an action, and the registry."""

from incidents.runbooks.actions.base import Action
from incidents.runbooks.actions.migrate import Migrate
from incidents.runbooks.actions.protect import Protect
from incidents.runbooks.actions.taint import TaintHosts
from incidents.runbooks.actions.verify import Verify

ACTIONS: dict[str, Action] = {
    "verify": Verify(),
    "taint": TaintHosts(),
    "migrate": Migrate(),
    "protect": Protect(retest=False),
    "retest": Protect(retest=True),
}

__all__ = ["ACTIONS", "Action"]
