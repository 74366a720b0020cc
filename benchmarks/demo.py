"""make bench-demo: how long until the demo's address stands there, and how much memory all of it takes.

Memory is the proportional set size of every process under the demo, added up each half second; the peak counts.
The last line printed is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread

LOOK_SECONDS = 0.5


def descendants(root: int) -> set[int]:
    """Every process under `root`, itself included."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def memory_mb(pids: set[int]) -> float:
    """Their proportional set size, in MiB; a process that is gone counts nothing."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def watch(root: int, ended: Event, peaks: list[float]) -> None:
    """Notes the memory until told to end."""
    while not ended.wait(LOOK_SECONDS):
        peaks.append(memory_mb(descendants(root)))


def main() -> int:
    """Runs the automatic demo once and measures it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.demo", description=__doc__)
    parser.add_argument("--lab", choices=["simulated", "real"], default="simulated")
    lab = parser.parse_args().lab
    began_at, address_after, last = time.monotonic(), None, ""
    argv = [sys.executable, "-m", "config.demo", "--auto", "--lab", lab]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as demo:
        ended, peaks = Event(), [0.0]
        watcher = Thread(target=watch, args=(demo.pid, ended, peaks))
        watcher.start()
        for line in demo.stdout or ():
            print(line, end="", flush=True)
            last = line.strip() or last
            if address_after is None and "Faultline is at" in line:
                address_after = round(time.monotonic() - began_at, 1)
        ended.set()
        watcher.join()
    told = json.loads(last) if last.startswith("{") else {"demo": "failed"}
    figures = {"lab": lab, "memory_mb": round(max(peaks)), "seconds_to_address": address_after, "demo": told}
    print(json.dumps(figures))
    return 0 if told["demo"] == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
