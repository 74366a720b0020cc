"""Runs the system's programs: argv in, output out, a plain error when one fails."""

import subprocess
from collections.abc import Sequence


class CommandFailed(RuntimeError):  # noqa: N818 - it says what happened
    """A program of the system ended with an error; the text says which and why."""


def run(argv: Sequence[str], *, feed: bytes = b"", seconds: float = 60.0) -> bytes:
    """Standard output of `argv`, fed with `feed`."""
    done = subprocess.run(argv, input=feed, capture_output=True, timeout=seconds, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise CommandFailed(f"{' '.join(argv)}: exit status {done.returncode}: {said}")
    return done.stdout
