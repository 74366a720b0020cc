"""How well the correlation names causes, on simulated fleets whose truth is known.

    make bench-correlation SCENARIO=canary HOSTS=200 SEEDS=20 QUICK=1

Every run goes minute by minute through the product's own code. Beside it, in the same table: the two habits of
dashboards (a z-score of the fleet that blames the last deploy; a z-score per host), and an oracle (the same
likelihood, told the deploy, the hosts and the rate ratio, at the same threshold), which is how soon it could be known.
Seeds below 1000 are for design; what is reported is measured on seeds from 1000 on, which nothing was chosen by.
"""

import argparse
import functools
import json
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator

from benchmarks.correlation_cost import Cost, measure_cost
from benchmarks.correlation_report import by_scenario, figures, report
from benchmarks.correlation_run import Run, Task, run
from incidents.correlation.simulation.scenarios import SCENARIOS

REPORT_SEED = 1000
QUIET = ("quiet", "restarts", "surge", "host_blips")
COST_HOSTS = (100, 1_000, 10_000)
QUICK_SCENARIOS, QUICK_HOSTS, QUICK_MINUTES = ("quiet", "bad_everywhere", "app_loop"), 50, 330


def tasks(chosen: argparse.Namespace) -> Iterator[Task]:
    """What is to be run: every scenario at the first size, the faults also at the others and under worse conditions."""
    first, *others = chosen.hosts
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    faults = [name for name in chosen.scenario if name not in QUIET]
    for name in chosen.scenario:
        days = {"quiet": chosen.days}.get(name, min(chosen.days, chosen.seeds))
        over = range(chosen.first_seed, chosen.first_seed + days) if name in QUIET else seeds
        yield from (Task("usual", name, first, seed, minutes=QUICK_MINUTES if chosen.quick else None) for seed in over)
    for name in faults:
        yield from (Task("usual", name, hosts, seed) for hosts in others for seed in seeds)
        if not chosen.plain:
            yield from (Task("noise x 3", name, first, seed, noise=3.0) for seed in seeds)
            yield from (Task("hazards x 0.4", name, first, seed, hazards=0.4) for seed in seeds)


def arguments() -> argparse.Namespace:
    """The command's options; QUICK is for CI."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario", nargs="*", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--hosts", nargs="*", type=int, default=[200, 1000, 50])
    parser.add_argument("--seeds", type=int, default=20, help="runs of each fault")
    parser.add_argument("--days", type=int, default=200, help="days of the quiet fleet")
    parser.add_argument("--first-seed", type=int, default=REPORT_SEED)
    parser.add_argument("--plain", action="store_true", help="without the runs with more noise and weaker faults")
    parser.add_argument("--no-cost", action="store_true", help="without the CPU and memory of a minute")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--quick", action="store_true", help="a minute's worth, to see that it works")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.scenario, chosen.hosts, chosen.seeds, chosen.days = list(QUICK_SCENARIOS), [QUICK_HOSTS], 1, 1
        chosen.plain = True
    return chosen


def spread(todo: list[Task]) -> list[Task]:
    """In an order in which every kind of run is as far along as the others, whenever one looks."""
    kinds: dict[tuple[str, str, int], list[Task]] = {}
    for task in todo:
        kinds.setdefault((task.conditions, task.scenario, task.hosts), []).append(task)
    placed = [(place / len(kind), task) for kind in kinds.values() for place, task in enumerate(kind)]
    return [task for _, task in sorted(placed, key=lambda entry: entry[0])]


def carry_out(todo: list[Task], processes: int) -> list[Run]:
    """Runs everything and says how far it is; Ctrl-C ends it early, with what there is by then."""
    done: list[Run] = []
    ignore_interrupts = functools.partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    with multiprocessing.get_context("fork").Pool(processes, initializer=ignore_interrupts) as pool:
        try:
            for outcome in pool.imap_unordered(run, spread(todo), chunksize=1):
                done.append(outcome)
                if len(done) % 50 == 0:
                    sys.stderr.write(f"{len(done)} of {len(todo)} runs\n")
        except KeyboardInterrupt:
            sys.stderr.write(f"ended early, after {len(done)} of {len(todo)} runs\n")
    return done


def costs(chosen: argparse.Namespace) -> list[Cost]:
    """CPU and memory of a minute at each size, one at a time and alone."""
    if chosen.no_cost:
        return []
    sizes = COST_HOSTS[:1] if chosen.quick else COST_HOSTS
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        return pool.map(measure_cost, sizes, chunksize=1)


def main() -> None:
    """Prints a table and, last, one line of JSON."""
    chosen = arguments()
    began = time.monotonic()
    runs = carry_out(list(tasks(chosen)), chosen.processes)
    cost = costs(chosen)
    kind = "report" if chosen.first_seed >= REPORT_SEED else "DESIGN"
    print(f"{len(runs)} runs, {kind} seeds from {chosen.first_seed} on, {time.monotonic() - began:.0f} s")
    for line in report(runs, cost):
        print(line)
    print(json.dumps(figures(runs, cost) | {"by_scenario": by_scenario(runs), "seeds": kind}))


if __name__ == "__main__":
    main()
