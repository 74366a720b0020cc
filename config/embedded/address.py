"""Prints the address of the database that `make run` or `make demo` uses, so that manage.py can reach it.

    export DATABASE_URL=$(.venv/bin/python -m config.embedded.address [FOLDER])

FOLDER is where its files are: var (the default), or var/demo.
"""

import json
import os
import sys
from pathlib import Path

from config.embedded import given
from config.embedded.kept import Place
from config.embedded.postgres import Postgres


def address_of(folder: Path) -> str | None:
    """The address of the database kept under a folder, None when there is none. It may be read while it is in use."""
    try:
        places = json.loads((folder / "embedded" / "embedded.json").read_text())
        place = Place(**places["postgres"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Postgres(folder=folder / "embedded" / "postgres", port=place.port, password=place.password).url


def main() -> int:
    """The command; returns its exit status."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("FAULTLINE_VAR") or "var")
    address = given("DATABASE_URL") or address_of(folder)
    sys.stdout.write(f"{address}\n" if address else "")
    if not address:
        sys.stderr.write(f"There is no database under {folder}; start one with `make run`, or name its folder.\n")
    return 0 if address else 1


if __name__ == "__main__":
    sys.exit(main())
