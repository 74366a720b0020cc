"""Runs a program that cannot outlive the one that started it, and where needed as somebody who is not root.

    python -IS tether.py PARENT_PID SIGNAL IDENTITY PROGRAM [ARGUMENT...]

SIGNAL (a number) is what the program gets when its parent dies, however it dies. IDENTITY is one of

    -         stay who you are
    a number  appear as that user, inside a user namespace: PostgreSQL refuses to run as root, and yet must reach a
              folder that only root can read. Exits with NO_NAMESPACES where the system does not allow it
    nobody    become `nobody` with the right to pass such folders; for root where namespaces are not allowed

Where the system knows no such ties (macOS), the program is simply started.
"""

import ctypes
import os
import sys
from pathlib import Path
from signal import Signals

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
PARENT_IS_GONE = 70
NO_NAMESPACES = 71
NOBODY = 65534
PASS_FOLDERS = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]

libc = ctypes.CDLL(None, use_errno=True)


def appear_as(user_id: int) -> bool:
    """Become `user_id` inside a new user namespace, and nobody new outside of it. False where that is not allowed."""
    outside = os.geteuid()
    if not hasattr(libc, "unshare") or libc.unshare(CLONE_NEWUSER) != 0:
        return False
    try:
        Path("/proc/self/uid_map").write_text(f"{user_id} {outside} 1")
    except OSError:
        return False
    return True


def as_nobody(argv: list[str], *, death_signal: str) -> list[str]:
    """The same command as nobody. The tie is made there again: it does not survive a change of user."""
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *PASS_FOLDERS]
    return ["setpriv", *who, f"--pdeathsig={Signals(int(death_signal)).name}", "--", *argv]


def main() -> None:
    """Tie this process to its parent and become the program."""
    parent, death_signal, identity, *argv = sys.argv[1:]
    if identity == "nobody":
        argv = as_nobody(argv, death_signal=death_signal)
    elif identity != "-" and not appear_as(int(identity)):
        sys.exit(NO_NAMESPACES)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(parent):
        sys.exit(PARENT_IS_GONE)
    os.execvp(argv[0], argv)  # noqa: S606  to become the program is the point


if __name__ == "__main__":
    main()
