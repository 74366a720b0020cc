"""The vocabularies of states hold together."""

import pytest

from fleet.lifecycle import DynoState, HostState, MigrationState, MoveState, OperationState
from fleet.states import State
from incidents.lifecycle import IncidentState, RunState, StepState

LIFECYCLES = [
    HostState, DynoState, MigrationState, MoveState, OperationState, IncidentState, RunState, StepState,
]  # fmt: skip


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_every_successor_is_a_state_and_every_state_has_a_meaning(lifecycle: type[State]) -> None:
    for state in lifecycle:
        assert state.meaning
        assert state.successors <= set(lifecycle.values())
        assert state.value not in state.successors


@pytest.mark.parametrize("lifecycle", LIFECYCLES)
def test_every_state_can_be_reached(lifecycle: type[State]) -> None:
    first, *others = lifecycle
    reached, edge = {first.value}, [first.value]
    while edge:
        new = lifecycle.of(edge.pop()).successors - reached
        reached |= new
        edge += new
    assert reached == {first.value, *[state.value for state in others]}


def test_a_member_is_its_value() -> None:
    assert str(HostState.IN_SERVICE) == "in_service"
    assert f"{HostState.IN_SERVICE}" == "in_service"
    assert HostState.IN_SERVICE.label == "in service"
    assert HostState.of("tainted").predecessors() == ["in_service", "draining", "drained"]


def test_only_ended_states_are_final() -> None:
    assert [state.value for state in MoveState if state.is_final] == ["done", "cancelled"]
    assert MigrationState.live() == ["planned", "running", "paused"]
