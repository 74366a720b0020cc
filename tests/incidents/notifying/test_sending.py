"""Messages go out at least once, once where nothing dies, and everything that became of them is written down."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from incidents.lifecycle import DeliveryState
from incidents.models import Channel, Delivery, Incident, TimelineEntry
from incidents.notifying import sending
from incidents.notifying.channels import turn_channel
from incidents.notifying.queueing import Occasion, send_test, tell_people
from incidents.notifying.sealing import seal
from incidents.notifying.sending import attempt, claim_due, deliver_due, keep_outcome
from incidents.timeline.record import is_whole
from tests.incidents.notifying.receiver import ADA, SECRET, Receiver, channel_to, receiving

pytestmark = pytest.mark.django_db


def told(incident: Incident) -> list[str]:
    return list(TimelineEntry.objects.filter(incident=incident, kind="told").values_list("text", flat=True))


def opened(incident: Incident, now: datetime | None = None) -> None:
    assert tell_people(incident_id=incident.pk, occasion=Occasion.OPENED, now=now or timezone.now())


def after(minutes: float) -> datetime:
    return timezone.now() + timedelta(minutes=minutes)


def test_a_message_says_the_sentence_the_next_step_and_where(receiver: Receiver, incident: Incident) -> None:
    channel_to(receiver.address)
    opened(incident)
    assert deliver_due() == 1
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("sent", 1, "")
    assert delivery.sent_at is not None
    message = receiver.took[0]
    assert message["title"] == f"Incident {incident.pk}, major: opened"
    sentence, step, address, ref = message["message"].splitlines()
    assert sentence == "Redeploy d3 of cedar-14 damages hosts with tools 1.9."
    assert step.startswith("Next: take it")
    assert address == f"http://127.0.0.1:8000/incidents/{incident.pk}"
    assert ref == f"ref {delivery.short_ref}"
    assert told(incident) == ["Told “on call” (JSON) that it opened."]
    assert is_whole(incident)


def test_a_receiver_that_is_down_is_told_later_and_once(receiver: Receiver, incident: Incident) -> None:
    """Down, then refusing, then well: three attempts, one message, and the timeline says so without a flood."""
    channel = channel_to(receiver.address)
    down = channel_to("json://127.0.0.1:1/nobody-listens-here", name="down")
    turn_channel(channel=down, on=False, actor=ADA, now=timezone.now())
    receiver.status = 503
    opened(incident)
    assert deliver_due() == 1
    delivery = Delivery.objects.get(channel=channel)
    assert delivery.state == "failed"
    assert "503" in delivery.last_error or "Unavailable" in delivery.last_error
    assert 3 < (delivery.next_attempt_at - timezone.now()).total_seconds() < 7
    assert deliver_due() == 0
    assert deliver_due(now=after(1)) == 1
    receiver.status = 200
    assert deliver_due(now=after(3)) == 1
    assert deliver_due(now=after(60)) == 0
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("sent", 3)
    assert [message["message"].splitlines()[-1] for message in receiver.took] == [f"ref {delivery.short_ref}"]
    assert len(told(incident)) == 2
    assert "could not be told that it opened; it is tried again" in told(incident)[0]
    assert told(incident)[1] == "Told “on call” (JSON) that it opened, after 3 attempts."


def test_nobody_listening_is_given_up_in_the_end_and_said(incident: Incident, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "MOST_ATTEMPTS", 2)
    channel_to(f"json://127.0.0.1:1/{SECRET}")
    opened(incident)
    deliver_due()
    deliver_due(now=after(60))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("dead", 2)
    assert deliver_due(now=after(600)) == 0
    assert told(incident)[-1].startswith("Gave up telling “on call” (JSON) that it opened after 2 attempts. Tell them")
    assert len(told(incident)) == 2


def test_the_same_occasion_is_told_once(receiver: Receiver, incident: Incident) -> None:
    channel_to(receiver.address)
    for _ in range(3):
        opened(incident)
        deliver_due()
    assert len(receiver.took) == 1


def test_a_worker_that_died_before_it_wrote_it_down_sends_it_again_with_the_same_ref(
    receiver: Receiver, incident: Incident
) -> None:
    channel_to(receiver.address)
    opened(incident)
    (lost,) = claim_due(now=timezone.now())
    assert attempt(lost) == ""
    assert claim_due(now=timezone.now()) == [], "the lease still holds"
    Incident.objects.filter(pk=incident.pk).update(headline="Another sentence by now")
    assert deliver_due(now=after(2)) == 1
    assert len(receiver.took) == 2
    assert receiver.took[0]["message"] == receiver.took[1]["message"]
    assert not keep_outcome(lost, error="", now=timezone.now()), "the one thought dead may write nothing"
    assert len(told(incident)) == 1


def test_a_message_that_ends_every_worker_is_given_up_and_not_sent_for_ever(
    receiver: Receiver, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "MOST_ATTEMPTS", 2)
    channel_to(receiver.address)
    opened(incident)
    for place in range(2):
        assert claim_due(now=after(2 * place))
    assert deliver_due(now=after(10)) == 1
    delivery = Delivery.objects.get()
    assert delivery.state == "dead"
    assert "It may have arrived" in told(incident)[-1]
    assert not receiver.took


def test_the_one_who_was_taken_for_dead_cannot_undo_what_the_other_wrote(incident: Incident) -> None:
    channel_to("json://127.0.0.1:1/x-nobody")
    opened(incident)
    (slow,) = claim_due(now=timezone.now())
    (quick,) = claim_due(now=after(2))
    assert not keep_outcome(slow, error="", now=timezone.now())
    assert Delivery.objects.get().state == "sending"
    assert keep_outcome(quick, error="", now=timezone.now())
    assert not keep_outcome(slow, error="No answer", now=timezone.now())
    assert Delivery.objects.get().state == "sent"


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_message_once(receiver: Receiver, incident: Incident) -> None:
    for number in range(4):
        channel_to(receiver.address, name=f"channel {number}")
    opened(incident)
    receiver.may_answer.clear()

    def work() -> int:
        try:
            return deliver_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(work)
        assert receiver.was_asked.wait(20)
        second = workers.submit(work)
        assert second.result(timeout=20) == 0
        receiver.may_answer.set()
        assert first.result(timeout=20) == 4
    assert len(receiver.took) == len({m["message"] for m in receiver.took}) == 4
    assert set(Delivery.objects.values_list("state", "attempts")) == {("sent", 1)}


@pytest.mark.django_db(transaction=True)
def test_rows_that_another_worker_is_claiming_are_passed_over(receiver: Receiver, incident: Incident) -> None:
    channel_to(receiver.address)
    opened(incident)

    def elsewhere() -> int:
        try:
            return len(claim_due(now=timezone.now()))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM incidents_delivery FOR UPDATE")
        assert other.submit(elsewhere).result(timeout=10) == 0
        cursor.execute("ROLLBACK")
        assert other.submit(elsewhere).result(timeout=10) == 1


def test_no_more_than_two_threads_of_a_process_send(monkeypatch: pytest.MonkeyPatch, incident: Incident) -> None:
    channel_to("json://127.0.0.1:1/x-nobody")
    opened(incident)
    with sending._senders, sending._senders:
        assert deliver_due() == 0
    assert Delivery.objects.get().attempts == 0


def test_what_follows_waits_for_what_came_before(receiver: Receiver, incident: Incident) -> None:
    """Nobody reads that it is over before that it began."""
    channel_to(receiver.address)
    receiver.status = 500
    opened(incident)
    deliver_due()
    tell_people(incident_id=incident.pk, occasion=Occasion.RESOLVED, now=timezone.now())
    receiver.status = 200
    assert deliver_due() == 0
    assert deliver_due(now=after(1)) == 2
    assert [title.partition(": ")[2] for title in receiver.titles] == ["opened", "it is over"]


def test_the_text_says_what_stands_when_it_is_sent(receiver: Receiver, incident: Incident) -> None:
    channel_to(receiver.address)
    opened(incident)
    Incident.objects.filter(pk=incident.pk).update(state="resolved", headline="It was d4")
    deliver_due()
    assert "It was d4.\nIt is resolved." in receiver.took[0]["message"]


def test_an_address_that_cannot_be_unsealed_is_said_and_tried_again(
    receiver: Receiver, incident: Incident, settings: Any
) -> None:
    channel = channel_to(receiver.address)
    opened(incident)
    settings.SECRET_KEY = "another-key"
    deliver_due()
    delivery = Delivery.objects.get()
    assert delivery.state == "failed"
    assert "Enter the address again" in delivery.last_error
    Channel.objects.filter(pk=channel.pk).update(sealed=seal(receiver.address))
    assert deliver_due(now=after(1)) == 1
    assert len(receiver.took) == 1


def test_a_test_message_takes_the_same_way_and_is_tried_once(receiver: Receiver, db: None) -> None:
    channel = channel_to(receiver.address)
    send_test(channel=channel, actor=ADA, now=timezone.now())
    deliver_due()
    assert receiver.titles == ["Faultline: a test message"]
    assert "ada sent this to see whether “on call” works" in receiver.took[0]["message"]
    receiver.status = 403
    failed = send_test(channel=channel, actor=ADA, now=timezone.now())
    deliver_due()
    failed.refresh_from_db()
    assert (failed.state, failed.attempts) == ("dead", 1)
    assert failed.last_error


def test_secrets_stand_in_no_log_row_or_timeline(
    receiver: Receiver, incident: Incident, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the service fails and says so."""
    caplog.set_level(logging.DEBUG)
    channel_to(receiver.address)
    channel_to(f"json://robin:{SECRET}@127.0.0.1:1/{SECRET}", name="down")
    receiver.status = 500
    opened(incident)
    deliver_due()
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(incidents_channel::text, '') FROM incidents_channel")
        rows = str(cursor.fetchone())
        cursor.execute("SELECT string_agg(incidents_delivery::text, '') FROM incidents_delivery")
        rows += str(cursor.fetchone())
    assert "HTTP" in rows or "onnection" in rows
    for words in (rows, caplog.text, *told(incident)):
        assert SECRET not in words
        assert SECRET[5:] not in words


def test_turning_a_channel_off_gives_up_what_waits(receiver: Receiver, incident: Incident) -> None:
    channel = channel_to(receiver.address)
    opened(incident)
    turn_channel(channel=channel, on=False, actor=ADA, now=timezone.now())
    assert deliver_due(now=after(1)) == 0
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_error) == ("dead", "ada turned the channel off before this was sent.")
    turn_channel(channel=channel, on=True, actor=ADA, now=timezone.now())
    assert deliver_due(now=after(1)) == 0
    assert not receiver.took


def test_a_row_queued_for_a_channel_that_is_off_is_not_sent(receiver: Receiver, incident: Incident) -> None:
    channel = channel_to(receiver.address)
    opened(incident)
    Channel.objects.filter(pk=channel.pk).update(enabled=False)
    assert deliver_due() == 0
    assert Delivery.objects.get().state == DeliveryState.PENDING


def test_it_listens_again_at_the_same_port(incident: Incident) -> None:
    """Really down, not only refusing."""
    receiver = Receiver()
    with receiving(receiver):
        channel_to(receiver.address)
    opened(incident)
    deliver_due()
    assert Delivery.objects.get().state == "failed"
    with receiving(receiver):
        deliver_due(now=after(1))
    assert len(receiver.took) == 1
