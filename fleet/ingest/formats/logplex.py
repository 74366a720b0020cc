"""PURE. Frames of a Heroku log drain: octet-counted lines of syslog, without structured data. `?app=` names the app."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from fleet.ingest.formats.deaths import Found, how

NAME = "logplex"
EXAMPLE = "90 <45>1 2026-01-05T01:04:19.250000+00:00 h0007 heroku web.1 - Process exited with status 139"
CUT_OFF = "the body ends in the middle of this line; send the frame again"
LENGTH = re.compile(rb"\s*(\d{1,7}) ")
LINE = re.compile(r"<\d{1,3}>1 (\S+) (\S+) (\S+) (\S+) \S+ ?(.*)", re.DOTALL)
EXITED, ASKED, STARVED = (
    re.compile(r"Process exited with status (\d{1,3})\b"),
    "Stopping ",
    re.compile(r"Error R1[45]\b"),
)


def split(body: bytes, found: Found) -> Iterator[tuple[int, str]]:
    """The lines of a body; the last is rejected where it was cut off, and whatever follows a wrong length."""
    place, line = 0, 0
    while body[place:].strip():
        line += 1
        length = LENGTH.match(body, place)
        end = length.end() + int(length[1]) if length else 0
        if not length or end > len(body):
            found.reject(line, CUT_OFF if length else "a length is missing before this line; send the frame again")
            return
        yield line, body[length.end() : end].decode(errors="replace").rstrip("\n")
        place = end


def parse(events: Sequence[tuple[int, Any]]) -> Found:
    """The crashes among some lines, each with its place. A process told to stop before did not crash."""
    found = Found()
    asked: set[str] = set()
    starved: set[str] = set()
    for line, event in events:
        told = LINE.match(event) if isinstance(event, str) else None
        if not told:
            found.reject(line, "this is no line of syslog")
            continue
        moment, host, sender, dyno, message = told.groups()
        if sender != "heroku":
            continue
        if message.lstrip("- ").startswith(ASKED):
            asked.add(dyno)
        elif STARVED.search(message):
            starved.add(dyno)
        elif (ended := EXITED.search(message)) and dyno not in asked:
            died = how(ended[1], out_of_memory=dyno in starved)
            if died:
                found.add(line, {"at": moment, "host": None if host == "host" else host, "dyno": dyno, **died})
    return found
