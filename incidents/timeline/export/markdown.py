"""Markdown: a postmortem draft to go on writing."""

import re

from fleet.wording import count
from incidents.postmortems.draft import Draft, utc

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")
LIST_LIKE = re.compile(r"^([-+=]|\d+(?=[.)]))")


def write(draft: Draft) -> str:
    """The whole document."""
    parts = [f"# {plain(draft.title)}", *_sections(draft)]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    escaped = SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return LIST_LIKE.sub(lambda found: f"\\{found[0]}" if not found[0].isdigit() else f"{found[0]}\\", escaped)


def _sections(draft: Draft) -> list[str]:
    return [
        _section("Summary", "\n\n".join(plain(line) for line in draft.summary)),
        _section("Impact", bullets(draft.impact)),
        _section("Detection and response", _metrics(draft)),
        _section("Cause", _cause(draft)),
        _section("What was done", bullets(draft.done) or "Nothing was done to hosts or gates."),
        _section("What went well, what went wrong, where we were lucky", "_To be written._"),
        _section("Actions", "| action | owner | due | link |\n| --- | --- | --- | --- |\n|  |  |  |  |"),
        _section("Timeline", _timeline(draft)),
        _section("Record", _record(draft)),
    ]


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}"


def bullets(lines: list[str]) -> str:
    """A list."""
    return "\n".join(f"- {plain(line)}" for line in lines)


def _metrics(draft: Draft) -> str:
    rows = [f"| {metric.label} | {metric.words} | {metric.definition} |" for metric in draft.metrics]
    return "\n".join(["| what | how long | that is |", "| --- | --- | --- |", *rows])


def _cause(draft: Draft) -> str:
    rows = [f"| {plain(name)} | {plain(value)} |" for name, value in draft.numbers]
    parts = ["\n".join(["| number | value |", "| --- | --- |", *rows])] if rows else []
    for suspect in draft.suspects:
        parts.append(f"### Suspect {plain(suspect.deploy.key)} (score {suspect.score:.1f})")
        parts.append("For:\n\n" + (bullets(suspect.speaks_for) or "- nothing"))
        parts.append("Against:\n\n" + (bullets(suspect.speaks_against) or "- nothing"))
    if draft.evidence:
        rows = [f"{item.get_bearing_display()}: {item.summary}" for item in draft.evidence]
        parts.append("### Direct evidence\n\n" + bullets(rows))
    if draft.reports:
        parts.append(
            "### Reports\n\n" + bullets([f"{r.reporter}, {utc(r.reported_at)}: {r.text}" for r in draft.reports])
        )
    return "\n\n".join(parts) or "No numbers were kept."


def _timeline(draft: Draft) -> str:
    head = ["| occurred (UTC) | recorded (UTC) | who | what |", "| --- | --- | --- | --- |"]
    rows = [
        f"| {entry.occurred_at:%Y-%m-%d %H:%M:%S} | {entry.recorded_at:%Y-%m-%d %H:%M:%S} "
        f"| {plain(entry.actor)} | {plain(draft.revisions.text_for_export(entry))} |"
        for entry in draft.entries
    ]
    return "\n".join(head + rows)


def _record(draft: Draft) -> str:
    return bullets(record_lines(draft))


def record_lines(draft: Draft) -> list[str]:
    """What can be said of the timeline's integrity."""
    whole = "The chain is whole." if draft.first_break is None else f"The chain breaks at entry {draft.first_break}."
    return [
        f"{count(len(draft.entries), 'entry', 'entries')}. {whole}",
        f"Digest of the last entry (SHA-256, covers all before): {draft.chain_digest or 'none'}",
        f"Drafted from the timeline at {utc(draft.drafted_at)}.",
    ]
