"""Plans, from facts alone."""

import pytest

from fleet.migration.facts import AppFact, DynoFact, HostFact, Limits
from fleet.migration.plan import lower_bound, plan_moves

SHOP = AppFact(1, "shop", dynos=4)
WIKI = AppFact(2, "wiki", dynos=9)
SOLE = AppFact(3, "sole", dynos=1, may_overlap=False)


def dyno(number: int, app: AppFact = SHOP, memory_mb: int = 64) -> DynoFact:
    return DynoFact(number, f"{app.name}.{number}", app, 100, "old", memory_mb)


def host(number: int, *, slots: int = 4, memory_mb: int = 256, is_fresh: bool = True) -> HostFact:
    return HostFact(number, f"new-{number}", memory_mb, slots, is_fresh=is_fresh)


def targets(plan: object) -> list[int]:
    return [move.target_id for move in plan.moves]  # type: ignore[attr-defined]


def test_dynos_of_an_app_are_spread() -> None:
    plan = plan_moves(dynos=[dyno(1), dyno(2), dyno(3)], hosts=[host(1), host(2), host(3)], limits=Limits())
    assert sorted(targets(plan)) == [1, 2, 3]
    assert plan.shortfall is None


def test_tainted_and_avoided_hosts_and_sources_are_no_targets() -> None:
    hosts = [host(1, is_fresh=False), host(2), host(3), host(100)]
    plan = plan_moves(dynos=[dyno(1), dyno(2)], hosts=hosts, limits=Limits(), avoid=[2])
    assert set(targets(plan)) == {3}


def test_the_hardest_to_place_go_first_so_that_all_fit() -> None:
    dynos = [dyno(1), dyno(2), dyno(3, memory_mb=192)]
    plan = plan_moves(dynos=dynos, hosts=[host(1, memory_mb=192), host(2, memory_mb=128)], limits=Limits())
    assert plan.shortfall is None
    assert {move.dyno.id: move.target_id for move in plan.moves} == {3: 1, 1: 2, 2: 2}


def test_a_shortfall_says_how_much_and_what_more_hosts_give() -> None:
    plan = plan_moves(dynos=[dyno(number) for number in range(1, 8)], hosts=[host(1, slots=2)], limits=Limits())
    assert plan.shortfall is not None
    assert (plan.shortfall.slots, plan.shortfall.memory_mb) == (5, 320)
    assert plan.shortfall.adding == ((1, 4), (2, 6), (3, 7))
    assert plan.as_data()["shortfall"]["count"] == 5


def test_more_hosts_that_gain_nothing_are_not_told() -> None:
    dynos = [dyno(1), dyno(2), dyno(3, memory_mb=999)]
    plan = plan_moves(dynos=dynos, hosts=[host(1, slots=1)], limits=Limits())
    assert plan.shortfall is not None
    assert plan.shortfall.adding == ((1, 2),)
    assert plan.shortfall.told() == (
        "There is no room for 2 dynos on fresh hosts: 2 slots and 1063 MB are missing. "
        "Of hosts with 1 slot and 256 MB, 1 more host would take 2."
    )


def test_apps_at_risk_and_apps_that_stop_first_are_named() -> None:
    dynos = [*(dyno(number) for number in range(1, 5)), dyno(5, WIKI), dyno(6, SOLE)]
    plan = plan_moves(dynos=dynos, hosts=[host(1, slots=9, memory_mb=999)], limits=Limits())
    assert plan.whole_apps_at_risk == ("shop", "sole")
    assert plan.stopped_first == ("sole.6",)


def test_canaries_are_of_different_apps_on_different_hosts() -> None:
    dynos = [*(dyno(number) for number in range(1, 5)), *(dyno(number, WIKI) for number in range(5, 10))]
    plan = plan_moves(dynos=dynos, hosts=[host(1, slots=9, memory_mb=999), host(2, slots=9, memory_mb=999)],
                      limits=Limits(canary=2, wave_size=4))  # fmt: skip
    canaries = [move for move in plan.moves if move.wave == 0]
    assert len({move.target_id for move in canaries}) == len({move.dyno.app for move in canaries}) == 2
    assert [move.wave for move in plan.moves] == [0, 0, 1, 1, 1, 1, 2, 2, 2]


def test_the_same_facts_give_the_same_plan() -> None:
    dynos, hosts = [dyno(number) for number in range(1, 7)], [host(1), host(2)]
    backwards = plan_moves(dynos=dynos[::-1], hosts=hosts[::-1], limits=Limits())
    assert plan_moves(dynos=dynos, hosts=hosts, limits=Limits()) == backwards


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [([(1, 2.0), (2, 2.0), (3, 4.0)], 4.0), ([(1, 9.0)], 9.0), ([(1, 2.0)] * 6, 12.0), ([], 0.0)],
)
def test_the_bound_is_the_largest_of_three(seconds: list[tuple[int, float]], bound: float) -> None:
    assert lower_bound(seconds, slots=2, per_app=1) == bound
