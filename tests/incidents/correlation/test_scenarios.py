"""Simulated fleets with known truth, a fresh seed for each."""

import pytest

from incidents.correlation.simulation.outcome import judge
from incidents.correlation.simulation.recording import record, tell
from incidents.correlation.simulation.scenarios import SCENARIOS


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_the_right_cause_is_named_first(scenario: str) -> None:
    outcome = judge(tell(scenario, seed=77, hosts=100, minutes=400))
    assert outcome.right, outcome.pages
    assert not outcome.wrong_deploy, outcome.pages
    if outcome.jaccard is not None:
        assert outcome.jaccard > 0.8


def test_the_same_seed_tells_the_same_story() -> None:
    one, other = (record(tell("confounded", seed=3, hosts=20, minutes=300)) for _ in range(2))
    assert one == other
    assert record(tell("confounded", seed=4, hosts=20, minutes=300)) != one
