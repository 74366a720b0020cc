"""The benchmark in its quick form: it runs, and says what was agreed. How outcomes are scored."""

import json
import subprocess
import sys

import pytest

from incidents.correlation.simulation.habits import Said
from incidents.correlation.simulation.outcome import score
from incidents.correlation.simulation.recording import tell

KEYS = {
    "verdict_at_1", "recall", "wrong_deploy", "false_pages_per_quiet_day", "precision_at_1", "minutes_to_detect_median",
    "oracle_ratio", "calibration_error", "by_scenario", "beside",
}  # fmt: skip


def test_the_quick_benchmark_ends_with_the_figures_that_were_agreed() -> None:
    argv = [sys.executable, "-m", "benchmarks.correlation", "--quick"]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    *table, last = done.stdout.splitlines()
    figures = json.loads(last)
    assert figures.keys() >= KEYS
    assert figures["verdict_at_1"] == 1.0
    assert figures["wrong_deploy"] == 0.0
    assert set(figures["beside"]) == {"fleet z-score", "host z-score"}
    assert figures["tick_ms_100"] > 0
    assert any("bad_everywhere" in line for line in table)
    assert "report seeds" in table[0]


@pytest.mark.parametrize(("after", "recalled"), [(59, True), (61, False)])
def test_each_of_two_faults_has_an_hour_of_its_own(after: float, recalled: bool) -> None:
    story = tell("two_faults", seed=15, hosts=60)
    first, second = story.truth.faults
    said = [
        Said(first.onset + 3, "deploy", first.rollout.name),
        Said(second.onset + after, "deploy", second.rollout.name),
    ]
    outcome = score(story, said)
    assert (outcome.right, outcome.recalled, outcome.wrong_deploy) == (True, recalled, False)
