"""How a process died."""

from typing import Any

import pytest

from fleet.ingest.kinds import kind_of
from fleet.models import CrashKind


@pytest.mark.parametrize(
    ("signal", "status", "expected"),
    [
        ("SIGSEGV", 139, ("SIGSEGV", CrashKind.SEGV)),
        ("segv", None, ("SIGSEGV", CrashKind.SEGV)),
        ("11", None, ("SIGSEGV", CrashKind.SEGV)),
        (None, 139, (None, CrashKind.SEGV)),
        (None, 135, (None, CrashKind.BUS)),
        ("SIGBUS", None, ("SIGBUS", CrashKind.BUS)),
        (None, 134, (None, CrashKind.ABORT)),
        (None, 132, (None, CrashKind.ILL)),
        (None, 136, (None, CrashKind.FPE)),
        ("SIGKILL", 137, ("SIGKILL", CrashKind.OUT_OF_MEMORY)),
        (None, 1, (None, CrashKind.EXIT)),
        (None, 255, (None, CrashKind.EXIT)),
        (None, None, (None, CrashKind.EXIT)),
        ("SIGNONSENSE", 139, ("SIGNONSENSE", CrashKind.EXIT)),
        ("\u0663", 1, ("\u0663", CrashKind.EXIT)),
    ],
)
def test_signal_and_status(signal: Any, status: Any, expected: Any) -> None:
    assert kind_of(signal, status) == expected
