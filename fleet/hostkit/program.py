"""How the host program begins: `dynohost [--root FOLDER]`, JSON lines on standard input."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from .disk import DiskStore
from .dynohost import VERSION, Program, serve
from .machine import RealMachine
from .shim import Spawner

ROOT = "/var/lib/dynohost"


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(prog="dynohost", description="Runs dynos on this host for Faultline.")
    parser.add_argument("--root", default=ROOT, type=Path, help="where it keeps everything (%(default)s)")
    parser.add_argument("--version", action="version", version=VERSION)
    root = parser.parse_args().root
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.umask(0o022)
    spawner = Spawner()  # before the first thread
    machine = RealMachine(root, spawner, Path(sys.argv[0]).resolve())
    serve(Program(machine, DiskStore(machine.folders.operations)), sys.stdin.buffer, sys.stdout.buffer)
    os._exit(0)  # all is answered; a caller who is gone is nothing to complain of
