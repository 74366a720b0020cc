"""Server time and queries of the pages, with many hosts and crashes stored.

    make bench-pages

Starts an own PostgreSQL, fills it (1,000 hosts, 5 million crashes over two days with their roll-ups, a deploy, an
incident with a run), and asks for each page as a signed-in responder, in this process.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from config import embedded
from config.embedded import Supervisor
from config.embedded.kept import Kept
from config.launch.services import BASE_DIR, migrate

HOSTS, CRASHES = 1_000, 5_000_000


def measure(folder: Path, *, hosts: int, crashes: int) -> str:
    """What the asking process prints, which runs with Django on a database of its own."""
    with Supervisor() as supervisor:
        url = embedded.start_database(folder, kept=Kept(folder / "embedded"), supervisor=supervisor)
        environment = {**os.environ, "DATABASE_URL": url, "BROKER_URL": "memory://", "FAULTLINE_VAR": str(folder)}
        migrate(supervisor, environment=environment)
        argv = [sys.executable, "-m", "benchmarks.asking", str(hosts), str(crashes)]
        done = subprocess.run(argv, cwd=BASE_DIR, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--crashes", type=int, default=CRASHES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder:
        figures = json.loads(measure(Path(folder), hosts=asked.hosts, crashes=asked.crashes))
    for page, milliseconds in figures["p95_ms"].items():
        print(f"{page:<18} p95 {milliseconds:7.1f} ms   {figures['queries'][page]:3d} queries")
    for page, milliseconds in figures["first_viewer_p95_ms"].items():
        print(f"{page:<18} p95 {milliseconds:7.1f} ms   where no chart is drawn yet")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
