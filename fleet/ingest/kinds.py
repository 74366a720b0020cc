"""How a process died, from the signal or the exit status that was reported."""

import signal as signals

from fleet.models.crashes import CrashKind

BY_SIGNAL = {
    "SIGABRT": CrashKind.ABORT,
    "SIGSEGV": CrashKind.SEGV,
    "SIGBUS": CrashKind.BUS,
    "SIGILL": CrashKind.ILL,
    "SIGFPE": CrashKind.FPE,
    "SIGTRAP": CrashKind.TRAP,
    "SIGSYS": CrashKind.SYS,
    "SIGKILL": CrashKind.OUT_OF_MEMORY,
}


def kind_of(signal: str | None, exit_status: int | None) -> tuple[str | None, CrashKind]:
    """The signal in the system's spelling and the kind. An exit status of 128+n tells of signal n.

    A kill counts as out of memory: it is what the kernel's killer sends, and feeds leave out kills that were asked for.
    """
    given = _spelled(signal) if signal else None
    name = given or _of_status(exit_status)
    return given, BY_SIGNAL.get(name or "", CrashKind.EXIT)


def _spelled(signal: str) -> str:
    """SEGV, sigsegv and 11 are all SIGSEGV; an unknown one stays as it is."""
    name = signal.strip().upper()
    if name.isascii() and name.isdigit():
        return _named(int(name)) or name
    return name if name.startswith("SIG") or f"SIG{name}" not in signals.Signals.__members__ else f"SIG{name}"


def _of_status(exit_status: int | None) -> str | None:
    return _named(exit_status - 128) if exit_status is not None and exit_status > 128 else None


def _named(number: int) -> str | None:
    try:
        return signals.Signals(number).name
    except ValueError:
        return None
