"""As whom PostgreSQL runs: it refuses root, and initdb wants a user that the system knows by name."""

import os
import pwd
import signal
import subprocess
from functools import cache

from config.embedded.child import tethered


@cache
def identity() -> str:
    """What to hand to tether.py: nothing special for an ordinary user, somebody else for root."""
    if os.geteuid() != 0 and _is_known(os.geteuid()):
        return "-"
    other = str(_some_user())
    probe = tethered(["true"], death_signal=signal.SIGKILL, identity=other)
    if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
        return other
    return "nobody"


def _is_known(user_id: int) -> bool:
    try:
        pwd.getpwuid(user_id)
    except KeyError:
        return False
    return True


def _some_user() -> int:
    return next(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)
