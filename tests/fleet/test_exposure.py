"""Crashes are aligned on each host's own deploy, and the others are counted in the same minutes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.charts import smooth
from fleet.exposure import MINUTE, Curve, Exposure, exposure_of, observed
from fleet.lifecycle import HostState
from fleet.models import App, CrashKind, CrashMinute, Host, HostDeploy
from tests.incidents.views.story import Story, tell_story


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


@given(st.lists(st.integers(0, 90), max_size=12))
def test_no_more_hosts_are_observed_than_there_are_and_fewer_as_time_goes_on(ages: list[int]) -> None:
    now = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
    lags = list(range(-60, 61))
    seen = dict(zip(lags, observed([now - age * MINUTE for age in ages], lags, now), strict=True))
    assert all(seen[lag] == len(ages) for lag in range(-60, 0))
    assert [seen[lag] for lag in range(61)] == sorted((seen[lag] for lag in range(61)), reverse=True)
    assert seen[0] == sum(age > 0 for age in ages)
    assert sum(seen[lag] for lag in range(61)) == sum(min(age, 61) for age in ages)


@given(st.lists(st.none() | st.floats(0, 100), max_size=30), st.integers(1, 6))
def test_a_smoothed_curve_has_the_same_gaps_and_stays_between_its_neighbours(
    rates: list[float | None], width: int
) -> None:
    out = smooth(rates, width)
    assert [rate is None for rate in out] == [rate is None for rate in rates]
    middle = len(rates) // 2
    for place, rate in enumerate(out):
        first = max(middle if place >= middle else 0, place - width + 1)
        near = [value for value in rates[first : place + 1] if value is not None]
        assert rate is None or min(near) - 1e-4 <= rate <= max(near) + 1e-4


def test_smoothing_never_reaches_across_the_deploy() -> None:
    assert smooth([9.0, 9.0, 0.0, 3.0, None]) == [9.0, 9.0, 0.0, 1.5, None]


@pytest.fixture
def story(db: None) -> Story:
    return tell_story(hosts=6)


def crash_on(story: Story, name: str, *ages: int) -> None:
    """One crash of an own app in each of these minutes before now."""
    host = next(host for host in story.hosts if host.name == name)
    app = App.objects.create(name=f"noise-{name}")
    this = story.now.replace(second=0, microsecond=0)
    for at in (this - age * MINUTE for age in ages):
        CrashMinute.objects.create(
            minute=at, host=host, app_id=app.pk, kind=CrashKind.EXIT, count=1, first_at=at, first_received_at=at
        )


def exposure(story: Story, **cohort: str) -> Exposure:
    found = exposure_of(story.deploy, cohort=cohort, now=story.now)
    assert found
    return found


def test_the_ratio_is_held_against_hosts_that_were_not_touched(story: Story) -> None:
    crash_on(story, "h0000", 3, 6, 9, 12)
    found = exposure(story, tools="1.9")
    assert found.ratio
    ratio, low, high = found.ratio
    assert ratio == pytest.approx((48 / 60) / (4 / 60), rel=0.15)
    assert 1 < low < ratio < high
    assert high / ratio == pytest.approx(ratio / low)


def test_without_a_cohort_all_exposed_hosts_are_one_line(story: Story) -> None:
    [every] = exposure(story).exposed
    assert (every.name, every.hosts, every.crashes) == ("exposed (3)", 3, 48)


def test_exposed_hosts_outside_the_cohort_are_a_line_of_their_own(story: Story) -> None:
    HostDeploy.objects.create(deploy=story.deploy, host=story.hosts[0], at=story.now - 20 * MINUTE, outcome="installed")
    such, others = exposure(story, tools="1.9").exposed
    assert (such.name, others.name) == ("exposed, tools 1.9 (3)", "exposed, others (1)")
    assert (such.crashes, others.crashes) == (48, 0)
    assert exposure(story, tools="1.9").unexposed.hosts == 2


def test_a_skipped_host_is_not_exposed_and_stands_with_the_others(story: Story) -> None:
    HostDeploy.objects.filter(deploy=story.deploy, host=story.hosts[1]).update(outcome="skipped")
    found = exposure(story, tools="1.9")
    assert (found.exposed[0].hosts, found.unexposed.hosts) == (2, 4)
    assert found.unexposed.crashes == 16


def test_retired_hosts_and_strangers_are_no_controls(story: Story) -> None:
    Host.objects.filter(name="h0000").update(state=HostState.RETIRED)
    Host.objects.filter(name="h0002").update(state=HostState.UNKNOWN)
    assert exposure(story, tools="1.9").unexposed.hosts == 1


def test_a_deploy_on_every_host_leaves_nothing_to_hold_it_against(story: Story) -> None:
    HostDeploy.objects.bulk_create(
        HostDeploy(deploy=story.deploy, host=host, at=story.now - 20 * MINUTE, outcome="installed")
        for host in story.hosts[::2]
    )
    found = exposure(story)
    assert (found.unexposed.hosts, found.unexposed.rate, found.ratio) == (0, 0.0, None)
    assert set(found.unexposed.rates) == {None}


def test_crashes_before_the_deploy_count_for_neither_side(story: Story) -> None:
    before = exposure(story, tools="1.9")
    crash_on(story, "h0000", 25, 30)
    crash_on(story, "h0001", 25, 30)
    after = exposure(story, tools="1.9")
    assert after.exposed[0].crashes == before.exposed[0].crashes == 48
    assert after.unexposed.crashes == 0
    at = dict(zip(after.exposed[0].lags, after.exposed[0].rates, strict=True))
    assert at[-5] == pytest.approx(1 / 3, abs=1e-4)


def test_hosts_touched_at_different_times_are_laid_over_each_other(story: Story) -> None:
    late = HostDeploy.objects.get(deploy=story.deploy, host=story.hosts[1])
    late.at += 10 * MINUTE
    late.save()
    [such] = exposure(story, tools="1.9").exposed
    at = dict(zip(such.lags, such.rates, strict=True))
    assert at[-1] == pytest.approx(1 / 3, abs=1e-4)
    assert (at[3], at[8], at[15]) == (1.0, 1.0, 1.0)


def test_a_rate_per_hour_is_sixty_times_that_of_a_minute() -> None:
    assert Curve("x", 2, [0], [0.5], 30.0, 60.0).per_hour == 30.0
    assert Curve("x", 0, [0], [None], 0.0, 0.0).rate == 0.0


@pytest.mark.parametrize(("crashes", "host_minutes"), [(0.0, 10.0), (5.0, 0.0)])
def test_no_crash_or_no_time_gives_no_ratio(crashes: float, host_minutes: float) -> None:
    some, none = Curve("a", 1, [0], [1.0], 5.0, 10.0), Curve("b", 1, [0], [1.0], crashes, host_minutes)
    assert Exposure([some], none).ratio is None
    assert Exposure([none], some).ratio is None
    assert Exposure([], some).ratio is None
