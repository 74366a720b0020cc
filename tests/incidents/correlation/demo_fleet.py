"""A small fleet as the demo plays it: short bins, few hosts, a recorded quiet past."""

from dataclasses import dataclass, field

import numpy as np

from incidents.correlation.correlator import Correlator
from incidents.correlation.facts import Crash, Deploy, HostDeploy
from incidents.correlation.settings import Settings
from incidents.correlation.verdict import Board, Notice

BIN = 4.0
QUIET_BINS = 400
STACK = "cedar-14"


@dataclass
class DemoFleet:
    """Fourteen hosts: four with old tools, four touched and fine, the rest not touched."""

    seed: int = 1
    hosts: int = 14
    hazard: float = 0.06  # crashes per dyno and bin on a damaged host
    settings: Settings = field(default_factory=lambda: Settings(bin_seconds=BIN))
    rename: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = np.random.default_rng(self.seed)
        self.correlator = Correlator(self.settings)
        for number in range(self.hosts):
            name = self.host(number)
            zone, kernel = "abc"[number % 3], "k1" if number % 2 else "k2"
            tools = "1.9" if number < 4 else "2.0"
            self.correlator.set_host(name, {"tools": tools, "zone": zone, "kernel": kernel})
            for dyno in range(10):
                self.correlator.set_dynos(name, self.app(number, dyno), STACK, 1)

    def host(self, number: int) -> str:
        name = f"h{number:02d}"
        return self.rename.get(name, name)

    def app(self, number: int, dyno: int) -> str:
        return f"app-{(number * 10 + dyno) % 60}"

    def quiet_past(self, *, each_bin: float = 0.15, times: int = 1) -> None:
        for second in np.sort(self.chance.uniform(0, QUIET_BINS * BIN, int(each_bin * QUIET_BINS * times))):
            self.crash(float(second), int(self.chance.integers(self.hosts)), int(self.chance.integers(10)), fatal=False)

    def crash(self, at: float, number: int, dyno: int, *, fatal: bool = True) -> None:
        signal, status = ("SIGSEGV", 139) if fatal else (None, 1)
        host, app = self.host(number), self.app(number, dyno)
        self.correlator.add_crash(Crash(at, at, host, app, STACK, signal=signal, exit_status=status))

    def redeploy(self, *, outcome: str = "installed", hosts: range = range(8)) -> float:
        start = QUIET_BINS * BIN
        self.correlator.add_deploy(Deploy("redeploy", start, "stack", "redeploy", STACK))
        for place, number in enumerate(hosts):
            said = outcome if number < 4 else "skipped" if outcome == "overwrote" else "installed"
            at = start + 1.5 * place
            self.correlator.add_host_deploy(HostDeploy("redeploy", self.host(number), at, said))
        return start + 2 * BIN

    def damage(self, start: float, *, bins: int = 40, hosts: range = range(4)) -> float:
        """Dynos die and are started again, and die again; returns the first crash."""
        moments = [
            (start + float(t) * BIN, number, dyno)
            for number in hosts
            for dyno in range(10)
            for t in self.chance.exponential(1 / self.hazard, 6).cumsum()
            if t < bins
        ]
        for at, number, dyno in sorted(moments):
            self.crash(at, number, dyno)
        return min(moments)[0]

    def run(self, until: float, *, step: float = BIN) -> tuple[list[Notice], Board]:
        notices: list[Notice] = []
        now = (QUIET_BINS - 5) * BIN
        while now < until:
            now += step
            board = self.correlator.tick(now)
            notices += [*board.pages, *board.updates]
        return notices, board
