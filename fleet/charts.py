"""PURE. Figures of the fleet in plotly's terms. Colours are the names of tokens; the page fills in its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fleet.wording import count

Figure = dict[str, Any]


@dataclass(frozen=True)
class Marker:
    """Something that happened at a moment, such as a deploy."""

    at: datetime
    label: str


@dataclass(frozen=True)
class Chart:
    """A figure with the words and the table that say the same."""

    key: str
    title: str
    summary: str
    figure: Figure
    columns: list[str]
    rows: list[list[Any]]
    note: str = ""


def stamp(at: datetime) -> str:
    """A time as plotly reads it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def layout(**more: Any) -> Figure:
    """What all figures share."""
    return {
        "margin": {"l": 40, "r": 12, "t": 24, "b": 62},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "--ink-2", "size": 12},
        "hoverlabel": {"bgcolor": "--surface", "bordercolor": "--line", "font": {"color": "--ink"}},
        # Held to the bottom edge: a share of the plot's height would let it run into the axis on small screens.
        "legend": {
            "orientation": "h", "x": 0, "xanchor": "left", "yref": "container", "y": 0, "yanchor": "bottom",
            "font": {"color": "--ink-2"},
        },
        "hovermode": "x unified",
        "xaxis": axis(),
        "yaxis": axis(rangemode="tozero"),
        **more,
    }  # fmt: skip


def axis(**more: Any) -> Figure:
    """An axis in the page's quiet lines."""
    return {"gridcolor": "--line", "linecolor": "--line", "zerolinecolor": "--line", "tickcolor": "--line", **more}


