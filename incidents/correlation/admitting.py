"""Takes crashes in: names become numbers, and what is news goes to the store."""

from collections.abc import Sequence

import numpy as np

from incidents.correlation.events import EventStore, Floats
from incidents.correlation.facts import HARD, Crash
from incidents.correlation.fleet import Fleet
from incidents.correlation.novelty import Novelty


def admit(
    crashes: Sequence[Crash], *, fleet: Fleet, novelty: Novelty, store: EventStore, bin_seconds: float
) -> int | None:
    """Takes in crashes in order of their own time; returns the bin of the first that is news, None where none is."""
    at = np.array([crash.at for crash in crashes])
    order = np.argsort(at, kind="stable")
    crashes = [crashes[place] for place in order.tolist()]
    hosts = fleet.see_hosts([crash.host for crash in crashes])
    apps = fleet.apps.numbers([crash.app for crash in crashes])
    kinds = [crash.kind_class for crash in crashes]
    bins = _bins(at[order], np.array([crash.received_at for crash in crashes]), bin_seconds)
    news = list(novelty.news(hosts, [2 * app + (kind == HARD) for app, kind in zip(apps, kinds, strict=True)], bins))
    if not news:
        return None
    places = [place for place, _ in news]
    stacks = [fleet.stack_number(apps[place], crashes[place].stack, hosts[place]) for place in places]
    columns = [[column[place] for place in places] for column in (bins, hosts, apps)]
    store.extend([*columns, stacks, [kinds[place] for place in places]], [weight for _, weight in news])
    return columns[0][0]


def _bins(at: Floats, received_at: Floats, bin_seconds: float) -> list[int]:
    """The bin of each crash: none is of a time after it was known. Equal ones are one object, which saves memory."""
    bins = (np.minimum(at, received_at) // bin_seconds).astype(np.int64).tolist()
    one: dict[int, int] = {}
    return [one.setdefault(number, number) for number in bins]
