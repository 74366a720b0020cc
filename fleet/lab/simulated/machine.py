"""A simulated host behind every verb: nothing blocks, and all that happens follows from the clock and the images."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from fleet.hostkit import bundle
from fleet.hostkit.attempts import GOT_THROUGH, held
from fleet.hostkit.crashlog import rfc3339
from fleet.hostkit.dynohost import VERSION, Json, Machine, Refused
from fleet.hostkit.folders import checked_image, checked_name, checked_seconds, checked_text
from fleet.lab.simulated.crashlog import MOST_CRASHES, CrashLog
from fleet.lab.simulated.dynos import Dynos, SimulatedDyno
from fleet.lab.simulated.evidence import described, image_evidence
from fleet.lab.simulated.files import Files, ImageFile
from fleet.lab.simulated.installers import FIXED, install, receipt_of
from fleet.lab.simulated.kernel import KernelLog
from fleet.lab.simulated.settings import Faults, Nature
from fleet.lab.simulated.wanted import dyno_name, wanted_dyno

COMMIT_SECONDS = 120.0


class SimulatedMachine(Machine):
    """One host. Belongs to one event loop; `clock` gives seconds since 1970."""

    def __init__(
        self,
        name: str,
        *,
        attributes: Mapping[str, str],
        memory_mb: int,
        slots: int,
        dice: random.Random,
        nature: Nature,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name, self.attributes, self.memory_mb, self.slots = name, dict(attributes), memory_mb, slots
        self.nature, self.dice, self.clock = nature, dice, clock
        self.faults = Faults()
        self.files, self.kernel = Files(dice), KernelLog(dice)
        self.boot_id = f"{dice.getrandbits(128):032x}"
        self.crashlog = CrashLog(name, self.boot_id, self.kernel, dice)
        self.placed = Dynos(nature, self.faults, dice, self.crashlog.note)
        self._taint: Json | None = None

    def now(self) -> float:
        """The time, with everything done that was due by then."""
        now = self.clock()
        self.placed.advance(now)
        return now

    def run_installer(self, *, stack: str, image: str, tools: str) -> str:
        """What the deploy tool's installer of that version does here, dynos running or not."""
        now = self.now()
        outcome = install(self.files, stack=stack, image=image, tools=tools, now=now)
        self.placed.images_changed(now)
        return outcome

    def drop_caches(self) -> None:
        """Every page has to be read again."""
        now = self.now()
        self.files.drop_caches()
        self.placed.images_changed(now)

    def seconds_until_health_is_known(self, request: Json, *, waited_seconds: float) -> float:
        """How much longer `health` would wait, so that a server can wait without a thread."""
        now, wait = self.now(), request.get("wait_seconds")
        dyno = self.placed.here.get(str(request.get("dyno")))
        if dyno is None or not isinstance(wait, (int, float)):
            return 0.0
        return max(0.0, min(wait - waited_seconds, dyno.healthy_at - now))

    def facts(self, request: Json) -> Json:  # noqa: ARG002 - every verb takes its request
        """What this host is."""
        return {
            "host": self.name,
            "version": VERSION,
            "digest": bundle.digest(),
            "tools": self.attributes.get("tools", FIXED),
            "attributes": self.attributes,
            "memory_mb": self.memory_mb,
            "slots": self.slots,
            "tainted": self._taint is not None,
            "taint": self._taint,
            "boot_id": self.boot_id,
            "kernel": self.attributes.get("kernel", "4.4.0"),
            "python": "3.11.2",
            "at": rfc3339(self.now()),
        }

    def dynos(self, request: Json) -> Json:  # noqa: ARG002
        """What runs here."""
        now = self.now()
        return {"dynos": [self._described(dyno, now) for dyno in sorted(self.placed.here.values(), key=_name)]}

    def images(self, request: Json) -> Json:  # noqa: ARG002
        """What is here to run on."""
        return {"images": [described(file) for file in self.files.files.values()]}

    def health(self, request: Json) -> Json:
        """Whether a dyno answers, now; the waiting is the server's."""
        name, now = checked_name(request.get("dyno"), "dyno"), self.now()
        checked_seconds(request.get("wait_seconds"), 0.0, 600.0)
        dyno = self.placed.here.get(name)
        if dyno is None:
            return {"dyno": name, "healthy": False, "state": "absent"}
        return {"dyno": name, "healthy": dyno.is_healthy(now), "state": _state(dyno, now)}

    def start(self, request: Json) -> Json:
        """Start a dyno, provisionally."""
        wanted, now = wanted_dyno(request), self.now()
        seconds = checked_seconds(request.get("commit_within_seconds"), COMMIT_SECONDS)
        dyno = self.placed.here.get(wanted["name"])
        if dyno is None:
            self._refuse_start(wanted)
            file = self._image(wanted["stack"], wanted["image"])
            mount, operation = self.files.mounted(file, now), request["operation"]
            dyno = self.placed.place(now, mount=mount, operation=operation, commit_by=now + seconds, **wanted)
        elif dyno.operation != request["operation"]:
            raise Refused("exists_elsewise", f"{dyno.name} runs here already, started otherwise")
        return {"dyno": self._described(dyno, now)}

    def commit(self, request: Json) -> Json:
        """Keep a dyno."""
        name, now = dyno_name(request), self.now()
        dyno = self.placed.here.get(name)
        if dyno is None:
            raise Refused("absent", f"{name} is not here: it never was, was stopped, or was not committed in time")
        dyno.commit_by = None
        return {"dyno": self._described(dyno, now)}

    def stop(self, request: Json) -> Json:
        """End a dyno; an absent one is fine."""
        name = dyno_name(request)
        checked_seconds(request.get("grace_seconds"), 5.0, 600.0)
        self.now()
        dyno = self.placed.here.get(name)
        if dyno is None:
            return {"dyno": name, "state": "absent"}
        self.placed.end(dyno)
        return {"dyno": name, "state": "stopped"}

    def taint(self, request: Json) -> Json:
        """No new dynos."""
        reason = checked_text(request.get("reason"), "reason", "")
        reference = checked_text(request.get("reference"), "reference", "")
        self._taint = {"reason": reason, "reference": reference, "at": rfc3339(self.now())}
        return {"tainted": True, "taint": self._taint}

    def untaint(self, request: Json) -> Json:  # noqa: ARG002
        """Dynos are welcome again."""
        self._taint = None
        return {"tainted": False}

    def install(self, request: Json) -> Json:
        """Bring an image here as the fixed tools do."""
        stack, image = checked_name(request.get("stack"), "stack"), checked_image(request.get("image"))
        digest = checked_text(request.get("digest"), "digest", image)
        if digest != image:
            raise Refused("digest_mismatch", f"what was fetched is {image}, not {digest}")
        outcome = self.run_installer(stack=stack, image=image, tools=FIXED)
        return {"outcome": outcome, "image": image, "receipt": self._image(stack, image).receipt}

    def protect(self, request: Json) -> Json:
        """Make images immutable; with `test`, try whether that holds instead."""
        stack, now = request.get("stack"), self.now()
        files = [file for file in self.files.files.values() if stack in {None, file.stack}]
        if not request.get("test"):
            return {"images": [self._protect(file, now) for file in files]}
        tried = {file.image[7:]: _attempts(file) for file in files}
        return {"attempts": tried, "held": all(held(outcomes) for outcomes in tried.values())}

    def verify(self, request: Json) -> Json:
        """Evidence on one image."""
        file, now = (
            self._image(checked_name(request.get("stack"), "stack"), checked_image(request.get("image"))),
            self.now(),
        )
        dynos = self.dynos(request)["dynos"]
        return image_evidence(file, self.files.mounts.get(file.image), dynos, self.kernel, now, request.get("digest"))

    def crashes(self, request: Json) -> Json:
        """What died, and what the kernel said, since the cursor."""
        self.now()
        return self.crashlog.read(request.get("cursor"), request.get("limit", MOST_CRASHES))

    def _image(self, stack: str, image: str) -> ImageFile:
        file = self.files.find(stack, image)
        if file is None:
            raise Refused("no_image", f"{stack} {image} is not on this host")
        return file

    def _refuse_start(self, wanted: Json) -> None:
        here = self.placed.here.values()
        used = sum(dyno.memory_mb for dyno in here)
        if self._taint is not None:
            raise Refused("tainted", f"this host takes no new dynos: {self._taint['reason'] or 'tainted'}")
        if len(here) >= self.slots:
            raise Refused("no_capacity", f"all {self.slots} slots are taken")
        if used + wanted["memory_mb"] > self.memory_mb:
            text = f"{used} MB of {self.memory_mb} MB are taken, {wanted['memory_mb']} MB more do not fit"
            raise Refused("no_capacity", text)
        if self.dice.random() < self.faults.failing_starts:
            raise Refused("not_launched", "its process did not come up in time", retry=True)

    def _protect(self, file: ImageFile, now: float) -> Json:
        if file.immutable:
            return {**described(file), "protected": "already"}
        kept = {"protected_at": now, "changed_before_protection_ns": int(file.changed_at * 1e9)}
        file.changed_before_protection_at, file.changed_at, file.immutable = file.changed_at, now, True
        file.receipt = receipt_of(file, now, str(described(file)["tools"]), **kept)
        return {**described(file), "protected": "now"}

    def _described(self, dyno: SimulatedDyno, now: float) -> Json:
        return {
            "dyno": dyno.name,
            "app": dyno.app,
            "stack": dyno.stack,
            "image": dyno.image,
            "memory_mb": dyno.memory_mb,
            "port": dyno.port,
            "state": _state(dyno, now),
            "healthy": dyno.is_healthy(now),
            "started_at": dyno.started_at,
            "placed_at": dyno.placed_at,
            "provisional": dyno.commit_by is not None,
            "restarts": dyno.restarts,
            "pid": dyno.pid,
            "last_exit": dyno.last_exit,
        }


def _state(dyno: SimulatedDyno, now: float) -> str:
    return "starting" if dyno.state == "running" and not dyno.is_healthy(now) else dyno.state


def _name(dyno: SimulatedDyno) -> str:
    return dyno.name


def _attempts(file: ImageFile) -> dict[str, str]:
    outcome = "EPERM" if file.immutable else GOT_THROUGH
    return dict.fromkeys(("open_for_writing", "link_and_replace", "change_mode"), outcome)
