"""How a process died."""

import signal as signals
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        ("SIGTRAP", None, ("SIGTRAP", CrashKind.TRAP)),
        (None, 133, (None, CrashKind.TRAP)),
        ("sys", 159, ("SIGSYS", CrashKind.SYS)),
        (None, 159, (None, CrashKind.SYS)),
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


@given(st.none() | st.text(max_size=12), st.none() | st.integers(-(2**31), 2**31 - 1))
def test_whatever_is_reported_has_a_kind_and_keeps_its_words(signal: str | None, status: int | None) -> None:
    given_, kind = kind_of(signal, status)
    assert kind in CrashKind
    assert (given_ is None) == (not signal)
    if signal and given_ not in signals.Signals.__members__:
        assert kind == CrashKind.EXIT


@pytest.mark.parametrize("number", sorted(signals.Signals))
def test_a_signal_is_the_same_by_number_name_short_name_and_exit_status(number: signals.Signals) -> None:
    by_name = kind_of(number.name, None)
    for spelled in (number.name.lower(), number.name.removeprefix("SIG"), str(int(number)), f" {number.name} "):
        assert kind_of(spelled, None) == by_name
    assert kind_of(None, 128 + number) == (None, by_name[1])
    assert by_name[0] == number.name
