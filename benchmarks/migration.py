"""How close a migration comes to the shortest time that its limits allow, over real SSH to simulated hosts.

    make bench-migration

Starts an own PostgreSQL and a simulated fleet in this process, empties the full hosts, then asks the hosts themselves
where every dyno runs. The lower bound is made of the start times that the hosts themselves drew, which the mover
cannot know. The canary wave waits by design, so it is left out of the ratio and told of beside it.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config import embedded
from config.embedded import Supervisor
from config.embedded.kept import Kept


@contextmanager
def database(folder: Path) -> Iterator[None]:
    """Django on a PostgreSQL of its own, or on DATABASE_URL."""
    with Supervisor() as supervisor:
        kept = Kept(folder / "embedded")
        url = embedded.given("DATABASE_URL") or embedded.start_database(folder, kept=kept, supervisor=supervisor)
        os.environ |= {"DATABASE_URL": url, "BROKER_URL": "memory://", "FAULTLINE_VAR": str(folder)}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        yield


def main() -> None:
    """Prints the figures, the last line as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dynos", type=int, default=40)
    parser.add_argument("--sources", type=int, default=4)
    parser.add_argument("--targets", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faultline-bench-") as folder, database(Path(folder)):
        # Only now, for Django reads the address of its database when it is set up.
        from benchmarks.migrating import measure  # noqa: PLC0415

        figures: dict[str, Any] = measure(
            Path(folder), dynos=chosen.dynos, sources=chosen.sources, targets=chosen.targets
        )
    print(time.strftime("measured at %H:%M:%S"))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
