"""`make demo`: the embedded parts, Faultline, a lab fleet, and the story of the overwritten image.

With --auto the responder's part is played too; the last line printed is one JSON object, and the exit status is 0
only if everything in it holds.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config import embedded
from config.embedded import Parts, Program, StartError, Supervisor
from config.embedded.child import tethered
from config.launch import check_port, migrate, port_in, web, workers
from config.launch.services import BASE_DIR

STACK, COHORT = "cedar-14", {"tools": "1.9"}
PACE = {"TICK_SECONDS": "4", "COLLECT_SECONDS": "1", "SWEEP_SECONDS": "2"}
INSIDE = [sys.executable, "-m", "config.demo.inside"]


class Demo:
    """One performance: `tale` makes its deploys' names its own."""

    def __init__(self, supervisor: Supervisor, *, folder: Path, lab: str, port: int) -> None:
        self.supervisor = supervisor
        self.folder = folder
        self.lab = lab
        self.lab_folder = folder / "lab"
        self.port = port
        self.tale = f"{STACK}-{datetime.now(UTC):%H%M%S}"
        self.environment: dict[str, str] = {}

    def open(self) -> dict[str, Any]:
        """Starts everything up to the moment before the story; gives what was staged."""
        check_port(self.port)
        given = bool(embedded.given("DATABASE_URL"))
        parts = embedded.start(self.folder, supervisor=self.supervisor)
        if not given:
            self._begin_anew(parts)
        self.environment = parts.environment() | {"DJANGO_SETTINGS_MODULE": "config.settings", **PACE}
        self.environment["FAULTLINE_VAR"] = str(self.folder)
        # These two come up without the database's schema. The workers and the clock wait for the quiet past.
        begun = self.supervisor.begin([self._lab(), web(self.folder, port=self.port, environment=self.environment)])
        migrate(self.supervisor, environment=self.environment)
        self.supervisor.await_ready(begun)
        staged = self._stage()
        key = Path(self._lab_says()["client_key"])
        self.supervisor.spawn_together(workers(self.folder, environment=self.environment, ssh_key_file=key))
        return staged

    def begin_story(self, staged: dict[str, Any], *, quiet_seconds: float) -> None:
        """Lets the lab's deploy tool begin."""
        images = self._lab_says()["images"]
        versions = {name: images[name] for name in ("original", "upgrade")}
        script = {"tale": self.tale, "stack": STACK, "quiet_seconds": quiet_seconds, **versions}
        faultline = {"url": f"http://127.0.0.1:{self.port}", **staged["credentials"]}
        draft = self.lab_folder / "story.draft"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps({"faultline": faultline, "script": script}))
        draft.replace(self.lab_folder / "story.json")

    def respond(self) -> str:
        """Plays the responder; gives the line that says what came of it."""
        report = self.lab_folder / "report.json"
        argv = [*INSIDE, "respond", str(self.lab_folder), "--lab", self.lab, "--deploy", f"{self.tale}-redeploy"]
        argv += ["--cohort", json.dumps(COHORT)]
        command = tethered(argv, death_signal=signal.SIGTERM)
        subprocess.run(command, env=self.environment, cwd=BASE_DIR, check=False)
        if not report.exists():
            raise StartError("The responder ended without a report; what it printed above says why.")
        return report.read_text()

    def _begin_anew(self, parts: Parts) -> None:
        """An empty database for each performance; only ever in the demo's own PostgreSQL."""
        name = sql.Identifier(str(conninfo_to_dict(parts.database_url)["dbname"]))
        with psycopg.connect(make_conninfo(parts.database_url, dbname="template1"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(name))

    def _lab(self) -> Program:
        for name in ("hosts.json", "story.json", "told.json", "report.json"):
            (self.lab_folder / name).unlink(missing_ok=True)
        return Program(
            name="lab",
            argv=[sys.executable, "-m", "fleet.lab", self.lab, str(self.lab_folder)],
            log=self.folder / "log" / "lab.log",
            environment=self.environment,
            folder=BASE_DIR,
            ready=(self.lab_folder / "hosts.json").exists,
        )

    def _stage(self) -> dict[str, Any]:
        argv = [*INSIDE, "stage", str(self.lab_folder), "--tale", self.tale]
        printed = self.supervisor.run("stage", argv, environment=self.environment, folder=BASE_DIR)
        path = self.lab_folder / "stage.json"
        path.touch(mode=0o600)
        path.write_text(printed.splitlines()[-1])
        staged: dict[str, Any] = json.loads(path.read_text())
        self.supervisor.say("fleet", f"{len(staged['dynos'])} dynos; a quiet past of {staged['past']} crashes")
        return staged

    def _lab_says(self) -> dict[str, Any]:
        return dict(json.loads((self.lab_folder / "hosts.json").read_text()))


def perform(supervisor: Supervisor, chosen: argparse.Namespace) -> str | None:
    """The whole demo; gives the line that the automatic one ends with."""
    folder = Path(os.environ.get("FAULTLINE_VAR") or BASE_DIR / "var").absolute() / "demo"
    demo = Demo(supervisor, folder=folder, lab=chosen.lab, port=port_in(os.environ))
    staged = demo.open()
    actor = staged["actor"]["name"]
    print(
        f"\nFaultline is at http://127.0.0.1:{demo.port}/   sign in as {actor} with {staged['password']}\n", flush=True
    )
    demo.begin_story(staged, quiet_seconds=8 if chosen.auto else 30)
    if chosen.auto:
        return demo.respond()
    print("You are the responder. The story begins in half a minute; Ctrl-C ends everything.\n", flush=True)
    supervisor.wait()
    return None


def main() -> int:
    """Reads the command line; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m config.demo", description=__doc__)
    parser.add_argument("--auto", action="store_true", help="play the responder too")
    parser.add_argument("--lab", choices=["simulated", "real"], default="simulated")
    chosen = parser.parse_args()
    try:
        with Supervisor(signals=True, adopt=True) as supervisor:
            line = perform(supervisor, chosen)
    except StartError as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if line is None:
        return 0
    print(line, flush=True)
    return 0 if json.loads(line)["demo"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
