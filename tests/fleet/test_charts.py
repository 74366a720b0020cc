"""Figures say what their numbers say, in the words and the table beside them too."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import plotly.graph_objects as go
import pytest

from fleet.charts import Chart, Marker, count_axis, exposure_chart, heat_chart, pulse_chart, smooth, stamp

NOON = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def minutes(count: int) -> list[datetime]:
    return [NOON + place * MINUTE for place in range(count)]


def pulse(hard: list[int], other: list[int], **more: Any) -> Chart:
    given: dict[str, Any] = {"recorded_until": None, "markers": []} | more
    return pulse_chart(minutes=minutes(len(hard)), hard=hard, other=other, **given)


def drawn(value: object) -> object:
    """With a colour for each token: what plotly itself has to accept."""
    if isinstance(value, str):
        return "#123456" if value.startswith("--") else value
    if isinstance(value, dict):
        return {key: drawn(inner) for key, inner in value.items()}
    return [drawn(inner) for inner in value] if isinstance(value, list) else value


def test_a_time_is_drawn_in_utc_whatever_zone_it_comes_in() -> None:
    assert stamp(datetime(2031, 5, 1, 14, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))) == "2031-05-01 09:00:00"


def test_the_pulse_says_in_words_and_rows_what_it_draws() -> None:
    chart = pulse([0, 2, 0, 1], [0, 3, 0, 0])
    assert chart.summary == "6 crashes in 4 minutes, 3 by fatal signals."
    assert chart.rows == [["12:03", 1, 0], ["12:01", 2, 3]]
    quiet, bad = chart.figure["data"]
    assert (quiet["y"], bad["y"]) == ([0, 3, 0, 0], [0, 2, 0, 1])
    assert chart.figure["layout"]["xaxis"]["range"] == ["2031-05-01 12:00:00", "2031-05-01 12:03:00"]
    go.Figure(drawn(chart.figure))


def test_one_of_something_is_told_as_one() -> None:
    assert pulse([1], [0]).summary == "1 crash in 1 minute, 1 by fatal signals."
    chart = heat_chart(hosts=["h1"], minutes=minutes(1), counts=[[3]], excess=[2.0])
    assert chart.summary == "1 host with crashes in the last 1 minute, the greatest excess on top."


def test_a_quiet_pulse_has_no_rows_and_looks_quiet() -> None:
    chart = pulse([0, 0], [0, 1])
    assert chart.figure["layout"]["yaxis"]["range"][1] > 8
    assert pulse([0, 0], [0, 0]).rows == []


@pytest.mark.parametrize(("top", "step"), [(0, 2), (8, 2), (9, 3), (100, 25), (101, 26)])
def test_an_axis_of_counts_has_whole_steps_and_room_for_the_top(top: int, step: int) -> None:
    axis = count_axis(top)
    assert axis["dtick"] == step
    assert axis["range"][1] > top


def test_the_recorded_past_is_shaded_up_to_where_it_ends() -> None:
    chart = pulse([0] * 5, [0] * 5, recorded_until=NOON + 2 * MINUTE)
    [shade] = [shape for shape in chart.figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert (shade["x0"], shade["x1"]) == ("2031-05-01 12:00:00", "2031-05-01 12:02:00")
    assert "recorded past" in chart.note
    assert pulse([0], [0]).note == ""


def test_every_deploy_has_its_line_and_those_with_room_a_label() -> None:
    markers = [Marker(NOON + ago * MINUTE, f"d{ago}") for ago in (5, 68, 70)]
    layout = pulse([0] * 71, [0] * 71, markers=markers).figure["layout"]
    assert len(layout["shapes"]) == 3
    assert [label["text"] for label in layout["annotations"]] == ["d70", "d5"]


def test_the_heat_map_leaves_quiet_minutes_empty() -> None:
    chart = heat_chart(hosts=["h1", "h2"], minutes=minutes(3), counts=[[0, 9, 1], [2, 0, 0]], excess=[10, -3])
    [heat] = chart.figure["data"]
    assert heat["z"] == [[None, 9, 1], [2, None, None]]
    assert heat["zmax"] == 9
    assert chart.rows == [["h1", 10, "+10"], ["h2", 2, "-3"]]
    go.Figure(drawn(chart.figure))


def test_few_crashes_do_not_glow() -> None:
    [heat] = heat_chart(hosts=["h1"], minutes=minutes(1), counts=[[1]], excess=[1]).figure["data"]
    assert heat["zmax"] == 4


def test_exposure_is_drawn_side_by_side_and_tabled_every_five_minutes() -> None:
    lags = list(range(-10, 11))
    rates: list[float | None] = [0.0] * 10 + [1.0] * 6 + [None] * 5
    chart = exposure_chart(curves=[("exposed", lags, rates), ("not exposed", lags, [0.1] * 21)], key="exposure")
    assert chart.columns == ["Minutes", "exposed", "not exposed"]
    assert chart.rows[2:] == [[0, "1.000", "0.100"], [5, "1.000", "0.100"], [10, "", "0.100"]]
    worst, others = chart.figure["data"]
    assert (worst["line"]["color"], others["line"]["color"]) == ("--chart-bad", "--chart-quiet-line")
    assert worst["y"][9:11] == [0.0, 1.0]
    assert chart.figure["layout"]["xaxis"]["range"] == [-15.5, 15.5]
    go.Figure(drawn(chart.figure))


def test_a_cohort_and_the_other_exposed_hosts_have_a_colour_each() -> None:
    curves = [(name, [0], [0.0]) for name in ("such", "others", "not exposed")]
    lines = [data["line"]["color"] for data in exposure_chart(curves=curves, key="exposure").figure["data"]]
    assert lines == ["--chart-bad", "--chart-warn", "--chart-quiet-line"]


def test_smoothing_takes_the_minutes_just_before() -> None:
    assert smooth([3.0, 0.0, 6.0, 1.0, 1.0, 1.0]) == [3.0, 1.5, 3.0, 1.0, 1.0, 1.0]
    assert smooth([]) == []
