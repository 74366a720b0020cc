"""Who is told of what: by what each channel asked for, by what it was told before, and in the change's transaction."""

import pytest
from django.db import transaction
from django.utils import timezone

from fleet.actor import SYSTEM, Actor
from incidents.errors import Refused
from incidents.models import Channel, Delivery, Incident
from incidents.notifying.channels import Wanted, add_channel, change_channel, remove_channel, turn_channel
from incidents.notifying.queueing import Occasion, send_test, tell_people
from incidents.notifying.sealing import unseal
from incidents.responding import dismiss_incident, reopen_incident, resolve_incident
from incidents.timeline.record import record
from tests.incidents.notifying.receiver import ADA, SECRET, channel_to

pytestmark = pytest.mark.django_db
NOBODY = f"json://127.0.0.1:1/{SECRET}"


def tell(incident: Incident, occasion: Delivery.Occasion) -> int:
    return tell_people(incident_id=incident.pk, occasion=occasion, now=timezone.now())


def queued() -> list[tuple[str, str]]:
    return list(Delivery.objects.order_by("pk").values_list("channel__name", "occasion"))


def sent() -> None:
    Delivery.objects.update(state="sent", attempts=1)


def note(incident: Incident) -> None:
    record(incident_id=incident.pk, kind="cause", text="another", actor=SYSTEM, occurred_at=timezone.now())


def test_a_channel_gets_the_verdicts_and_severities_it_asked_for(incident: Incident) -> None:
    channel_to(NOBODY, name="all")
    channel_to(NOBODY, name="hosts", verdicts=["host"])
    channel_to(NOBODY, name="minor", severities=["minor"])
    assert tell(incident, Occasion.OPENED) == 1
    assert queued() == [("all", "opened")]


