"""The watch at size: rows in, a tick, an hour caught up.

    make bench-watch

Starts an own PostgreSQL, fills it (10,000 hosts, 300,000 dynos, nine hours of everyday crashes, twelve deploys), and
ticks in this process's child: quiet minutes, minutes with 20,000 crashes, an hour that was missed, another process.
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

HOSTS = 10_000


def measure(folder: Path, *, hosts: int) -> str:
    """What the ticking process prints, which runs with Django on a database of its own."""
    with Supervisor() as supervisor:
        url = embedded.start_database(folder, kept=Kept(folder / "embedded"), supervisor=supervisor)
        environment = {**os.environ, "DATABASE_URL": url, "BROKER_URL": "memory://", "FAULTLINE_VAR": str(folder)}
        migrate(supervisor, environment=environment)
        argv = [sys.executable, "-m", "benchmarks.ticking", str(hosts)]
        done = subprocess.run(argv, cwd=BASE_DIR, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.strip().splitlines()[-1]


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder:
        figures = json.loads(measure(Path(folder), hosts=asked.hosts))
    for name, value in figures.items():
        print(f"{name:<28} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
