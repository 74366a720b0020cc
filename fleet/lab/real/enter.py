"""Begins a host inside its namespaces: shows it an /etc of its own, then becomes its server.

`python3 enter.py ETC PROGRAM...`; standard library only. Each entry of ETC covers the one of that name in /etc, for
this host alone; the mounts go with its last process.
"""

import os
import subprocess
import sys
from pathlib import Path


def main() -> None:
    """Mount, then become the program."""
    for entry in sorted(Path(sys.argv[1]).iterdir()):
        subprocess.run(["mount", "-n", "--bind", str(entry), f"/etc/{entry.name}"], check=True)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - becoming another program is the point


if __name__ == "__main__":
    main()