def test_a_notice_goes_only_to_those_who_ask_for_notices(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(verdict="app", severity="notice")
    channel_to(NOBODY, name="on call")
    channel_to(NOBODY, name="owners", verdicts=["app"], severities=["notice"])
    tell(incident, Occasion.OPENED)
    assert queued() == [("owners", "opened")]


def test_nothing_is_queued_without_channels(incident: Incident) -> None:
    assert tell(incident, Occasion.OPENED) == 0
    assert not Delivery.objects.exists()


def test_a_change_that_is_undone_tells_nobody(incident: Incident) -> None:
    channel_to(NOBODY)
    with transaction.atomic():
        assert tell(incident, Occasion.OPENED) == 1
        transaction.set_rollback(True)
    assert not Delivery.objects.exists()


def test_each_change_of_cause_is_told_once_and_only_when_the_last_was_sent(incident: Incident) -> None:
    channel_to(NOBODY)
    tell(incident, Occasion.OPENED)
    note(incident)
    assert tell(incident, Occasion.CAUSE) == 0, "the opening was not sent yet, and will name the newest cause"
    sent()
    assert tell(incident, Occasion.CAUSE) == 1
    tell(incident, Occasion.CAUSE)
    assert len(queued()) == 2
    sent()
    note(incident)
    assert tell(incident, Occasion.CAUSE) == 1
    assert [occasion for _, occasion in queued()] == ["opened", "cause", "cause"]


def test_a_cause_that_a_channel_asked_for_reaches_it_though_the_first_did_not(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(verdict="host")
    channel_to(NOBODY, name="deploys", verdicts=["deploy"])
    assert tell(incident, Occasion.OPENED) == 0
    Incident.objects.filter(pk=incident.pk).update(verdict="deploy")
    assert tell(incident, Occasion.CAUSE) == 1


def test_a_raised_severity_is_told_once_a_severity_and_reaches_those_who_waited_for_it(incident: Incident) -> None:
    Incident.objects.filter(pk=incident.pk).update(severity="minor")
    channel_to(NOBODY, name="majors", severities=["major"])
    channel_to(NOBODY, name="all")
    tell(incident, Occasion.OPENED)
    Incident.objects.filter(pk=incident.pk).update(severity="major")
    assert tell(incident, Occasion.SEVERITY) == 1, "the opening was not sent yet, and will say how bad it is"
    sent()
    assert tell(incident, Occasion.SEVERITY) == 2
    tell(incident, Occasion.SEVERITY)
    assert sorted(queued()) == [("all", "opened"), ("all", "severity"), ("majors", "severity")]


def test_the_end_is_told_to_those_who_were_told_the_beginning(incident: Incident) -> None:
    channel_to(NOBODY, name="told")
    tell(incident, Occasion.OPENED)
    channel_to(NOBODY, name="came later")
    resolve_incident(incident=incident, actor=ADA, now=timezone.now())
    assert queued() == [("told", "opened"), ("told", "resolved")]
    reopen_incident(incident=incident, reason="again", actor=ADA, now=timezone.now())
    resolve_incident(incident=incident, actor=ADA, now=timezone.now())
    assert queued()[-1] == ("told", "resolved")
    assert len(queued()) == 3


def test_a_dismissal_is_an_end_too(incident: Incident) -> None:
    channel_to(NOBODY)
    tell(incident, Occasion.OPENED)
    dismiss_incident(incident=incident, reason="a drill", actor=ADA, now=timezone.now())
    assert queued()[-1] == ("on call", "resolved")


def test_channels_that_are_off_or_deleted_are_not_told(incident: Incident) -> None:
    turn_channel(channel=channel_to(NOBODY, name="off"), on=False, actor=ADA, now=timezone.now())
    gone = channel_to(NOBODY, name="gone")
    tell(incident, Occasion.OPENED)
    remove_channel(channel=gone, actor=ADA, now=timezone.now())
    gone.refresh_from_db()
    assert (gone.sealed, gone.enabled) == ("", False)
    note(incident)
    assert tell(incident, Occasion.CAUSE) == 0
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_error) == ("dead", "ada deleted the channel before this was sent.")
    for channel in Channel.objects.all():
        with pytest.raises(Refused, match="is off"):
            send_test(channel=channel, actor=ADA, now=timezone.now())


def test_a_deleted_name_is_free_again_and_a_kept_one_is_not(db: None) -> None:
    wanted = Wanted(" on  call ", NOBODY, ["deploy"], ["major"])
    first = add_channel(wanted=wanted, actor=ADA, now=timezone.now())
    assert (first.name, first.shown, first.service, unseal(first.sealed)) == ("on call", "json://…-91", "JSON", NOBODY)
    with pytest.raises(Refused, match="already"):
        add_channel(wanted=wanted, actor=ADA, now=timezone.now())
    remove_channel(channel=first, actor=ADA, now=timezone.now())
    add_channel(wanted=wanted, actor=ADA, now=timezone.now())
    assert Channel.objects.kept().count() == 1


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted("", NOBODY, ["deploy"], ["major"]), "name of at most 80"),
        (Wanted("x" * 81, NOBODY, ["deploy"], ["major"]), "name of at most 80"),
        (Wanted("on call", " ", ["deploy"], ["major"]), "Enter the address"),
        (Wanted("on call", "call me", ["deploy"], ["major"]), "does not understand"),
        (Wanted("on call", "json://", ["deploy"], ["major"]), "does not understand"),
        (Wanted("on call", "syslog://", ["deploy"], ["major"]), "only speak to this machine"),
        (Wanted("on call", NOBODY, [], ["major"]), "which kinds of verdict"),
        (Wanted("on call", NOBODY, ["deploy", "comet"], ["major"]), "which kinds of verdict"),
        (Wanted("on call", NOBODY, ["deploy"], []), "which severities"),
    ],
)
def test_what_cannot_be_a_channel_is_refused_with_the_reason(db: None, wanted: Wanted, words: str) -> None:
    with pytest.raises(Refused, match=words):
        add_channel(wanted=wanted, actor=ADA, now=timezone.now())
    assert not Channel.objects.exists()


def test_changing_a_channel_without_an_address_keeps_the_one_it_has(db: None) -> None:
    channel = channel_to(NOBODY)
    sealed = channel.sealed
    changed = Wanted("night shift", "", ["host"], ["minor"])
    change_channel(channel=channel, wanted=changed, actor=Actor("person", "bo"), now=timezone.now())
    channel.refresh_from_db()
    assert (channel.name, channel.verdicts, channel.severities) == ("night shift", ["host"], ["minor"])
    assert (channel.sealed, channel.changed_by) == (sealed, "bo")
    assert channel.shown == "json://…-91"
