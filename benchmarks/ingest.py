"""How many crash events a second one web process takes in over HTTP, deduplicated, rolled up and committed.

    make bench-ingest

Starts an own PostgreSQL (durable, as it runs for real) and one web process; a second process posts the batches. Then
the same rows go into a bare table by COPY alone, for comparison, and deploy webhooks are timed while crashes pour in
at half the rate.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psycopg

from benchmarks.load import Target, crash_batches, pour, rows_of, time_webhooks
from config import embedded
from config.embedded import Supervisor
from config.embedded.kept import Kept
from config.embedded.ports import free_port
from config.launch.services import BASE_DIR, migrate, web

EVENTS, BATCH, SENDERS = 1_000_000, 25_000, 3
BARE = """
CREATE TABLE bare (at timestamptz, key uuid, received_at timestamptz, host_id bigint, app_id bigint, kind smallint,
    signal text, exit_status integer, dyno text, program text, source text)
"""
STORED = "SELECT (SELECT count(*) FROM fleet_crash), (SELECT sum(count) FROM fleet_crash_minute)"


def manage(*arguments: str, environment: Mapping[str, str]) -> str:
    """What a management command prints."""
    argv = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(argv, cwd=BASE_DIR, env=dict(environment), check=True, capture_output=True, text=True)
    return done.stdout.strip()


def measure(folder: Path, *, events: int) -> dict[str, float]:
    """All figures, from one run."""
    with Supervisor() as supervisor:
        url = embedded.given("DATABASE_URL") or embedded.start_database(
            folder, kept=Kept(folder / "embedded"), supervisor=supervisor
        )
        environment = {**os.environ, "DATABASE_URL": url, "BROKER_URL": "memory://", "FAULTLINE_VAR": str(folder)}
        migrate(supervisor, environment=environment)
        target = Target(
            port=free_port(),
            token=manage("issue_token", "bench", "--scope", "crashes", environment=environment),
            source="bench",
            secret=manage("add_source", "bench", environment=environment),
        )
        child = supervisor.spawn(web(folder, port=target.port, environment=environment))
        sent = ask_sender("pour", target, events)
        figures = {"events_per_second": sent["events"] / sent["seconds"], **sent}
        figures["rss_mb"] = peak_memory_mb(child.pid or 0)
        check(url, events)
        figures["bare_copy_per_second"] = bare_copy(url, events)
        figures["copy_ratio"] = figures["events_per_second"] / figures["bare_copy_per_second"]
        figures |= ask_sender("webhooks", target, events, rate=figures["events_per_second"] / 2)
    return figures


def ask_sender(what: str, target: Target, events: int, *, rate: float = 0.0) -> dict[str, float]:
    """Lets the second process send, and gives what it measured."""
    argv = [sys.executable, "-m", "benchmarks.ingest", "--send", what, "--events", str(events), "--rate", str(rate)]
    done = subprocess.run(
        argv, cwd=BASE_DIR, input=json.dumps(target.__dict__), check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def check(url: str, events: int) -> None:
    """What was accepted is there, and was counted."""
    with psycopg.connect(url) as connection:
        stored = connection.execute(STORED)
        if stored.fetchone() != (events, events):
            raise SystemExit(f"Of {events} events not all are stored and counted.")


def bare_copy(url: str, events: int) -> float:
    """Rows a second of a COPY of the same rows, in the same batches, into a table without any index."""
    seconds = 0.0
    with psycopg.connect(url) as connection:
        connection.execute(BARE)
        connection.commit()
        for rows in rows_of(events, BATCH):
            begun = time.perf_counter()
            with connection.cursor() as cursor, cursor.copy("COPY bare FROM STDIN") as copy:
                copy.write(rows)
            connection.commit()
            seconds += time.perf_counter() - begun
    return events / seconds


def peak_memory_mb(pid: int) -> float:
    """The most memory the process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--send", choices=["pour", "webhooks"], help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        target = Target(**json.load(sys.stdin))
        if options.send == "pour":
            figures = pour(target, crash_batches(options.events, BATCH), senders=SENDERS)
        else:
            figures = time_webhooks(target, rate=options.rate, batch=BATCH)
    else:
        with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder:
            figures = measure(Path(folder), events=options.events)
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in figures.items()}) + "\n")


if __name__ == "__main__":
    main()