def count_axis(top: int, *, least: int = 8) -> Figure:
    """An axis of whole numbers; it reaches `least` at any rate, so that a quiet hour looks quiet."""
    reach = max(least, top)
    return axis(range=[0, 1.08 * reach], dtick=max(1, -(-reach // 4)))


def titled(text: str) -> Figure:
    """The name of an axis."""
    return {"text": text, "font": {"size": 12, "color": "--ink-2"}, "standoff": 6}


def pulse_chart(
    *,
    minutes: Sequence[datetime],
    hard: Sequence[int],
    other: Sequence[int],
    recorded_until: datetime | None,
    markers: Sequence[Marker],
    key: str = "pulse",
    title: str = "Crashes per minute",
) -> Chart:
    """Crashes per minute, hard ones above all others, with the deploys."""
    x = [stamp(minute) for minute in minutes]
    figure = {
        "data": [
            _bars(x, other, "exits and out of memory", "--chart-quiet"),
            _bars(x, hard, "fatal signals", "--chart-bad"),
        ],
        "layout": layout(
            barmode="stack", bargap=0.12,
            shapes=[*_recorded_shape(minutes, recorded_until), *(_marker_line(marker) for marker in markers)],
            annotations=[_marker_label(group) for group in _apart(markers, minutes)],
            xaxis=axis(type="date", tickformat="%H:%M", range=[x[0], x[-1]], showgrid=False),
            yaxis=count_axis(max(map(sum, zip(hard, other, strict=True)))),
        ),
    }  # fmt: skip
    return Chart(
        key=key,
        title=title,
        summary=f"{_crashes(sum(hard) + sum(other))} in {count(len(minutes), 'minute')}, {sum(hard)} by fatal signals.",
        figure=figure,
        columns=["Minute (UTC)", "Fatal signals", "Others"],
        rows=[[f"{at:%H:%M}", h, o] for at, h, o in reversed(list(zip(minutes, hard, other, strict=True))) if h or o],
        note="The shaded minutes are a recorded past, not measured here." if recorded_until else "",
    )


def heat_chart(
    *, hosts: Sequence[str], minutes: Sequence[datetime], counts: Sequence[Sequence[int]], excess: Sequence[float]
) -> Chart:
    """Hosts by minute, those with the most crashes beyond their own past on top."""
    return Chart(
        key="heat",
        title="Hosts by minute",
        summary=f"{count(len(hosts), 'host')} with crashes in the last {count(len(minutes), 'minute')}, "
        "the greatest excess on top.",
        figure={
            "data": [
                {
                    "type": "heatmap", "x": [stamp(minute) for minute in minutes], "y": list(hosts),
                    "z": [[n or None for n in row] for row in counts], "zmin": 0, "xgap": 1, "ygap": 1,
                    "zmax": max(4, max((max(row) for row in counts), default=0)),
                    "colorscale": [[0, "--chart-heat-low"], [0.35, "--chart-heat-mid"], [1, "--chart-bad"]],
                    "showscale": False, "hovertemplate": "%{y}<br>%{x|%H:%M}: %{z} crashes<extra></extra>",
                }
            ],
            "layout": layout(
                hovermode="closest", height=max(180, 70 + 19 * len(hosts)), margin={"l": 8, "r": 12, "t": 8, "b": 34},
                xaxis=axis(type="date", tickformat="%H:%M", showgrid=False),
                yaxis=axis(autorange="reversed", showgrid=False, automargin=True, type="category", dtick=1),
            ),
        },
        columns=["Host", "Crashes", "Beyond its own past"],
        rows=[[host, sum(row), f"{more:+g}"] for host, row, more in zip(hosts, counts, excess, strict=True)],
    )  # fmt: skip


def exposure_chart(*, curves: Sequence[tuple[str, Sequence[int], Sequence[float | None]]], key: str) -> Chart:
    """Crashes per host and minute around each host's own deploy; the last curve is of those not exposed."""
    colours = [*["--chart-bad", "--chart-warn"][: len(curves) - 1], "--chart-quiet-line"]
    return Chart(
        key=key,
        title="Exposed against not exposed",
        summary="Crashes per host and minute, aligned on each host's own deploy; the others in the same minutes.",
        figure={
            "data": [
                {
                    "type": "scatter", "mode": "lines", "x": list(lags), "y": smooth(rates), "name": name,
                    "line": {"color": colour, "width": 2.5 if place == 0 else 2, "shape": "hv"}, "connectgaps": False,
                    "hovertemplate": "%{y:.3f}",
                }
                for place, ((name, lags, rates), colour) in enumerate(zip(curves, colours, strict=True))
            ],
            "layout": layout(
                shapes=[_line(0, "--ink-2")],
                annotations=[_label(0, "deploy reached the host")],
                xaxis=axis(title=titled("minutes since the deploy reached the host"), range=_seen(curves)),
                yaxis=axis(rangemode="tozero", title=titled("crashes per host and minute")),
                margin={"l": 60, "r": 12, "t": 24, "b": 92},
            ),
        },
        columns=["Minutes", *(name for name, _, _ in curves)],
        rows=[
            [lag, *("" if rates[place] is None else f"{rates[place]:.3f}" for _, _, rates in curves)]
            for place, lag in enumerate(curves[0][1])
            if lag % 5 == 0
        ],
    )  # fmt: skip


def smooth(rates: Sequence[float | None], width: int = 3) -> list[float | None]:
    """Each minute's mean with the ones just before it, and never across the deploy, which stands in the middle."""
    middle, out = len(rates) // 2, list[float | None]()
    for place, rate in enumerate(rates):
        first = max(middle if place >= middle else 0, place - width + 1)
        known = [value for value in rates[first : place + 1] if value is not None]
        out.append(None if rate is None else round(sum(known) / len(known), 5))
    return out


def _seen(curves: Sequence[tuple[str, Sequence[int], Sequence[float | None]]]) -> list[float]:
    """From as long before the deploy as there is after it, and a quarter of an hour at least."""
    last = max((lag for _, lags, rates in curves for lag, rate in zip(lags, rates, strict=True) if rate is not None))
    return [-max(15, last) - 0.5, max(15, last) + 0.5]


def _crashes(number: int) -> str:
    return count(number, "crash", "crashes")


def _bars(x: list[str], y: Sequence[int], name: str, colour: str) -> Figure:
    return {
        "type": "bar", "x": x, "y": list(y), "name": name, "marker": {"color": colour, "line": {"width": 0}},
        "hovertemplate": "%{y}",
    }  # fmt: skip


def _recorded_shape(minutes: Sequence[datetime], until: datetime | None) -> list[Figure]:
    if until is None:
        return []
    return [
        {
            "type": "rect", "xref": "x", "yref": "paper", "x0": stamp(minutes[0]), "x1": stamp(until), "y0": 0, "y1": 1,
            "fillcolor": "--chart-recorded", "line": {"width": 0}, "layer": "below",
        }
    ]  # fmt: skip


def _apart(markers: Sequence[Marker], minutes: Sequence[datetime]) -> list[Marker]:
    """Markers whose labels have room; the newest first, the others keep their line alone."""
    room = (minutes[-1] - minutes[0]) / 7
    labelled: list[Marker] = []
    for marker in sorted(markers, key=lambda marker: marker.at, reverse=True):
        if not labelled or labelled[-1].at - marker.at > room:
            labelled.append(marker)
    return labelled


def _marker_line(marker: Marker) -> Figure:
    return _line(stamp(marker.at), "--chart-marker")


def _line(x: str | int, colour: str) -> Figure:
    return {
        "type": "line", "xref": "x", "yref": "paper", "x0": x, "x1": x, "y0": 0, "y1": 1,
        "line": {"color": colour, "width": 1, "dash": "dot"},
    }  # fmt: skip


def _marker_label(marker: Marker) -> Figure:
    return _label(stamp(marker.at), marker.label)


def _label(x: str | int, text: str) -> Figure:
    return {
        "xref": "x", "yref": "paper", "x": x, "y": 1, "text": text, "showarrow": False, "xanchor": "left",
        "yanchor": "bottom", "font": {"size": 11, "color": "--ink-2"}, "xshift": -3,
    }  # fmt: skip
