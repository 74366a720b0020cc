"""Which silences the correlation is told of, and from when on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet.ingest.crashes import ingest_crashes
from fleet.models import Host
from incidents.correlation import facts
from incidents.watching.readings import AT_ONCE, Told
from incidents.watching.silence import SilenceReader, patience_seconds

NOW = datetime(2026, 3, 4, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _minutes(settings: Any) -> None:
    settings.TICK_SECONDS = settings.COLLECT_SECONDS = 60.0


@pytest.fixture
def host() -> Host:
    return Host.objects.create(
        name="h1", state="in_service", address="127.0.0.1", host_key="ssh-ed25519 AAAA", added_at=NOW, feed_at=NOW
    )


def after(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def test_a_silence_counts_from_the_last_word_and_is_known_when_patience_ends(host: Host) -> None:
    reader = SilenceReader()
    assert list(reader.new(after(3))) == []
    assert patience_seconds() == 180
    assert list(reader.new(after(4))) == [Told(after(3).timestamp(), facts.Silence("h1", NOW.timestamp()))]
    assert list(reader.new(after(5))) == [], "it is told once"


def test_who_is_heard_again_is_told_at_once(host: Host) -> None:
    reader = SilenceReader()
    assert len(list(reader.new(after(10)))) == 1
    Host.objects.update(feed_at=after(10))
    assert list(reader.new(after(11))) == [Told(AT_ONCE, facts.Silence("h1", None))]
    assert list(reader.new(after(12))) == []
    assert [told.fact for told in reader.new(after(20))] == [facts.Silence("h1", after(10).timestamp())]


def test_who_is_heard_by_another_way_is_not_silent(host: Host) -> None:
    crash = {"at": after(5).isoformat(), "host": "h1", "app": "a", "signal": "SIGSEGV"}
    assert ingest_crashes(lines=[crash], source="test", now=after(5)).rejected == []
    assert list(SilenceReader().new(after(10))) == []


def test_whose_journal_was_never_read_has_no_silence(host: Host) -> None:
    Host.objects.update(feed_at=None, trouble="timed out")
    assert list(SilenceReader().new(after(60))) == []
