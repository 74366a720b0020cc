"""PURE. What requests of a simulated host must look like."""

from __future__ import annotations

from fleet.hostkit.dynohost import Json, Refused
from fleet.hostkit.folders import checked_image, checked_name

PROGRAMS = ("python3", "ruby", "node", "java", "puma", "gunicorn")


def dyno_name(request: Json) -> str:
    """`dyno` as a name, or as the object that start took."""
    dyno = request.get("dyno")
    return checked_name(dyno.get("dyno") if isinstance(dyno, dict) else dyno, "dyno")


def wanted_dyno(request: Json) -> Json:
    """The dyno that start is to start."""
    dyno = request.get("dyno")
    if not isinstance(dyno, dict):
        raise Refused("bad_request", "dyno must be an object")
    memory, command = dyno.get("memory_mb", 64), dyno.get("command")
    if type(memory) is not int or not 0 < memory <= 1 << 20:
        raise Refused("bad_request", "memory_mb must be a whole number above 0")
    app = checked_name(dyno.get("app"), "app")
    given = str(command[0]) if isinstance(command, list) and command else ""
    return {
        "name": checked_name(dyno.get("dyno"), "dyno"),
        "app": app,
        "stack": checked_name(dyno.get("stack"), "stack"),
        "image": checked_image(dyno.get("image")),
        "memory_mb": memory,
        "program": given.rsplit("/", 1)[-1] or program_of(app),
    }


def program_of(app: str) -> str:
    """What an app's dynos run, always the same for one app."""
    return PROGRAMS[sum(app.encode()) % len(PROGRAMS)]
