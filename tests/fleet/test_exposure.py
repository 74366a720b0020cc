"""Crashes are aligned on each host's own deploy, and the others are counted in the same minutes."""

import pytest

from fleet.charts import smooth
from fleet.exposure import MINUTE, exposure_of, observed
from tests.incidents.views.story import tell_story


@pytest.mark.django_db
def test_exposed_hosts_stand_out_from_the_minute_of_their_deploy() -> None:
    story = tell_story(hosts=6)
    exposure = exposure_of(story.deploy, cohort={"tools": "1.9"}, now=story.now)
    assert exposure
    [such] = exposure.exposed
    at = dict(zip(such.lags, such.rates, strict=True))
    assert such.hosts == 3
    assert (at[-1], at[2], at[3], at[18]) == (0, 0, 1.0, 1.0)
    assert at[30] is None
    assert such.crashes == 3 * 16
    assert exposure.unexposed.hosts == 3
    assert exposure.unexposed.crashes == 0
    assert exposure.ratio is None


@pytest.mark.django_db
def test_a_deploy_that_reached_no_host_has_nothing_to_show() -> None:
    story = tell_story()
    story.deploy.host_deploys.all().update(outcome="skipped")
    assert exposure_of(story.deploy, cohort={}, now=story.now) is None


@pytest.mark.django_db
def test_hosts_count_only_as_far_as_they_have_come() -> None:
    now = tell_story().now
    assert observed([now - 3 * MINUTE, now - 10 * MINUTE], [-5, 0, 2, 3, 9, 10], now) == [2, 2, 2, 1, 1, 0]


def test_smoothing_never_reaches_across_the_deploy() -> None:
    assert smooth([9.0, 9.0, 0.0, 3.0, None]) == [9.0, 9.0, 0.0, 1.5, None]
