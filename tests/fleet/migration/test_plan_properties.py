"""Whatever the fleet looks like: what every plan keeps to."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.migration.facts import AppFact, DynoFact, HostFact, Limits
from fleet.migration.plan import Plan, plan_moves

SOURCES = (101, 102)
MEMORY = st.sampled_from([32, 64, 128, 512])


@st.composite
def fleets(draw: st.DrawFn) -> tuple[list[DynoFact], list[HostFact]]:
    apps = [
        AppFact(number, f"app-{number}", draw(st.integers(1, 12)), may_overlap=draw(st.booleans()))
        for number in range(1, draw(st.integers(1, 4)) + 1)
    ]
    dynos = [
        DynoFact(number, f"dyno-{number:02}", draw(st.sampled_from(apps)), draw(st.sampled_from(SOURCES)), "old",
                 draw(MEMORY), is_stranded=draw(st.integers(0, 5)) == 0)
        for number in range(1, draw(st.integers(0, 14)) + 1)
    ]  # fmt: skip
    hosts = [
        HostFact(number, f"host-{number}", draw(st.sampled_from([0, 128, 256, 1024])), draw(st.integers(0, 6)),
                 draw(st.sampled_from([0, 64, 200])), draw(st.integers(0, 4)), is_fresh=draw(st.integers(0, 4)) > 0,
                 apps={1: draw(st.integers(0, 2))})
        for number in (*range(1, draw(st.integers(0, 5)) + 1), *SOURCES)
    ]  # fmt: skip
    return dynos, hosts


limits = st.builds(
    Limits, canary=st.integers(0, 5), wave_size=st.integers(0, 4), starts_per_host=st.integers(1, 4),
    moves_per_app=st.integers(1, 4),
)  # fmt: skip
avoided = st.sets(st.integers(1, 5), max_size=3)


def loads(plan: Plan) -> tuple[Counter[int], Counter[int]]:
    slots, memory = Counter[int](), Counter[int]()
    for move in plan.moves:
        slots[move.target_id] += 1
        memory[move.target_id] += move.dyno.memory_mb
    return slots, memory


@given(fleets(), limits, avoided)
@settings(max_examples=120, deadline=None)
def test_every_dyno_has_room_on_a_fresh_host_or_is_named_as_short(
    fleet: tuple[list[DynoFact], list[HostFact]], limits: Limits, avoid: set[int]
) -> None:
    dynos, hosts = fleet
    plan = plan_moves(dynos=dynos, hosts=hosts, limits=limits, avoid=avoid)
    by_id = {host.id: host for host in hosts}
    left_out = set(plan.shortfall.dynos) if plan.shortfall else set()
    assert sorted([move.dyno.name for move in plan.moves] + sorted(left_out)) == sorted(dyno.name for dyno in dynos)
    slots, memory = loads(plan)
    for target in slots:
        host = by_id[target]
        assert host.is_fresh
        assert target not in avoid | {dyno.host_id for dyno in dynos}
        assert slots[target] <= host.slots - host.used_slots
        assert memory[target] <= host.memory_mb - host.used_memory_mb


@given(fleets(), limits, avoided, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_facts_does_not_matter(
    fleet: tuple[list[DynoFact], list[HostFact]], limits: Limits, avoid: set[int], dice: object
) -> None:
    dynos, hosts = fleet
    plan = plan_moves(dynos=dynos, hosts=hosts, limits=limits, avoid=avoid)
    dice.shuffle(dynos)  # type: ignore[attr-defined]
    dice.shuffle(hosts)  # type: ignore[attr-defined]
    assert plan_moves(dynos=dynos, hosts=hosts, limits=limits, avoid=list(avoid)[::-1]) == plan


@given(fleets(), limits)
@settings(max_examples=80, deadline=None)
def test_a_shortfall_says_what_more_hosts_really_give(
    fleet: tuple[list[DynoFact], list[HostFact]], limits: Limits
) -> None:
    dynos, hosts = fleet
    plan = plan_moves(dynos=dynos, hosts=hosts, limits=limits)
    if plan.shortfall is None:
        return
    short = plan.shortfall
    missing = [dyno for dyno in dynos if dyno.name in short.dynos]
    assert (short.slots, short.memory_mb) == (len(missing), sum(dyno.memory_mb for dyno in missing))
    assert f"{short.memory_mb} MB are missing" in short.told()
    for more, fit in short.adding[:3]:
        added = [HostFact(900 + n, f"added {n}", short.host_memory_mb, short.host_slots) for n in range(more)]
        assert len(plan_moves(dynos=dynos, hosts=[*hosts, *added], limits=limits).moves) == fit
    fits = [fit for _, fit in short.adding]
    assert fits == sorted(set(fits))


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_dynos_of_an_app_are_spread_evenly_where_there_is_room(count: int, targets: int, more: int) -> None:
    app = AppFact(1, "shop", count)
    dynos = [DynoFact(number, f"shop.{number}", app, 101, "old", 64) for number in range(count)]
    hosts = [HostFact(number, f"host-{number}", 64 * (count + more), count + more) for number in range(1, targets + 1)]
    plan = plan_moves(dynos=dynos, hosts=hosts, limits=Limits())
    slots, _ = loads(plan)
    assert plan.shortfall is None
    assert max(slots.values()) - min(slots[host.id] for host in hosts) <= 1


@given(fleets(), limits)
@settings(max_examples=80, deadline=None)
def test_waves_begin_with_canaries_and_with_all_that_run_nowhere(
    fleet: tuple[list[DynoFact], list[HostFact]], limits: Limits
) -> None:
    dynos, hosts = fleet
    plan = plan_moves(dynos=dynos, hosts=hosts, limits=limits)
    waves = [move.wave for move in plan.moves]
    assert [move.position for move in plan.moves] == list(range(len(plan.moves)))
    assert waves == sorted(waves)
    assert set(waves) == set(range(max(waves, default=-1) + 1))
    assert all(move.wave == 0 for move in plan.moves if move.dyno.is_stranded)
    sizes, stranded = Counter(waves), sum(move.dyno.is_stranded for move in plan.moves)
    if limits.canary and len(plan.moves) > limits.canary:
        assert sizes[0] == max(limits.canary, stranded)
    if limits.wave_size:
        assert all(size <= limits.wave_size for wave, size in sizes.items() if wave > 0)
    stopping = [move.dyno.name for move in plan.moves if not (move.dyno.app.may_overlap or move.dyno.is_stranded)]
    assert sorted(plan.stopped_first) == sorted(stopping)


def test_one_that_runs_nowhere_has_the_first_claim_to_the_last_room() -> None:
    app = AppFact(1, "sole", 1, may_overlap=False)
    small = DynoFact(1, "sole.1", app, 101, "old", 64, is_stranded=True)
    large = replace(small, id=2, name="shop.1", memory_mb=128, is_stranded=False)
    plan = plan_moves(dynos=[large, small], hosts=[HostFact(1, "host-1", 256, 1)], limits=Limits())
    assert [move.dyno.name for move in plan.moves] == ["sole.1"]
    assert plan.shortfall is not None
    assert plan.shortfall.dynos == ("shop.1",)


def test_those_that_run_nowhere_go_first_also_where_no_canary_is_needed() -> None:
    app = AppFact(1, "shop", 2)
    dynos = [DynoFact(n, f"shop.{n}", app, 101, "old", 64, is_stranded=n == 2) for n in (1, 2)]
    limits = Limits(canary=2, wave_size=1)
    plan = plan_moves(dynos=dynos, hosts=[HostFact(1, "host-1", 256, 4)], limits=limits)
    assert [(move.dyno.name, move.wave) for move in plan.moves] == [("shop.2", 0), ("shop.1", 1)]
