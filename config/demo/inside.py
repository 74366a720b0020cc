"""The demo's part inside Django: `stage` sets it and prints what it made, `respond` plays the responder.

What the responder measured is one JSON object in the lab's folder, `report.json`.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import django
from django.utils import timezone

django.setup()

from config.demo.census import take_census  # noqa: E402 - models can be imported only after setup
from config.demo.report import measure, shortcomings, write_postmortem  # noqa: E402
from config.demo.responder import GaveUp, Responder  # noqa: E402
from config.demo.stage import enrol_lab, load_past, make_credentials, make_responder  # noqa: E402
from fleet.lab.base import LabHost  # noqa: E402
from fleet.models import Dyno  # noqa: E402

SEED = 7


def stage(folder: Path, tale: str) -> dict[str, Any]:
    """Makes people and tokens, enrols the lab's hosts, and gives the fleet a quiet past."""
    lab = read_lab(folder)
    now = timezone.now()
    actor, password = make_responder()
    credentials = make_credentials(tale=tale, now=now)
    enrol_lab([LabHost(**host) for host in lab["hosts"]], client_key=Path(lab["client_key"]), now=now)
    past = load_past(crashes_per_dyno_hour=lab["crashes_per_dyno_hour"], seed=SEED, now=timezone.now())
    dynos = list(Dyno.objects.placed().values_list("name", flat=True))
    return {
        "actor": asdict(actor),
        "password": password,
        "credentials": asdict(credentials),
        "past": past,
        "dynos": dynos,
    }


def respond(folder: Path, lab_kind: str, deploy: str, cohort: dict[str, str]) -> dict[str, Any]:
    """Answers the story as a person would, and measures what came of it. Raises GaveUp."""
    lab, staged = read_lab(folder), json.loads((folder / "stage.json").read_text())
    actor, _ = make_responder()
    responder = Responder(actor, say)
    incident = responder.await_incident()
    responder.respond(incident)
    incident.refresh_from_db()
    write_postmortem(incident, folder.parent)
    running = asyncio.run(take_census([LabHost(**host) for host in lab["hosts"]], Path(lab["client_key"])))
    line = measure(incident, lab=lab_kind, running=running, expected=set(staged["dynos"]))
    wrong = shortcomings(line, deploy=deploy, cohort=cohort)
    return line | ({"demo": "fell short", "wrong": wrong} if wrong else {})


def read_lab(folder: Path) -> dict[str, Any]:
    """What the lab said of itself."""
    return dict(json.loads((folder / "hosts.json").read_text()))


def say(text: str) -> None:
    """Prints a line at once."""
    print(f"  {text}", flush=True)


def main() -> int:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m config.demo.inside", description=__doc__)
    parser.add_argument("part", choices=["stage", "respond"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tale", default="")
    parser.add_argument("--lab", default="simulated")
    parser.add_argument("--deploy", default="")
    parser.add_argument("--cohort", type=json.loads, default={})
    chosen = parser.parse_args()
    if chosen.part == "stage":
        print(json.dumps(stage(chosen.folder, chosen.tale)))
        return 0
    try:
        line = respond(chosen.folder, chosen.lab, chosen.deploy, chosen.cohort)
    except GaveUp as failure:
        line = {"demo": "gave up", "lab": chosen.lab, "why": str(failure)}
    (chosen.folder / "report.json").write_text(json.dumps(line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
