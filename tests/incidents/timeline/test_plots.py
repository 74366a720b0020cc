from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from incidents.models import Incident
from incidents.postmortems.draft import draft_postmortem
from incidents.timeline.export.plots import MOST_BARS, MOST_HOSTS, crashes_plot, hosts_plot, window_of
from tests.incidents.fleet_in_trouble import Fleet

SVG = "{http://www.w3.org/2000/svg}"


def test_plots_are_well_formed_and_show_every_crash(troubled_fleet: Fleet) -> None:
    draft = draft_postmortem(Incident.objects.get(), now=troubled_fleet.now)
    curve, heat = (ET.fromstring(plot(draft)) for plot in (crashes_plot, hosts_plot))  # noqa: S314
    assert "on the named hosts" in curve.attrib["aria-label"]
    assert {text.text for text in curve.iter(f"{SVG}text")} >= {"d3", "opened"}
    titles = [title.text or "" for title in heat.iter(f"{SVG}title")]
    shown = sum(int(title.split(": ")[1]) for title in titles)
    label = curve.attrib["aria-label"].split()
    assert shown == int(label[3]) + int(label[8])
    names = [text.text for text in heat.iter(f"{SVG}text")][:4]
    assert sorted(names) == ["h00", "h01", "h02", "h03"]  # type: ignore[type-var]


@pytest.mark.parametrize("hours", [0, 1, 30])
def test_window_never_has_more_bars_than_fit(troubled_fleet: Fleet, hours: int) -> None:
    incident = Incident.objects.get()
    draft = draft_postmortem(incident, now=troubled_fleet.now + timedelta(hours=hours))
    window = window_of(draft)
    assert window.bins <= MOST_BARS
    assert window.start < incident.began_at
    assert window.start + window.bins * window.width >= draft.drafted_at
    assert hosts_plot(draft).count('text-anchor="end"') <= MOST_HOSTS + 1
