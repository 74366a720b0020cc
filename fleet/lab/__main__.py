"""Runs a lab fleet in a process of its own: python -m fleet.lab simulated FOLDER.

`hosts.json` appears in the folder when the hosts are up; the story is told once `story.json` is there.
SIGTERM takes it all down.
"""

import argparse
import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fleet.lab.base import Lab
from fleet.lab.faultline import Faultline
from fleet.lab.registry import LABS
from fleet.lab.story import Script, play

LOOK_SECONDS = 0.2


def write_whole(path: Path, data: Any) -> None:
    """Writes JSON that others see whole or not at all, readable by its owner alone."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(data))
    draft.replace(path)


def describe(lab: Lab) -> dict[str, Any]:
    """What somebody who enrols the hosts needs to know."""
    hosts = [asdict(host) | {"attributes": dict(host.attributes)} for host in lab.hosts]
    return {
        "client_key": str(lab.client_key),
        "hosts": hosts,
        "images": dict(lab.images),
        "crashes_per_dyno_hour": lab.crashes_per_dyno_hour,
    }


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something outside this process is so."""
    while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - nobody in here could set an event
        await asyncio.sleep(LOOK_SECONDS)


async def tell(lab: Lab, folder: Path, say: Callable[[str], None]) -> None:
    """Waits for the story's settings, then tells it once Faultline can serve."""
    path = folder / "story.json"
    await until(path.exists)
    story = json.loads(path.read_text())
    faultline = Faultline(**story["faultline"])
    await until(faultline.is_ready)
    outcomes = await play(lab, faultline, Script(**story["script"]), say)
    write_whole(folder / "told.json", outcomes)


async def run(kind: str, folder: Path) -> None:
    """Brings the lab up, tells the story when asked to, and takes the lab down at SIGTERM."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    lab = LABS[kind](folder)
    try:
        await lab.start()
        write_whole(folder / "hosts.json", describe(lab))
        telling = asyncio.create_task(tell(lab, folder, say))
        await asyncio.wait([telling, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            telling.result()
        await ended.wait()
    finally:
        await lab.stop()


def say(text: str) -> None:
    """Prints a line at once."""
    print(text, flush=True)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="python -m fleet.lab", description=__doc__)
    parser.add_argument("kind", choices=sorted(LABS))
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args()
    os.umask(0o077)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(chosen.kind, chosen.folder))


if __name__ == "__main__":
    main()
