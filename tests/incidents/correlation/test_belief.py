"""Probabilities of suspects."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.correlation_report import calibration_error
from incidents.correlation.belief import softmax
from tests.incidents.correlation.demo_fleet import BIN, DemoFleet

scores = st.lists(st.floats(-20, 60), min_size=1, max_size=8)


def test_a_score_as_high_as_that_of_nothing_is_a_coin_toss() -> None:
    assert softmax(np.array([9.0]), [9.0]).tolist() == [0.5]
    assert softmax(np.array([9.0, 9.0]), [9.0, 9.0]).tolist() == [0.25, 0.25]
    assert softmax(np.array([]), [9.0]).tolist() == []


@given(scores, scores)
def test_no_more_than_one_cause_is_shared_out(suspects: list[float], others: list[float]) -> None:
    shares = softmax(np.array(suspects), others)
    assert shares.min() >= 0
    assert shares.sum() <= 1 + 1e-9
    assert np.argmax(shares) == np.argmax(suspects) or max(suspects) - sorted(suspects)[-2] < 1e-9


@given(scores, st.floats(0.1, 10))
def test_a_higher_score_is_more_likely(suspects: list[float], more: float) -> None:
    before = softmax(np.array(suspects), [9.0])[0]
    after = softmax(np.array([suspects[0] + more, *suspects[1:]]), [9.0])[0]
    assert after >= before


def test_the_named_deploy_is_all_but_certain_and_says_so_on_its_page() -> None:
    fleet = DemoFleet(seed=1)
    fleet.quiet_past()
    first = fleet.damage(fleet.redeploy())
    notices, board = fleet.run(first + 12 * BIN)
    assert notices[0].verdict.probability > 0.9
    assert board.suspects[0].probability > 0.9


def test_calibration_is_the_mean_gap_between_said_and_seen() -> None:
    assert calibration_error([(0.95, True)] * 19 + [(0.95, False)]) == pytest.approx(0.0)
    assert calibration_error([(0.1, True), (0.9, True)]) == pytest.approx(0.5)
    assert calibration_error([]) is None
