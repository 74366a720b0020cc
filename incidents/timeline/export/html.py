"""HTML: one file that opens anywhere, offline, in light and dark; every text escaped, no script."""

from html import escape

from incidents.models import Suspect, TimelineEntry
from incidents.postmortems.draft import Draft, utc
from incidents.timeline.export.markdown import record_lines
from incidents.timeline.export.plots import crashes_plot, hosts_plot

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b6470; --line: #d9dde2; --page: #fbfbfa; --hot: #c2410c;
  --cool: #8b98a8; --mark: #2563eb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3adb8; --line: #343a41; --page: #16181b;
  --hot: #fb923c; --cool: #64748b; --mark: #93c5fd; } }
body { margin: 0 auto; max-width: 62rem; padding: 2rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.3; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; } td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
code { overflow-wrap: anywhere; } .soft { color: var(--soft); } figure { margin: 1.2rem 0; }
figcaption { color: var(--soft); font-size: .9rem; }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; }
svg text { fill: var(--soft); } svg .named { fill: var(--hot); } svg .others { fill: var(--cool); }
svg .mark { stroke: var(--mark); stroke-dasharray: 3 3; } svg .label { fill: var(--mark); }
svg .axis { stroke: var(--line); }
svg .touched { stroke: var(--mark); stroke-width: 2; } svg [class^=level] { fill: var(--hot); }
svg .level1 { opacity: .25; } svg .level2 { opacity: .45; } svg .level3 { opacity: .65; } svg .level4 { opacity: .85; }
@media print { body { max-width: none; } }
"""


def write(draft: Draft) -> str:
    """The whole document."""
    body = "\n".join([f"<h1>{escape(draft.title)}</h1>", *_sections(draft)])
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{escape(draft.title)}</title><style>{STYLE}</style>"
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>\n{body}\n</main></body></html>\n'


def _sections(draft: Draft) -> list[str]:
    return [
        _section("Summary", "".join(f"<p>{escape(line)}</p>" for line in draft.summary)),
        _section("Impact", _list(draft.impact) + _plots(draft)),
        _section("Detection and response", _metrics(draft)),
        _section("Cause", _cause(draft)),
        _section("What was done", _list(draft.done) or "<p>Nothing was done to hosts or gates.</p>"),
        _section("Timeline", _timeline(draft)),
        _section("Record", _list(record_lines(draft))),
    ]


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _list(lines: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    """Cells are HTML already."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll" tabindex="0">{table}</div>'


def _cell(text: str, kind: str = "") -> str:
    return f'<td class="{kind}">{escape(text)}</td>' if kind else f"<td>{escape(text)}</td>"


def _plots(draft: Draft) -> str:
    plots = (
        (crashes_plot, "Crashes a minute: the named hosts in the strong colour, all others in grey. Times in UTC."),
        (hosts_plot, "Crashes by host. The line on a row: when the suspected deploy touched that host."),
    )
    return "".join(f"<figure>{plot(draft)}<figcaption>{escape(words)}</figcaption></figure>" for plot, words in plots)


def _metrics(draft: Draft) -> str:
    rows = [[_cell(m.label), _cell(m.words, "time"), _cell(m.definition)] for m in draft.metrics]
    return _table(["what", "how long", "that is"], rows)


def _cause(draft: Draft) -> str:
    parts = [_table(["number", "value"], [[_cell(name), _cell(value)] for name, value in draft.numbers])]
    parts += [_suspect(suspect) for suspect in draft.suspects]
    if draft.evidence:
        rows = [
            [_cell(e.get_bearing_display()), _cell(e.summary), _cell(utc(e.observed_at), "time")]
            for e in draft.evidence
        ]
        parts.append("<h3>Direct evidence</h3>" + _table(["bearing", "what", "when"], rows))
    if draft.reports:
        reports = [f"{report.reporter}, {utc(report.reported_at)}: {report.text}" for report in draft.reports]
        parts.append("<h3>Reports</h3>" + _list(reports))
    return "".join(parts)


def _suspect(suspect: Suspect) -> str:
    head = f"<h3>Suspect {escape(suspect.deploy.key)} <span class='soft'>score {suspect.score:.1f}</span></h3>"
    against = _list(suspect.speaks_against) or "<p>Nothing.</p>"
    return f"{head}<p>For:</p>{_list(suspect.speaks_for) or '<p>Nothing.</p>'}<p>Against:</p>{against}"


def _timeline(draft: Draft) -> str:
    rows = [_entry(entry, draft.revisions.text_for_export(entry)) for entry in draft.entries]
    return _table(["occurred (UTC)", "who", "what"], rows)


def _entry(entry: TimelineEntry, text: str) -> list[str]:
    recorded = ""
    if abs((entry.recorded_at - entry.occurred_at).total_seconds()) > 60:
        recorded = f" (recorded {utc(entry.recorded_at)})"
    return [_cell(f"{entry.occurred_at:%Y-%m-%d %H:%M:%S}", "time"), _cell(entry.actor), _cell(text + recorded)]
