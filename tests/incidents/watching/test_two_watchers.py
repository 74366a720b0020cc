"""Two watchers at once, or one that wakes up late: every bin is acted on once, every page sent once."""

import random
import threading
from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction

from incidents import watch
from incidents.models import Incident, Notice, TimelineEntry, Watch
from incidents.watching.lease import LostError, advance, claim
from incidents.watching.opening import Carried
from incidents.watching.watcher import Watcher
from tests.incidents.watching.recorded_fleet import FIRST, minute, recording, store, watch_minutes

PAGED = 280  # a few minutes after the page


def soon_after(number: int) -> datetime:
    return minute(number) + timedelta(seconds=3)


@pytest.mark.django_db
def test_only_the_holder_ticks_until_its_lease_is_over() -> None:
    one, other = Watcher(), Watcher()
    assert watch.tick(now=minute(1), watcher=one) is not None
    assert watch.tick(now=minute(2), watcher=other) is None
    assert watch.tick(now=minute(2), watcher=one) is not None
    before = Watch.objects.get().fence
    Watch.objects.update(held_until=None)
    assert watch.tick(now=minute(3), watcher=other) is not None
    assert Watch.objects.get().fence > before
    assert watch.tick(now=minute(4), watcher=one) is None


@pytest.mark.django_db
def test_who_wakes_up_after_another_took_over_acts_on_nothing() -> None:
    store(recording())
    slept, awake = Watcher(), Watcher()
    watch_minutes(slept, range(FIRST + 1, PAGED - 10, 5))
    lease = claim(slept.holder)
    assert lease is not None
    looks = list(slept.looks(judged_to=lease.judged_to, now=soon_after(PAGED)))
    Watch.objects.update(held_until=None)
    watch_minutes(awake, [PAGED])
    told = Notice.objects.count(), TimelineEntry.objects.count(), Incident.objects.count()
    assert told[0] > 0
    for look in looks:
        with pytest.raises(LostError):
            watch._act(slept, lease, look, Carried(), soon_after(PAGED))
    assert (Notice.objects.count(), TimelineEntry.objects.count(), Incident.objects.count()) == told


@pytest.mark.django_db
def test_no_bin_is_acted_on_twice_nor_out_of_turn() -> None:
    lease = claim("one")
    assert lease is not None
    advance(lease, minute(5))
    for end in (minute(5), minute(4)):
        with pytest.raises(LostError):
            advance(lease, end)
    advance(lease, minute(6))
    assert claim("other") is None


@pytest.mark.django_db(transaction=True)
def test_who_stops_in_the_middle_of_acting_holds_up_nobody_for_ever() -> None:
    assert watch.tick(now=minute(1), watcher=Watcher()) is not None
    Watch.objects.update(held_until=None)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM incidents_watch FOR UPDATE")
        assert watch.tick(now=minute(2), watcher=Watcher()) is None, "it neither acts nor waits for ever"
    finally:
        other.close()
    assert watch.tick(now=minute(2), watcher=Watcher()) is not None


@pytest.mark.django_db(transaction=True)
def test_two_at_once_send_each_page_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thread stands for a process; leases run out all the time."""
    with transaction.atomic():
        store(recording())
    locks = threading.local()
    monkeypatch.setattr(watch, "_in_process", OwnLock(locks))
    start, troubles = threading.Barrier(2), []

    def run(seed: int) -> None:
        dice, watcher = random.Random(seed), Watcher()
        start.wait(timeout=30)
        try:
            for number in range(FIRST + 1, PAGED, 3):
                if dice.random() < 0.4:
                    Watch.objects.update(held_until=None)
                watch.tick(now=soon_after(number), watcher=watcher)
        except BaseException as trouble:  # noqa: BLE001 - told below
            troubles.append(trouble)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=100)
    assert not troubles
    Watch.objects.update(held_until=None)
    assert watch.tick(now=soon_after(PAGED), watcher=Watcher()) is not None
    pages = Counter((n.verdict, n.subject) for n in Notice.objects.filter(update=False))
    assert pages
    assert set(pages.values()) == {1}
    expected = [line for line in recording().replayed() if line["at"] <= f"{minute(PAGED):%Y-%m-%dT%H:%M:%S}.000Z"]
    assert [n.content for n in Notice.objects.order_by("at", "update", "verdict", "subject")] == expected
    opened = Counter(Incident.objects.values_list("verdict", "subject"))
    assert set(opened.values()) == {1}


class OwnLock:
    """A lock of each thread's own, as processes have."""

    def __init__(self, locks: threading.local) -> None:
        self.locks = locks

    def acquire(self, *, blocking: bool) -> bool:
        self.locks.lock = getattr(self.locks, "lock", None) or threading.Lock()
        return bool(self.locks.lock.acquire(blocking=blocking))

    def release(self) -> None:
        self.locks.lock.release()
