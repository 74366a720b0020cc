"""A small fleet in whole minutes, to play what happened against what was told, and when."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.correlator import Correlator
from incidents.correlation.facts import Crash, Deploy, HostDeploy
from incidents.correlation.standing import Standing
from incidents.correlation.verdict import Board, Notice

PAST = 150  # minutes of quiet


@dataclass
class Stage:
    """Forty hosts in four zones, twenty dynos each. Times are minutes; what is told late bears when it was told."""

    seed: int = 1
    hosts: int = 40
    usual: float = 1.0  # crashes a minute in the fleet
    correlator: Correlator = field(default_factory=Correlator)
    late: list[tuple[float, HostDeploy]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)
        for number in range(self.hosts):
            attributes = {"zone": "abcd"[number % 4], "kernel": f"k{number % 3}"}
            self.correlator.set_host(self.name(number), attributes)
            for dyno in range(20):
                self.correlator.set_dynos(self.name(number), self.app(number, dyno), None, 1)

    @staticmethod
    def name(number: int) -> str:
        return f"h{number:02d}"

    @staticmethod
    def app(number: int, dyno: int) -> str:
        return f"app-{(7 * number + 13 * dyno) % 200}"

    def quiet(self, until: float, since: float = 0.0) -> None:
        """Everyday crashes on all hosts."""
        for at in np.sort(self.chance.uniform(since, until, self.chance.poisson(self.usual * (until - since)))):
            self.crash(float(at), int(self.chance.integers(self.hosts)))

    def crash(self, at: float, number: int, *, told: float | None = None) -> None:
        app = self.app(number, int(self.chance.integers(20)))
        received = at if told is None else told
        self.correlator.add_crash(Crash(at * 60, received * 60, self.name(number), app, signal="SIGSEGV"))

    def hurt(self, since: dict[int, float], until: float, *, rate: float = 0.6, told: float | None = None) -> None:
        """Hosts whose dynos die at this rate a minute, each from its own minute on."""
        for number, start in since.items():
            for at in np.sort(self.chance.uniform(start, until, self.chance.poisson(rate * max(0.0, until - start)))):
                self.crash(float(at), number, told=told)

    def deploy(self, name: str, at: float, touched: dict[int, float], *, kind: str = "upgrade") -> None:
        """Touches each host at its minute; told at once."""
        self.correlator.add_deploy(Deploy(name, at * 60, "config", kind))
        for number, minute in touched.items():
            self.correlator.add_host_deploy(HostDeploy(name, self.name(number), minute * 60))

    def tell_late(self, name: str, touched: dict[int, float], told: float) -> None:
        """Host deploys that are told of at `told`."""
        for number, minute in touched.items():
            self.late.append((told, HostDeploy(name, self.name(number), minute * 60)))

    def play(self, until: int, since: int = PAST - 20) -> Board:
        """A tick at the end of every minute."""
        for minute in range(since, until + 1):
            for told, host_deploy in [one for one in self.late if minute - 1 <= one[0] < minute]:
                assert told >= host_deploy.at / 60
                self.correlator.add_host_deploy(host_deploy)
            board = self.correlator.tick(minute * 60.0)
            self.notices += [*board.pages, *board.updates]
        return board

    @property
    def blamed(self) -> list[str]:
        """What was paged, in order."""
        return [notice.verdict.subject for notice in self.notices if not notice.update]

    def standing(self, name: str, at: int) -> Standing:
        """What is held of a deploy."""
        return next(one for one in self.correlator.standings(at * 60.0) if one.deploy == name)


def wave(hosts: range, start: float, *, pace: float = 0.5) -> dict[int, float]:
    """One host after the other."""
    return {number: start + pace * place for place, number in enumerate(hosts)}
