"""Runs a command on a throw-away database: `python -m config.embedded manage.py makemigrations --check`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from config.embedded import StartError, Supervisor, start_database
from config.embedded.child import tethered
from config.embedded.kept import Kept


def main(arguments: list[str]) -> int:
    """Start the database, run the command with this Python, and return its exit status."""
    with tempfile.TemporaryDirectory(prefix="faultline-") as name:
        folder = Path(name)
        with Supervisor(say=lambda _name, _state: None, signals=True) as supervisor:
            kept = Kept(folder / "embedded")
            url = start_database(folder, kept=kept, supervisor=supervisor, fast=True)
            environment = os.environ | {"DATABASE_URL": url, "FAULTLINE_VAR": str(folder)}
            command = tethered([sys.executable, *arguments], death_signal=15)
            return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StartError as error:
        sys.exit(str(error))
