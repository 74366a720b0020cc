"""The one door: facts go in, `tick(now)` says what is going wrong, and why."""

import math
from collections.abc import Mapping

from incidents.correlation.admitting import admit
from incidents.correlation.baseline import Baseline
from incidents.correlation.belief import probabilities
from incidents.correlation.blame_deploys import blame_deploy, keep_deploys
from incidents.correlation.blame_rivals import blame_rivals
from incidents.correlation.events import EventStore
from incidents.correlation.explain import Explanation, examine_deploy, weigh_deploys, weigh_groups
from incidents.correlation.exposure import Exposure
from incidents.correlation.facts import Crash, Deploy, Evidence, HostDeploy
from incidents.correlation.fleet import Fleet
from incidents.correlation.ledger import Ledger
from incidents.correlation.novelty import Novelty
from incidents.correlation.scene import ALONE, Scene
from incidents.correlation.settings import Settings
from incidents.correlation.silence import Silence
from incidents.correlation.standing import Standing, standings
from incidents.correlation.verdict import Board
from incidents.correlation.wording import suspect
from incidents.correlation.workbench import Workbench

FORGET_EVERY_BINS = 30


class Correlator:
    """Keeps the last hours of a fleet, in bounded memory. All times are epoch seconds; it reads no clock."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._fleet = Fleet()
        self._store = EventStore()
        self._novelty = Novelty(
            self.settings.novelty_bins * self.settings.bin_seconds,
            moment_seconds=self.settings.bin_seconds,
            most_a_moment=self.settings.most_a_moment,
        )
        self._baseline = Baseline(self.settings)
        self._ledger = Ledger(self.settings)
        self._workbench = Workbench(self.settings)
        self._silence = Silence(self.settings.bin_seconds)
        self._exposures: dict[str, Exposure] = {}
        self._evidence: list[Evidence] = []
        self._arrived: list[Crash] = []  # since the last tick, or not received yet
        self._forgotten_at = 0

    def set_host(self, name: str, attributes: Mapping[str, str]) -> None:
        """Adds a host or replaces its attributes."""
        self._fleet.set_host(name, attributes)

    def set_dynos(self, host: str, app: str, stack: str | None, count: int) -> None:
        """How many dynos of an app run on a host; 0 when they left."""
        self._fleet.see_host(host)
        self._fleet.set_dynos(host, app, stack, count)

    def add_deploy(self, deploy: Deploy) -> None:
        """A deploy began; its host deploys may have come before it."""
        known = self._exposures.get(deploy.deploy)
        if known is None:
            self._exposures[deploy.deploy] = Exposure(deploy)
        else:
            known.deploy = deploy

    def add_host_deploy(self, host_deploy: HostDeploy) -> None:
        """A deploy touched (or skipped) a host."""
        if host_deploy.deploy not in self._exposures:
            self.add_deploy(Deploy(host_deploy.deploy, host_deploy.at))
        host = self._fleet.see_host(host_deploy.host)
        self._exposures[host_deploy.deploy].touch(host, host_deploy)

    def add_crash(self, crash: Crash) -> None:
        """A crash; it plays no part before its `received_at`."""
        self._arrived.append(crash)

    def add_evidence(self, host: str, at: float, kind: str, text: str) -> None:
        """What a host said itself, such as an I/O error of a loop device or an image found changed."""
        self._fleet.see_host(host)
        self._evidence.append(Evidence(host, at, kind, text))

    def set_silence(self, host: str, since: float | None) -> None:
        """Nothing was heard of a host after `since`: from then on its bins count for nothing; None: heard again."""
        number = self._fleet.see_host(host)
        if since is None:
            self._silence.ends(number)
        else:
            self._silence.begins(number, since)

    def tick(self, now: float) -> Board:
        """What stands as of `now`, by what was known by then."""
        end_bin = self._end_bin(now)
        self._admit(now)
        shape = (len(self._fleet.hosts), len(self._fleet.stacks) + 1)
        gone = self._silence.left_out(self._ledger.explained(shape[0]))
        self._baseline.absorb(self._store, end_bin=end_bin, shape=shape, gone=gone)
        self._workbench.prepare(self._fleet, end_bin=end_bin)
        self._forget(now, end_bin)
        scene = self.scene(now)
        return self._board(scene) if shape[0] else Board(now, (), (), (), ())

    def standings(self, now: float) -> tuple[Standing, ...]:
        """What is held of every deploy, as of a tick just made."""
        scene = self.scene(now)
        return standings(scene) if scene.hosts else ()

    def _board(self, scene: Scene) -> Board:
        groups = weigh_groups(scene)
        strong = scene.settings.page_score
        weighed = weigh_deploys(scene)
        explanations = [examine_deploy(scene, e, groups) if e.score >= strong else e for e in weighed]
        ranked = [e for e in explanations if e.score >= scene.settings.suspect_score]
        chances = probabilities(scene, ranked, [group.fit.score for group in groups])
        suspects = tuple(suspect(scene, e, chance) for e, chance in zip(ranked, chances, strict=True))
        if scene.end_bin - (self._baseline.first_bin or 0) >= self.settings.least_history_bins:
            keep_deploys(scene, explanations)
            pending = blame_deploy(scene, explanations, suspects)
            if scene.ledger.pages:
                scene = self.scene(scene.now)
                groups = weigh_groups(scene)
            pending |= blame_rivals(scene, self._unnamed(explanations), groups, suspects)
            scene.ledger.forget_waiting(pending)
        scene.ledger.close_unsupported(scene.end_bin)
        pages, updates = scene.ledger.take_notices()
        verdicts = tuple(entry.verdict for entry in scene.ledger.open_entries())
        return Board(scene.now, verdicts, suspects, pages, updates)

    def scene(self, now: float) -> Scene:
        """The fleet and its last hours as of now, without what the verdicts of this moment explain."""
        return Scene(
            now, self._end_bin(now), self.settings, self._fleet, self._store, self._baseline, self._ledger,
            self._exposures, self._evidence, self._silence, self._workbench,
        )  # fmt: skip

    def _end_bin(self, now: float) -> int:
        return math.ceil(now / self.settings.bin_seconds)

    def _unnamed(self, explanations: list[Explanation]) -> list[Explanation]:
        return [e for e in explanations if not self._ledger.is_open(("deploy", e.deploy))]

    def _admit(self, now: float) -> None:
        """Takes in, in order of their own time, the crashes received by now."""
        known = [crash for crash in self._arrived if crash.received_at <= now]
        if len(known) < len(self._arrived):
            self._arrived = [crash for crash in self._arrived if crash.received_at > now]
        else:
            self._arrived = []
        first_bin = admit(
            known, fleet=self._fleet, novelty=self._novelty, store=self._store, bin_seconds=self.settings.bin_seconds
        )
        if first_bin is not None:
            self._baseline.starts_at(first_bin)

    def _forget(self, now: float, end_bin: int) -> None:
        """Drops what no window can see any more."""
        seconds = self.settings.bin_seconds
        self._novelty.forget_before(now - 3 * self.settings.novelty_bins * seconds)
        if end_bin - self._forgotten_at < FORGET_EVERY_BINS:
            return
        self._forgotten_at = end_bin
        oldest = now - self.settings.keep_bins * seconds
        self._store.forget_before(end_bin - self.settings.keep_bins)
        self._evidence = [item for item in self._evidence if item.at >= oldest]
        for name in [name for name, e in self._exposures.items() if e.over(oldest)]:
            if not self._ledger.is_open(("deploy", name)):
                del self._exposures[name]
                self._ledger.noisy.discard(name)
        self._workbench.forget({ALONE, *self._exposures})
