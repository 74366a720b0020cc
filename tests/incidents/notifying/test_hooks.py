"""The watch tells people, in the same transaction as it opens an incident or moves its blame."""

from dataclasses import replace

import pytest

from incidents.models import Delivery, Incident
from incidents.watching.opening import carry_out
from tests.incidents.fleet_in_trouble import Fleet
from tests.incidents.notifying.receiver import channel_to

pytestmark = pytest.mark.usefixtures("fast_ticks")


def test_an_incident_that_opens_and_one_whose_blame_moves_are_told(quiet_fleet: Fleet) -> None:
    channel_to("json://127.0.0.1:1/nobody-listens")
    quiet_fleet.redeploy("d3")
    quiet_fleet.pass_ticks(14, dying=0.2)
    incident = Incident.objects.get()
    assert list(Delivery.objects.values_list("incident", "occasion")) == [(incident.pk, "opened")]
    quiet_fleet.pass_ticks(5, dying=0.2)
    assert Delivery.objects.count() == 1
    Delivery.objects.update(state="sent", attempts=1)
    ticked = quiet_fleet.tick()
    assert ticked is not None
    quiet_fleet.redeploy("d4")
    for _ in range(2):
        verdict = replace(ticked.board.verdicts[0], subject="d4")
        carry_out(replace(ticked.board, verdicts=(verdict,)), now=quiet_fleet.now)
    assert list(Delivery.objects.order_by("pk").values_list("occasion", flat=True)) == ["opened", "cause"]
