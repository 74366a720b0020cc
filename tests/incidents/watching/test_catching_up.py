"""A watch that was away, or changed hands, comes to what one that never stopped came to."""

import time
from typing import Any

import pytest

from incidents.correlation.ledger import Ledger
from incidents.models import Incident, Notice, Watch, WatchMemory
from incidents.watching import keeping_memory
from incidents.watching.keeping_memory import load_memory
from incidents.watching.watcher import Watcher
from tests.incidents.watching.recorded_fleet import (
    FIRST,
    MINUTES,
    hand_over,
    held,
    minute,
    recording,
    sent,
    store,
    undone,
    watch_minutes,
)

pytestmark = pytest.mark.django_db
AWAY = 236  # the outage begins before the damage
BACK = 297


def ledger(watcher: Watcher) -> dict[str, Any]:
    assert watcher.memory is not None
    kept: Ledger = watcher.memory.correlator._ledger
    return {"open": {key: entry.closed_bin for key, entry in kept.entries.items()}, "sent": kept.sent_at,
            "explains": {key: entry.explains_from.tolist() for key, entry in kept.entries.items()}}  # fmt: skip


def test_an_hour_away_and_a_restart_change_nothing_but_the_time() -> None:
    recorded = recording()
    store(recorded)
    with undone():
        always = Watcher()
        watch_minutes(always, range(FIRST + 1, MINUTES))
        expected = sent(), held(), ledger(always)
    assert [line for line in expected[0] if line.get("deploy") == recorded.subject]
    assert expected[0] == recorded.replayed()

    watch_minutes(Watcher(), range(FIRST + 1, AWAY))
    back = hand_over()
    began = time.monotonic()
    watch_minutes(back, [BACK])
    assert time.monotonic() - began < 60
    watch_minutes(back, range(BACK + 1, MINUTES))
    assert (sent(), held(), ledger(back)) == expected
    assert Incident.objects.filter(subject=recorded.subject).count() == 1


def test_minutes_are_acted_on_once_whoever_comes_by() -> None:
    store(recording())
    with undone():
        watch_minutes(Watcher(), range(FIRST + 1, 280))
        expected = sent(), held()
    one, other = Watcher(), Watcher()
    for number in range(FIRST + 1, 280, 6):
        watch_minutes(one, range(number, min(number + 3, 280)))
        Watch.objects.update(held_until=None)
        watch_minutes(other, range(number, min(number + 6, 280)))  # the first three again: nothing is due
        Watch.objects.update(held_until=None)
    assert (sent(), held()) == expected
    assert Notice.objects.filter(update=False).count() == len({(n.verdict, n.subject) for n in Notice.objects.all()})


def test_a_memory_is_used_only_as_it_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    store(recording())
    watch_minutes(Watcher(), range(FIRST + 1, FIRST + 4))
    row = WatchMemory.objects.get()
    found = load_memory(judged_to=row.judged_to)
    assert found is not None
    assert found.judged_bin == int(row.judged_to.timestamp() // 60)
    assert load_memory(judged_to=minute(FIRST)) is None, "one from later than what was acted on"
    content = bytearray(row.content)
    content[-1] ^= 1
    WatchMemory.objects.update(content=bytes(content))
    assert load_memory(judged_to=row.judged_to) is None, "one that somebody else wrote"
    WatchMemory.objects.update(content=bytes(row.content))
    monkeypatch.setattr(keeping_memory, "version", lambda: "another version")
    assert load_memory(judged_to=row.judged_to) is None, "one of another version of the code"
