"""One move carried through whatever its hosts do: never in two places for good, never forgotten, never done twice."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from django.utils import timezone

from fleet.lab.simulated import Nature, SimulatedMachine
from fleet.lab.simulated.demo import run_dyno
from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState
from fleet.migration import carry, rows
from fleet.migration.carry import Carrier
from fleet.migration.facts import Limits
from fleet.migration.hold import take_hold
from fleet.models import App, Dyno, Host, Migration, Move, Stack, StackImage
from fleet.ssh import CallError, NotStarted, Pool, Rejected, Unknown
from tests.fleet.programs import IMAGES, STACK, Programs

LOST = Unknown("the connection was lost; the call may have run")
AWAY = NotStarted("cannot connect")
LATE = Rejected("failed", "cannot keep state: no space left on device", retry=True)  # though it has done its part
NO = Rejected("broken", "this host can do nothing today")
LIMITS = Limits(healthy_seconds=0.3, unknown_seconds=0.0)
NAME = "shop.web.1"


@dataclass
class Desk:
    """Hands out the targets it was given, and keeps what it was told."""

    targets: list[Host] = field(default_factory=list)
    sick: list[bool] = field(default_factory=list)
    healthy_moves: list[int] = field(default_factory=list)

    def healthy(self, move: Move) -> None:
        self.healthy_moves.append(move.pk)

    def another_target(self, move: Move, *, sick: bool) -> Host | None:
        assert move.state != MoveState.DONE
        self.sick.append(sick)
        return self.targets.pop(0) if self.targets else None


@dataclass
class Scene:
    """A dyno on its old host, a fresh one for it, and one more for when that fails."""

    programs: Programs
    desk: Desk = field(default_factory=Desk)

    def move(self) -> Move:
        return Move.objects.select_related("dyno__app", "dyno__stack", "dyno__image", "source", "target").get()

    def carry(self, limits: Limits = LIMITS) -> Move:
        """One turn of the move by somebody who has just taken the migration over."""
        Migration.objects.update(lease_until=None)
        hold = take_hold(Migration.objects.get().pk, now=timezone.now())
        assert hold is not None
        hold.pool = cast("Pool", self.programs)
        move, carrier = self.move(), Carrier(hold, limits, self.desk)
        if move.state == MoveState.PLANNED:
            assert rows.begin_move(hold, move)
            carrier.begun.add(move.pk)
        asyncio.run(carrier.carry(move))
        return self.move()

    def places(self) -> list[str]:
        return self.programs.places().get(NAME, [])


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carry, "START_PATIENCE_SECONDS", 0.0)


@pytest.fixture(params=[True, False], ids=["overlaps", "sole"])
def overlaps(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def make(transactional_db: None) -> Callable[..., Scene]:
    def make(*, may_overlap: bool) -> Scene:
        now, programs = timezone.now(), Programs()
        hosts = [Host.objects.create(name=name, state="in_service", added_at=now) for name in ("old", "new", "other")]
        for host in hosts:
            programs.add(host.name)
        run_dyno(programs.machines["old"], "shop", NAME, image=IMAGES["original"], at=now.timestamp() - 3600)
        stack = Stack.objects.create(name=STACK)
        image = StackImage.objects.create(stack=stack, digest=IMAGES["original"])
        app = App.objects.create(name="shop", may_overlap=may_overlap)
        dyno = Dyno.objects.create(
            name=NAME, app=app, host=hosts[0], stack=stack, image=image, memory_mb=64, changed_at=now
        )
        migration = Migration.objects.create(actor="test", created_at=now, state=MigrationState.RUNNING)
        Move.objects.create(migration=migration, dyno=dyno, source=hosts[0], target=hosts[1], position=0)
        return Scene(programs, Desk([hosts[2]]))

    return make


@pytest.fixture
def scene(make: Callable[..., Scene], overlaps: bool) -> Scene:
    return make(may_overlap=overlaps)


@pytest.fixture
def sole(make: Callable[..., Scene]) -> Scene:
    return make(may_overlap=False)


@pytest.fixture
def shared(make: Callable[..., Scene]) -> Scene:
    return make(may_overlap=True)


def assert_arrived(scene: Scene, move: Move, host: str) -> None:
    dyno = Dyno.objects.select_related("host").get()
    assert (move.state, scene.places()) == (MoveState.DONE, [host])
    assert (dyno.host.name, dyno.state) == (host, DynoState.RUNNING)


def verbs(scene: Scene) -> list[str]:
    return [f"{verb} {host}" for verb, host in scene.programs.sent if verb not in {"health", "operation"}]


def test_a_move_starts_before_it_stops_unless_its_app_allows_only_one(scene: Scene, overlaps: bool) -> None:
    assert_arrived(scene, scene.carry(), "new")
    one_after_the_other = ["start new", "commit new", "stop old"]
    assert verbs(scene) == (one_after_the_other if overlaps else ["stop old", "start new", "commit new"])
    assert scene.desk.healthy_moves == [scene.move().pk]


# ---- answers that do not come ----


@pytest.mark.parametrize("verb", ["start", "commit", "stop"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_answer_lost_once_is_asked_for_again_and_acts_once(scene: Scene, verb: str, after: bool) -> None:
    with scene.programs.mishap(verb, LOST, after=after, times=1):
        move = scene.carry(Limits(unknown_seconds=5.0, healthy_seconds=1.0))
    if move.state != MoveState.DONE:  # a start has no patience here, so it has another turn
        move = scene.carry()
    assert_arrived(scene, move, move.target.name)


@pytest.mark.parametrize("verb", ["commit", "stop"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_what_nobody_can_say_is_unknown_and_found_out_by_the_next(scene: Scene, verb: str, after: bool) -> None:
    with scene.programs.mishap(verb, LOST, after=after):
        move = scene.carry()
    assert move.state == MoveState.UNKNOWN
    assert "the connection was lost" in move.message
    assert len(scene.places()) >= 1 or verb == "stop"  # a sole dyno may have stopped, which is what it was asked to
    move = scene.carry()
    assert_arrived(scene, move, "new")
    assert move.attempts == 1


def test_a_start_that_may_have_run_is_not_tried_elsewhere_where_only_one_may_run(sole: Scene) -> None:
    with sole.programs.mishap("start", LOST, after=True):
        move = sole.carry()
    assert (move.state, sole.places()) == (MoveState.UNKNOWN, ["new*"])
    assert_arrived(sole, sole.carry(), "new")
    assert sole.desk.sick == []


def test_a_start_that_may_have_run_is_undone_and_tried_elsewhere_where_two_may(shared: Scene) -> None:
    with shared.programs.mishap("start", LOST, after=True, times=1):
        move = shared.carry()
    assert (move.state, move.target.name, shared.desk.sick) == (MoveState.PLANNED, "other", [True])
    assert shared.places() == ["old"]
    assert_arrived(shared, shared.carry(), "other")


def test_a_host_that_never_heard_of_it_is_asked_in_the_same_attempt(sole: Scene) -> None:
    with sole.programs.mishap("start", LOST):
        assert sole.carry().state == MoveState.UNKNOWN
    assert sole.places() == []
    move = sole.carry()
    assert_arrived(sole, move, "new")
    assert move.attempts == 1


def test_one_that_cannot_be_asked_what_became_of_it_stays_unknown_and_says_why(sole: Scene) -> None:
    with sole.programs.mishap("start", LOST, after=True):
        sole.carry()
    with sole.programs.mishap("operation", AWAY):
        move = sole.carry()
    assert (move.state, move.message) == (MoveState.UNKNOWN, "cannot connect")
    assert_arrived(sole, sole.carry(), "new")


def test_a_fresh_host_out_of_reach_is_left_for_another(scene: Scene) -> None:
    with scene.programs.mishap("start", AWAY, times=1):
        move = scene.carry()
    assert (move.state, move.target.name, scene.desk.sick) == (MoveState.PLANNED, "other", [True])
    assert_arrived(scene, scene.carry(), "other")


def test_an_old_host_out_of_reach_keeps_a_sole_dyno_and_nothing_starts(sole: Scene) -> None:
    with sole.programs.mishap("stop", AWAY):
        move = sole.carry()
    assert (move.state, sole.places(), verbs(sole)) == (MoveState.UNKNOWN, ["old"], [])
    assert Dyno.objects.get().state == DynoState.RUNNING
    assert_arrived(sole, sole.carry(), "new")


def test_an_old_host_that_does_not_say_it_has_stopped_is_told_by_name(shared: Scene) -> None:
    with shared.programs.mishap("stop", LOST):
        move = shared.carry()
    assert move.state == MoveState.UNKNOWN
    assert "It runs on new, but old does not say that it has stopped" in move.message
    assert Dyno.objects.get().host.name == "new"
    assert_arrived(shared, shared.carry(), "new")


# ---- hosts that say no ----


@pytest.mark.parametrize("verb", ["start", "commit"])
def test_a_host_that_did_it_but_cannot_say_so_keeps_nothing(scene: Scene, verb: str, overlaps: bool) -> None:
    with scene.programs.mishap(verb, LATE, after=True, times=1):
        move = scene.carry()
    assert (move.state, move.target.name, scene.desk.sick) == (MoveState.PLANNED, "other", [True])
    assert scene.places() == (["old"] if overlaps else [])
    assert_arrived(scene, scene.carry(), "other")


@pytest.mark.parametrize(("code", "sick"), [("broken", True), ("tainted", False), ("no_capacity", False)])
def test_a_refused_start_goes_elsewhere_and_tells_a_sick_host_from_a_full_one(
    scene: Scene, code: str, sick: bool
) -> None:
    with scene.programs.mishap("start", Rejected(code, "no"), times=1):
        move = scene.carry()
    assert (move.state, move.message, scene.desk.sick) == (MoveState.PLANNED, f"new: {code}: no", [sick])
    assert_arrived(scene, scene.carry(), "other")


def test_an_old_host_that_refuses_to_stop_keeps_its_dyno(sole: Scene) -> None:
    sole.desk.targets = []
    with sole.programs.mishap("stop", NO):
        move = sole.carry()
    assert (move.state, sole.places(), sole.desk.sick) == (MoveState.FAILED, ["old"], [False])
    assert move.message == "old: broken: this host can do nothing today"
    assert Dyno.objects.get().state == DynoState.RUNNING


def test_with_no_other_target_it_fails_and_says_where_the_dyno_is(scene: Scene, overlaps: bool) -> None:
    scene.desk.targets = []
    with scene.programs.mishap("start", NO):
        move = scene.carry()
    assert (move.state, scene.places()) == (MoveState.FAILED, ["old"] if overlaps else [])
    assert ("runs nowhere now" in move.message) is not overlaps
    assert Dyno.objects.get().state == (DynoState.RUNNING if overlaps else DynoState.STRANDED)


def test_a_dyno_not_committed_in_time_ended_there_and_is_moved_again(scene: Scene) -> None:
    with ended_before_commit(scene.programs.machines["new"]):
        move = scene.carry()
    assert move.state == MoveState.PLANNED
    assert "absent" in move.message
    assert_arrived(scene, scene.carry(), "other")


@contextmanager
def ended_before_commit(machine: SimulatedMachine) -> Iterator[None]:
    """Its time ran out between the last look and the commit."""
    commit = machine.commit

    def too_late(request: dict[str, Any]) -> dict[str, Any]:
        machine.placed.end(machine.placed.here[NAME])
        return dict(commit(request))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "commit", too_late)
        yield


# ---- health ----


def test_one_that_does_not_become_healthy_is_undone_and_tried_elsewhere(scene: Scene) -> None:
    scene.programs.machines["new"].faults.never_healthy = True
    move = scene.carry()
    assert (move.state, move.target.name, scene.desk.sick) == (MoveState.PLANNED, "other", [True])
    assert move.message == "new: not healthy within 0.3 s, but starting."
    assert "new*" not in scene.places()
    assert_arrived(scene, scene.carry(), "other")


def test_one_that_cannot_be_undone_either_may_run_there_still(scene: Scene, overlaps: bool) -> None:
    scene.programs.machines["new"].faults.never_healthy = True
    with scene.programs.mishap("stop", AWAY) if overlaps else late_mishap(scene):
        move = scene.carry()
    if overlaps:
        assert (move.state, move.target.name) == (MoveState.PLANNED, "other")
        assert scene.places() == ["old", "new*"]  # ends by itself, for nobody will commit it
    else:
        assert (move.state, move.target.name) == (MoveState.UNKNOWN, "new")
        assert scene.places() == ["new*"]


@contextmanager
def late_mishap(scene: Scene) -> Iterator[None]:
    """The old host stops it; after that no host can be reached for a stop."""

    def gone(_request: dict[str, Any]) -> dict[str, Any]:
        raise AWAY

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene.programs.machines["new"], "stop", gone)
        yield


def test_a_dyno_that_ends_while_it_is_waited_for_is_not_waited_for_any_longer(shared: Scene) -> None:
    machine, looks = shared.programs.machines["new"], 0
    machine.faults.never_healthy = True
    health = machine.health

    def ends(request: dict[str, Any]) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        if looks == 2:
            machine.placed.end(machine.placed.here[NAME])
        return dict(health(request))

    machine.health = ends  # type: ignore[method-assign]
    move = shared.carry(Limits(healthy_seconds=60.0))
    assert (looks, move.state) == (2, MoveState.PLANNED)
    assert "but absent" in move.message


def test_health_that_could_not_be_asked_is_asked_again(shared: Scene) -> None:
    with shared.programs.mishap("health", LOST, times=1):
        assert_arrived(shared, shared.carry(Limits(healthy_seconds=30.0)), "new")


def test_a_target_tainted_while_it_started_keeps_nothing(
    scene: Scene, overlaps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = rows.target_still_takes_dynos

    def tainted_meanwhile(move: Move) -> bool:
        Host.objects.filter(name="new").update(state=HostState.TAINTED)
        return look(move)

    monkeypatch.setattr(rows, "target_still_takes_dynos", tainted_meanwhile)
    move = scene.carry()
    assert (move.state, move.message) == (MoveState.PLANNED, "new was tainted meanwhile.")
    assert scene.places() == (["old"] if overlaps else [])
    assert scene.desk.sick == [False]
    assert_arrived(scene, scene.carry(), "other")


# ---- what is asked of whom ----


@pytest.mark.parametrize(
    ("problem", "after"),
    [(LOST, True), (AWAY, False), (LATE, True)],
    ids=["lost", "away", "late"],
)
@pytest.mark.parametrize("verb", ["start", "commit", "stop", "health", "operation"])
def test_whatever_happens_to_any_call_it_runs_somewhere_once_in_the_end(
    scene: Scene, overlaps: bool, verb: str, problem: CallError, after: bool
) -> None:
    with scene.programs.mishap(verb, problem, after=after, times=2):
        for _ in range(4):
            move = scene.carry()
            committed = [place for place in scene.places() if not place.endswith("*")]
            assert len(committed) <= (2 if overlaps else 1)
            assert overlaps or len(scene.places()) <= 1
            if move.state in {MoveState.DONE, MoveState.FAILED}:
                break
            scene.desk.targets = scene.desk.targets or list(Host.objects.filter(name__in=["new", "other"]))
    settled = [place for place in scene.places() if not place.endswith("*")]
    assert len(settled) == 1 or Dyno.objects.get().state == DynoState.STRANDED
    if move.state == MoveState.DONE:
        assert settled == [Dyno.objects.get().host.name]


def test_slow_ones_are_waited_for(shared: Scene) -> None:
    shared.programs.machines["new"].placed.nature = Nature(
        crashes_per_dyno_hour=0.0, start_least_seconds=0.2, start_most_seconds=0.25
    )
    assert_arrived(shared, shared.carry(Limits(healthy_seconds=30.0)), "new")
